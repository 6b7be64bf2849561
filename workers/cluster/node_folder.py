"""The folder that a node of Ray lives in: ours alone, short enough for its sockets, and gone after its node.

Ray makes its folders 0777: whoever can enter them can put a socket of his own in the place of the raylet's. So they lie
in a folder of 0700 with a random name, below the state folder where that is short enough, else below TMPDIR or /tmp.
The kernel takes 107 bytes for the path of a socket, as it is given: links are not followed first.
"""

import fcntl
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from archsmith.errors import ConfigurationError

LONGEST_NAME = "session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
"""Of what Ray 2.60 binds below its folder; the last number is a process id, 4194304 at most."""
_IN_STATE, _ELSEWHERE = "ray-", "archsmith_"
_TRIES = 3
INNER = "r"
"""Ray's own folder, which it makes writable for everyone, inside ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeFolder:
    """path: for Ray, inside our own. lock: descriptor of our own, locked while the node's owner lives."""

    path: Path
    lock: int

    def remove(self) -> None:
        shutil.rmtree(self.path.parent, ignore_errors=True)
        os.close(self.lock)


def take(state: Path | None) -> NodeFolder:
    """A new folder; those of owners that are gone go first. state: None on a node that shares it with other machines.

    Raises ConfigurationError when there is no place for one.
    """
    tried = []
    for parent, prefix in _places(state):
        if _nobody_else_can_change(parent):
            _sweep(parent, prefix)
            folder = next(filter(None, (_make(parent, prefix) for _ in range(_TRIES))), None)
            if folder is not None:
                return folder
        tried.append(str(parent))
    raise ConfigurationError(
        f"Ray's sockets have no place in {' nor in '.join(tried)}: the path is too long, or others may write to a "
        "folder on it; set TMPDIR to a folder of your own with a path of at most 22 bytes"
    )


def _places(state: Path | None) -> Iterator[tuple[Path, str]]:
    if state is not None and state.is_dir():
        yield state.resolve(), _IN_STATE
    for folder in dict.fromkeys((Path(tempfile.gettempdir()).resolve(), Path("/tmp").resolve())):  # noqa: S108
        yield folder, _ELSEWHERE


def _nobody_else_can_change(folder: Path) -> bool:
    """Whether only this user (or root) can rename what we put there, or a folder on the way to it."""
    for path in (folder, *folder.parents):
        status = path.stat()
        shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
        if shared or status.st_uid not in (0, os.geteuid()):
            return False
    return True


def _make(parent: Path, prefix: str) -> NodeFolder | None:
    """None where the file system has no locks or no sockets, or a sweep took the folder before it was locked."""
    try:
        own = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError:
        return None
    lock = _locked(own)
    if lock is not None:
        try:
            _try_a_socket(own / INNER)
            return NodeFolder(path=own / INNER, lock=lock)
        except OSError:
            os.close(lock)
    shutil.rmtree(own, ignore_errors=True)
    return None


def _try_a_socket(folder: Path) -> None:
    """Raises OSError where the path is too long, or the file system has no sockets."""
    folder.mkdir(mode=0o700)
    path = folder / ("s" * len(LONGEST_NAME))
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(path))
    path.unlink()


def _locked(folder: Path) -> int | None:
    """Its descriptor, unless another process has it. The lock ends with the process, however that ends."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and status.st_nlink:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _sweep(parent: Path, prefix: str) -> None:
    """Remove what earlier nodes of ours left that were killed."""
    for folder in parent.glob(prefix + "?" * 8):
        lock = _locked(folder)
        if lock is not None:
            if _is_ours(lock):
                shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _is_ours(folder: int) -> bool:
    """Whether an open folder is as `take` makes it: a user's own folder may have a name of the same form."""
    return stat.S_IMODE(os.fstat(folder).st_mode) == 0o700 and set(os.listdir(folder)) <= {INNER}
