"""Members of a tar archive, plain or gzipped: read once from front to end, regular files only."""

import gzip
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from workers.datasets.archive import MAX_BYTES, MAX_MEMBERS, MAX_RATIO, check_growth
from workers.datasets.raw import fault

_BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error, ValueError)
_PIECE = 1024**2


def is_tar(path: Path) -> bool:
    """By content: the mark of a first member."""
    try:
        with path.open("rb") as plain:
            gzipped = plain.read(2) == b"\x1f\x8b"
        with gzip.open(path) if gzipped else path.open("rb") as stream:
            return stream.read(265)[257:262] == b"ustar"
    except (OSError, EOFError, zlib.error):
        return False


def unpacked(source: Path, wanted: Callable[[str], bool], *, scratch: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The wanted files by their last names, in files of `scratch`, and the names of the others.

    Raises `archive_invalid`, `too_many_files`, `file_duplicate`, `array_too_large`, `expands_too_much`.
    """
    found: dict[str, Path] = {}
    others: list[str] = []
    held, written = source.stat().st_size, 0
    try:
        with tarfile.open(source, "r|*") as archive:
            for number, member in enumerate(archive):
                name = member.name.rsplit("/", 1)[-1]
                if number >= MAX_MEMBERS:
                    raise fault(
                        "too_many_files", f"{source.name} lists more than {MAX_MEMBERS} files", file=source.name
                    )
                written += member.size
                check_growth(written, held, file=source.name, ratio=MAX_RATIO)
                if not member.isreg() or not wanted(name) or name.startswith("._"):
                    others += [member.name] if member.isreg() else []
                    continue
                if name in found:
                    raise fault("file_duplicate", f"{source.name} holds two files {name}", file=name)
                found[name] = scratch / f"{number}.bin"
                _copy(archive, member, found[name])
    except _BROKEN as error:
        detail = f"{source.name} is a damaged tar archive (an upload cut off?): {str(error)[:200]}"
        raise fault("archive_invalid", detail, file=source.name) from error
    return found, tuple(others)


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    stream = archive.extractfile(member)
    if stream is None or member.size > MAX_BYTES:
        raise fault("archive_invalid", f"{member.name[:200]} cannot be read", file=member.name[:200])
    with stream, target.open("wb") as out:
        while piece := stream.read(_PIECE):
            out.write(piece)
