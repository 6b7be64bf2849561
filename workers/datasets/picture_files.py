"""The files of a data set of pictures, wherever they lie: in a zip or tar archive, or in a folder.

Archives are untrusted. A tar archive has no directory that could be checked first, so its members are copied out one
by one under names of our own, with the limits of zip archives counted on the way.
"""

import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workers.datasets.archive import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_MEMBERS,
    MAX_NAME,
    Archive,
    check_growth,
    is_zip,
    open_archive,
)
from workers.datasets.raw import fault

HIDDEN = frozenset(
    {
        "__macosx",
        "@eadir",
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__pycache__",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
    }
)
"""Names, in lower case, of what systems and programs leave in folders; so are all that begin with a dot."""
_TORN = (tarfile.TarError, EOFError, zlib.error, OSError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file. name: as its owner wrote it, with /. parts: the same in Unicode's form NFC, without spaces around
    folders and name, as names are compared. source: where its bytes are.
    """

    name: str
    parts: tuple[str, ...]
    size: int
    source: zipfile.ZipInfo | Path

    @property
    def hidden(self) -> bool:
        return any(part.startswith(".") or part.lower() in HIDDEN for part in self.parts)

    @property
    def suffix(self) -> str:
        """The ending in lower case, as ".png"."""
        return PurePosixPath(self.parts[-1]).suffix.lower()


class Files:
    """Files on disk. entries: all of them, sorted by name. folders: those that the source lists, of archives only."""

    def __init__(self, name: str, entries: list[Entry], *, folders: tuple[str, ...] = (), warning: str = "") -> None:
        self.name = name
        self.entries = tuple(sorted(entries, key=lambda entry: entry.name))
        self.folders = folders
        self.warnings = (warning,) if warning else ()

    def reopen(self) -> None:
        """In a forked process, before it reads."""

    def read(self, entry: Entry) -> bytes:
        return Path(str(entry.source)).read_bytes()

    def head(self, entry: Entry, size: int) -> bytes:
        """The first `size` bytes, unchecked."""
        with Path(str(entry.source)).open("rb") as stream:
            return stream.read(size)


class _Zipped(Files):
    """Members of a zip archive, read from it one by one."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        entries = [entry(member.filename, member.file_size, member) for member in archive.members]
        super().__init__(archive.name, entries, folders=archive.folders, warning=archive.warning)

    def reopen(self) -> None:
        self._archive.reopen()

    def read(self, entry: Entry) -> bytes:
        return super().read(entry) if isinstance(entry.source, Path) else self._archive.read(entry.source)

    def head(self, entry: Entry, size: int) -> bytes:
        return super().head(entry, size) if isinstance(entry.source, Path) else self._archive.head(entry.source, size)


def entry(name: str, size: int, source: zipfile.ZipInfo | Path) -> Entry:
    parts = tuple(unicodedata.normalize("NFC", part).strip() or part for part in PurePosixPath(name).parts)
    return Entry(name=name, parts=parts, size=size, source=source)


@contextmanager
def open_files(source: Path, *, scratch: Path) -> Iterator[Files]:
    """scratch: folder for the members of a tar archive. Raises InvalidDataset."""
    if source.is_dir():
        yield _folder(source)
    elif is_tar(source):
        yield Files(source.name, _unpacked(source, scratch / "members"))
    else:
        with open_archive(source) as archive:
            yield _Zipped(archive)


def is_tar(path: Path) -> bool:
    """By content, plain or compressed by gzip, bzip2 or xz."""
    if not path.is_file() or path.stat().st_size == 0 or is_zip(path):
        return False
    try:
        return tarfile.is_tarfile(path)
    except _TORN:
        return False


def _folder(root: Path) -> Files:
    """Every file below `root`. Links are left out, so that nothing outside of it is read."""
    entries: list[Entry] = []
    folders = [root]
    while folders:
        for path in folders.pop().iterdir():
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                folders.append(path)
            elif stat.S_ISREG(mode):
                entries.append(entry(path.relative_to(root).as_posix(), path.stat().st_size, path))
        if len(entries) > MAX_MEMBERS:
            detail = f"{root.name} holds more files than the limit of {MAX_MEMBERS}"
            raise fault("too_many_files", detail, file=root.name, allowed=MAX_MEMBERS)
    return Files(root.name, entries)


def _unpacked(source: Path, target: Path) -> list[Entry]:
    target.mkdir()
    entries: list[Entry] = []
    total, compressed = 0, source.stat().st_size
    try:
        with tarfile.open(source) as archive:
            for number, member in enumerate(archive):
                if number >= MAX_MEMBERS:
                    detail = f"{source.name} holds more files than the limit of {MAX_MEMBERS}"
                    raise fault("too_many_files", detail, file=source.name, allowed=MAX_MEMBERS)
                _check_tar_member(member)
                if member.isdir():
                    continue
                total += member.size
                check_growth(total, compressed, file=source.name)
                entries.append(_copied(archive, member, target / str(number)))
    except _TORN as error:
        detail = f"{source.name} is a damaged tar archive (an upload cut off?): {error}"
        raise fault("archive_invalid", detail, file=source.name) from error
    return entries


def _copied(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> Entry:
    stream = archive.extractfile(member)
    if stream is None:
        raise tarfile.ReadError(f"{member.name} has no content")
    with stream, target.open("wb") as out:
        shutil.copyfileobj(stream, out)
    return entry(member.name.replace("\\", "/"), member.size, target)


def _check_tar_member(member: tarfile.TarInfo) -> None:
    name = member.name.replace("\\", "/")
    path = PurePosixPath(name)
    shown = repr(name[:120])
    if not member.isfile() and not member.isdir():
        raise fault("member_type_unsupported", f"member {shown} is a link or a device, not a file", file=name)
    if name.startswith("/") or ".." in path.parts or name[1:2] == ":":
        raise fault("path_unsafe", f"member {shown} leads out of the archive", file=name)
    if any(ord(c) < 32 or ord(c) == 127 for c in name) or (member.isfile() and not path.parts):
        raise fault("path_invalid", f"member {shown} has control characters in its name, or none", file=name)
    if len(path.parts) > MAX_DEPTH or any(len(part.encode("utf-8", "replace")) > MAX_NAME for part in path.parts):
        raise fault("path_invalid", f"member {shown} has too long a name, or is in too many folders", file=name)
    if member.issparse() or member.size > MAX_BYTES:
        raise fault("member_type_unsupported", f"member {shown} is sparse or too large", file=name)
