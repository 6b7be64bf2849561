"""Finding the files of a format that has several: in a folder, in one zip or tar archive, or given one by one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from workers.datasets.archive import is_zip, open_archive
from workers.datasets.raw import fault
from workers.datasets.tarred import is_tar, unpacked

Found = dict[str, Path]


def find(sources: Sequence[Path], wanted: Callable[[str], bool], *, scratch: Path) -> tuple[Found, tuple[str, ...]]:
    """The wanted files by their last names, and the names of the others.

    Files of an archive are unpacked into `scratch`. Raises `file_missing`, `file_duplicate`, and as `open_archive`.
    """
    if len(sources) == 1 and sources[0].is_file() and is_zip(sources[0]):
        return _unpacked(sources[0], wanted, scratch=scratch)
    if len(sources) == 1 and sources[0].is_file() and is_tar(sources[0]):
        return unpacked(sources[0], wanted, scratch=scratch)
    paths = (
        sorted(p for p in sources[0].iterdir() if p.is_file()) if len(sources) == 1 and sources[0].is_dir() else sources
    )
    found: Found = {}
    for path in paths:
        if not path.is_file():
            raise fault("file_missing", f"there is no file {path.name}", file=path.name)
        if wanted(path.name):
            _add(found, path.name, path)
    return found, tuple(path.name for path in paths if path.name not in found)


def _unpacked(source: Path, wanted: Callable[[str], bool], *, scratch: Path) -> tuple[Found, tuple[str, ...]]:
    found: Found = {}
    ignored = []
    with open_archive(source) as archive:
        for member in archive.members:
            name = member.filename.rsplit("/", 1)[-1]
            if wanted(name) and not member.filename.startswith("__MACOSX"):
                _add(found, name, scratch / f"{len(found)}.txt")
                archive.extract(member, found[name])
            else:
                ignored.append(member.filename)
    return found, tuple(ignored)


def _add(found: Found, name: str, path: Path) -> None:
    if name in found:
        raise fault("file_duplicate", f"there are two files {name}", file=name)
    found[name] = path


@contextmanager
def text_of(path: Path, *, file: str) -> Iterator[TextIO]:
    """The file as UTF-8, line ends as they are. Raises `text_invalid`, also while it is read inside the block."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield stream
    except UnicodeDecodeError as error:
        raise fault("text_invalid", f"{file} is not UTF-8 text: byte {error.start} of a piece", file=file) from error
