"""Where a node of Ray lives: out of reach of strangers, on paths that sockets can have, no longer than its owner."""

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from archsmith.errors import ConfigurationError
from workers.cluster import node_folder
from workers.cluster.node_folder import LONGEST_NAME, NodeFolder, take

HOLD = "import sys, time; from pathlib import Path; from workers.cluster import node_folder as n;"
HOLD += "print(n.take(Path(sys.argv[1])).path, flush=True); time.sleep(60)"


@pytest.fixture
def short() -> Iterator[Path]:
    """A state folder as short as they are; those of pytest are too long."""
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def taken() -> Iterator[list[NodeFolder]]:
    folders: list[NodeFolder] = []
    yield folders
    for one in folders:
        one.remove()


def _check(folder: Path) -> None:
    """Nobody else may enter, nor rename it; and Ray's longest socket has room."""
    status = folder.parent.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o700, os.geteuid())
    for above in folder.parent.parents:
        mode = above.stat().st_mode
        assert mode & stat.S_ISVTX or not mode & 0o022, above
    path = folder / LONGEST_NAME
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def test_it_lies_in_the_state_folder_where_that_is_short(short: Path, taken: list[NodeFolder]) -> None:
    short.chmod(0o755)
    taken.append(take(short))
    assert taken[0].path.is_relative_to(short)
    _check(taken[0].path)
    taken.pop().remove()
    assert list(short.iterdir()) == []


@pytest.mark.parametrize("long_tmpdir", [False, True])
def test_and_elsewhere_where_it_is_long(
    tmp_path: Path, taken: list[NodeFolder], monkeypatch: pytest.MonkeyPatch, long_tmpdir: bool
) -> None:
    state = tmp_path / ("x" * (199 - len(str(tmp_path))))
    state.mkdir()
    assert len(str(state)) == 200
    monkeypatch.setattr(tempfile, "tempdir", str(state) if long_tmpdir else None)
    taken.append(take(state))
    assert not taken[0].path.is_relative_to(state)
    _check(taken[0].path)
    assert list(state.iterdir()) == [], "what was tried is gone"


def test_a_folder_that_others_may_write_to_is_no_place(short: Path, taken: list[NodeFolder]) -> None:
    short.chmod(0o777)
    taken.append(take(short))
    assert not taken[0].path.is_relative_to(short)


def test_no_place_at_all_is_said(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_folder, "_nobody_else_can_change", lambda folder: folder != Path("/tmp").resolve())
    monkeypatch.setattr(tempfile, "tempdir", str(short / ("x" * 100)))
    with pytest.raises(ConfigurationError, match=r"no place in .*x nor in .*; set TMPDIR to a folder of your own"):
        take(None)


@pytest.mark.heavy
def test_what_a_killed_owner_left_is_swept_and_what_a_living_one_has_is_not(
    short: Path, taken: list[NodeFolder]
) -> None:
    def start() -> tuple[subprocess.Popen[str], Path]:
        owner = subprocess.Popen([sys.executable, "-c", HOLD, str(short)], stdout=subprocess.PIPE, text=True)
        assert owner.stdout is not None
        return owner, Path(owner.stdout.readline().strip())

    owners = [start(), start()]
    (dead, left), (_, kept) = owners
    try:
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        assert left.is_dir()
        (short / "ray-address").write_text("a file")
        taken.append(take(short))
        assert not left.parent.exists()
        assert kept.is_dir()
        assert taken[0].path.is_dir()
    finally:
        for owner, _ in owners:
            owner.kill()
            owner.wait()
            owner.stdout.close()


def test_a_users_own_folder_with_such_a_name_stays(short: Path, taken: list[NodeFolder]) -> None:
    mine = short / "ray-datasets"
    mine.mkdir(mode=0o700)
    (mine / "images.zip").write_text("a year of work")
    shared = short / "ray-examples"
    shared.mkdir(mode=0o755)
    left = short / "ray-12345678"
    (left / "r").mkdir(parents=True)
    left.chmod(0o700)
    taken.append(take(short))
    assert (mine / "images.zip").is_file()
    assert shared.is_dir()
    assert not left.exists()
