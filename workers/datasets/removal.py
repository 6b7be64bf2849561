"""Taking data sets away and replacing them in steps that a crash cannot spoil: renamed first, removed afterwards.

ROOT/.NAME-TOKEN-removed   on its way out; `recover` removes it
ROOT/.NAME-replaced        the old one while a new one is put in its place; `recover` puts it back if none is there
"""

import os
import shutil
import uuid
from pathlib import Path

REMOVED, REPLACED = "-removed", "-replaced"


def remove(root: Path, name: str) -> None:
    """The name is free after the first step."""
    _clear(_set_aside(root, name))


def swap(root: Path, name: str, new: Path) -> None:
    """Puts the folder `new` in the place of ROOT/NAME. Raises OSError, with the old one in its place again."""
    aside = root / f".{name}{REPLACED}"
    if aside.exists():  # of a process that was killed after its last step but one
        _clear(aside)
    (root / name).rename(aside)
    try:
        new.rename(root / name)
    except OSError:
        aside.rename(root / name)
        raise
    _settle(root)
    _clear(aside)


def recover(root: Path) -> None:
    """Ends what a killed process began."""
    for path in root.glob(f".*{REMOVED}"):
        shutil.rmtree(path, ignore_errors=True)
    for path in root.glob(f".*{REPLACED}"):
        name = path.name[1:].removesuffix(REPLACED)
        if (root / name).exists():
            _clear(path)
        else:
            path.rename(root / name)


def _set_aside(root: Path, name: str) -> Path:
    gone = root / f".{name}-{uuid.uuid4().hex[:8]}{REMOVED}"
    (root / name).rename(gone)
    _settle(root)
    return gone


def _clear(path: Path) -> None:
    """What cannot be removed now is removed by the next `recover`."""
    if path.name.endswith(REPLACED):  # so that it is never put back once the new one is removed in turn
        gone = path.with_name(f"{path.name.removesuffix(REPLACED)}-{uuid.uuid4().hex[:8]}{REMOVED}")
        path.rename(gone)
        path = gone
    shutil.rmtree(path, ignore_errors=True)


def _settle(root: Path) -> None:
    """The folder's entries reach the disk."""
    handle = os.open(root, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
