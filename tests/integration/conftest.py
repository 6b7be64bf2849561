"""One Ray cluster for all tests that drive jobs, and what they look at."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from search.proposing.controller import Controller
    from tests.driving import Yard


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """Address of a cluster with two CPUs that this process has joined."""
    import ray

    from tests.driving import signals_kept
    from workers.cluster import connection

    with signals_kept():
        connection.connect("", cpus=2)
    yield ray.get_runtime_context().gcs_address
    connection.disconnect()


@pytest.fixture
def yard(tmp_path: Path, ray_address: str) -> "Iterator[Yard]":
    from tests.driving import Yard

    yard = Yard(tmp_path / "state")
    yield yard
    yard.close()


@pytest.fixture
def finals_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Final trainings in the test's own process, where they are not the point: another would load torch for 4 s."""
    from tests.driving import tasks_here

    monkeypatch.setattr("workers.phases.final_trainings.run_tasks", tasks_here)


@pytest.fixture
def controllers(monkeypatch: pytest.MonkeyPatch) -> "list[Controller]":
    """Every controller that a driver makes, as it makes them."""
    from search.factory import make_controller
    from workers import driver as driver_module

    made: list[Controller] = []

    def noted(*args: Any, **options: Any) -> "Controller":
        made.append(make_controller(*args, **options))
        return made[-1]

    monkeypatch.setattr(driver_module, "make_controller", noted)
    return made
