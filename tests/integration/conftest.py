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


@pytest.fixture
def yard(tmp_path: Path, ray_address: str) -> "Iterator[Yard]":
    from tests.driving import Yard

    yard = Yard(tmp_path / "state")
    yield yard
    yard.close()
