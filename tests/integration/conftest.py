"""One Ray cluster for all tests that drive jobs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.driving import Yard


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """Address of a cluster with two CPUs that this process has joined."""
    import ray

    from tests.driving import signals_kept
    from workers import cluster

    with signals_kept():
        cluster.connect("", cpus=2)
    yield ray.get_runtime_context().gcs_address
    cluster.disconnect()


@pytest.fixture(autouse=True)
def _without_exports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs driven in the test's own process leave out the exported forms, seconds each; `exports` asks for them."""
    if "exports" not in request.keywords:
        from workers import bundle, finish

        left_out = bundle.Exports.none("left out in tests")
        monkeypatch.setattr(finish.Finish, "_exports", lambda *_: left_out)


@pytest.fixture
def yard(tmp_path: Path, ray_address: str) -> "Iterator[Yard]":
    from tests.driving import Yard

    yard = Yard(tmp_path / "state")
    yield yard
    yard.close()
