"""Folders given for an upload: they are sent as one zip archive."""

import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def packed(paths: Sequence[str | Path]) -> Iterator[list[Path]]:
    """The paths, with all folders among them as one archive that is removed on exit. Raises OSError.

    Nothing is compressed: pictures are already. Links are left out, and what begins with a dot.
    """
    given = [Path(path) for path in paths]
    folders = [path for path in given if path.is_dir()]
    if not folders:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="archsmith-upload-") as place:
        target = Path(place) / f"{folders[0].resolve().name or 'folder'}.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for folder in folders:
                _add(archive, folder)
        yield [*(path for path in given if path not in folders), target]


def hidden(paths: Sequence[str | Path]) -> list[str]:
    """Files that `packed` leaves out of the folders among the paths because they are hidden, or in hidden folders."""
    found = []
    for folder in (Path(path) for path in paths):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            name = path.relative_to(folder)
            if any(part.startswith(".") for part in name.parts) and path.is_file():
                found.append(f"{folder.name}/{name.as_posix()}")
    return found


def _add(archive: zipfile.ZipFile, folder: Path) -> None:
    top = folder.resolve()
    for place, inner, names in os.walk(top):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                archive.writestr(_info(path, top), path.read_bytes())


def _info(path: Path, top: Path) -> zipfile.ZipInfo:
    """Without the time of the file, which may be one that archives cannot hold."""
    return zipfile.ZipInfo(f"{top.name}/{path.relative_to(top).as_posix()}")
