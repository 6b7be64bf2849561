"""A cluster that is away is seen at its ports, at once."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archsmith.errors import ClusterAway, ConfigurationError
from workers.cluster import connection


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    yield
    connection._doors.clear()


def test_a_port_that_closes_is_a_part_that_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gcs:
        connection._doors["GCS"] = gcs.getsockname()
        with socket.create_server(("127.0.0.1", 0)) as raylet:
            connection._doors["raylet"] = raylet.getsockname()
            assert connection.away() is None
            connection.check()
        with pytest.raises(ClusterAway, match=r"^the cluster's raylet does not answer: Connection refused$"):
            connection.check()
    assert str(connection.away()).startswith("the cluster's GCS")


def test_an_address_without_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # another test of this process may have joined one
    with pytest.raises(ConfigurationError, match="must be host:port, got 'here'"):
        connection.connect("here")


@pytest.mark.heavy
def test_a_cluster_that_is_not_there_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    beat = tmp_path / "beat"
    command = [
        sys.executable,
        "-m",
        "workers.cluster.probe",
        "--address",
        f"127.0.0.1:{port}",
        "--beat",
        str(beat),
    ]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, beat.exists()) == (1, False)
    assert "ClusterAway: the cluster's GCS does not answer" in done.stderr
    assert time.monotonic() - started < 60, "Ray's own patience is above 120 s"
