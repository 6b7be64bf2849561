"""Nodes of Ray for real: where they live, and that they end with their parts."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.driving import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


class Node:
    """`python -m workers.cluster …` with a state folder of 200 bytes and a long TMPDIR."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / ("x" * (199 - len(str(folder))))
        tmpdir = folder / ("t" * 120)
        for one in (self.state, tmpdir):
            one.mkdir()
        self.log = folder / "log"
        self.address_file = self.state / "ray-address"
        self.env = os.environ | {"ARCHSMITH_STATE": str(self.state), "TMPDIR": str(tmpdir), "RAY_AUTH_MODE": "disabled"}
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "workers.cluster", *arguments]
        with self.log.open("ab") as log:
            child = subprocess.Popen(command, env=self.env, stdout=log, stderr=log, start_new_session=True)
        self.children.append(child)
        return self.children[-1]

    def part(self, child: subprocess.Popen[bytes], name: str) -> int | None:
        """The process id of a node's raylet."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                stat_ = (folder / "stat").read_text()
                if stat_.split("(")[1].startswith(name) and int(stat_.rpartition(")")[2].split()[1]) == child.pid:
                    return int(folder.name)
        return None

    def socket(self, child: subprocess.Popen[bytes]) -> Path:
        """Of the raylet, once it is there."""
        found: list[str] = []

        def bound() -> bool:
            raylet = self.part(child, "raylet")
            words = Path(f"/proc/{raylet}/cmdline").read_text().split("\0") if raylet else []
            found[:] = [one.partition("=")[2] for one in words if one.startswith("--raylet_socket_name=")]
            return bool(found) and Path(found[0]).is_socket()

        until(lambda: child.poll() is not None or bound())
        return Path(found[0])


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    for child in node.children:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _out_of_reach(path: Path) -> bool:
    """Whether a folder on the way lets nobody but us in."""
    folders = [(one, one.stat()) for one in path.parents]
    return any(s.st_uid == os.geteuid() and not stat.S_IMODE(s.st_mode) & 0o077 for one, s in folders)


def test_a_private_head_and_a_node_of_ray_start_live_out_of_reach_and_end_with_their_raylets(node: Node) -> None:
    head = node.start("head", "--cpus", "1", "--address-file", str(node.address_file))
    until(lambda: node.address_file.exists() or head.poll() is not None)
    worker = node.start("worker", "--address", node.address_file.read_text(), "--cpus", "1")
    sockets = [node.socket(head), node.socket(worker)]
    for one in sockets:
        assert one.parent.stat().st_mode & 0o002, "Ray's own folders are for everybody, or this test can go"
        assert _out_of_reach(one), one
    assert sockets[0].parents[3] != sockets[1].parents[3]
    until(lambda: worker.poll() is not None or "Ray runtime started" in node.log.read_text())
    for child in (worker, head):
        raylet = node.part(child, "raylet")
        assert raylet is not None
        os.kill(raylet, signal.SIGKILL)
        assert child.wait(30) == 1
    assert "raylet is gone, and the cluster with it" in node.log.read_text()
    assert not sockets[0].parents[3].exists()
