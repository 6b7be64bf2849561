"""Untrusted zip archives: everything is checked from the directory before a byte is inflated.

Python's reader never gives more than the declared size of a member and compares the checksum at its end, so the
declared sizes are reliable bounds once they are checked here.
"""

import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from archsmith.errors import InvalidDataset
from workers.datasets.archive_names import read_names
from workers.datasets.raw import fault

MAX_MEMBERS = 200_000
MAX_DIRECTORY_BYTES = 64 * 1024**2
MAX_BYTES = 4 * 1024**3
"""Limit for one array, and for all members of an archive together, inflated to more than GROWTH times their size."""
MAX_STORED = 64 * 1024**3
GROWTH = 2
"""What hardly grows when it is unpacked is no bomb: it needs its size in the upload too. Such may have MAX_STORED."""
MAX_RATIO = 100
ARRAY_RATIO = 500
"""Of NumPy archives, whose arrays declare their size. Honest masks reach 222 (volumes of 64 x 64 x 64 that are 0 or
255), blank arrays, and bombs with them, 1,030, which is all that deflate can do. An array that is refused by this
can still be sent: saved without compression it has no ratio."""
FREE_BYTES = 64 * 1024**2
"""Below this size a high ratio is harmless (an archive of blank pictures)."""
MAX_DEPTH = 16
MAX_NAME = 255
NESTED = (".zip", ".npz", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".jar")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, struct.error, EOFError)


def check_growth(inflated: int, compressed: int, *, file: str, ratio: int = MAX_RATIO) -> None:
    """Raises `expands_too_much`, `array_too_large` for growth that real data does not reach."""
    limit = MAX_STORED if inflated <= GROWTH * compressed else MAX_BYTES
    if inflated > limit:
        raise fault("array_too_large", f"{file} unpacks to more than {limit} bytes", file=file, allowed=limit)
    if inflated > FREE_BYTES and inflated > ratio * max(1, compressed):
        detail = f"{file} unpacks to more than {ratio} times its size"
        raise fault("expands_too_much", detail, file=file, allowed=ratio)


class Archive:
    """An opened zip file whose directory was checked. members: files only, sorted by name.

    warning: about names whose code page was guessed, or "".
    """

    def __init__(self, path: Path, zipped: zipfile.ZipFile, *, ratio: int = MAX_RATIO) -> None:
        self.name = path.name
        self._path, self._zip = path, zipped
        infos = zipped.infolist()
        self.warning = read_names(infos)
        for info in infos:
            _check_member(info)
        _check_repeats(infos)
        _check_overlap(infos, archive=self.name)
        check_growth(sum(i.file_size for i in infos), sum(i.compress_size for i in infos), file=self.name, ratio=ratio)
        self.members = tuple(sorted((i for i in infos if not _is_folder(i)), key=lambda i: i.filename))
        self.folders = tuple(sorted(i.filename.rstrip("/") for i in infos if _is_folder(i)))

    def reopen(self) -> None:
        """For a forked process, which would share the place in the file with others."""
        self._zip.fp = self._path.open("rb")

    @contextmanager
    def stream(self, member: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
        """The member's bytes. Raises `archive_invalid` for a damaged one, also while it is read inside the block."""
        try:
            with self._zip.open(member) as stream:
                yield stream
        except _BROKEN as error:
            raise fault("archive_invalid", f"{member.filename} is damaged: {error}", file=member.filename) from error

    def read(self, member: zipfile.ZipInfo) -> bytes:
        with self.stream(member) as stream:
            return stream.read()

    def head(self, member: zipfile.ZipInfo, size: int) -> bytes:
        """The first `size` bytes; their checksum is not checked."""
        with self.stream(member) as stream:
            return stream.read(size)

    def extract(self, member: zipfile.ZipInfo, target: Path) -> None:
        """Copies the member to `target`, a path of the caller's own making."""
        with self.stream(member) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out)


@contextmanager
def open_archive(path: Path, *, ratio: int = MAX_RATIO) -> Iterator[Archive]:
    """Raises InvalidDataset for a file that is no zip archive, or one that breaks a rule.

    ratio: how many times its size all of it may unpack to.
    """
    _check_head(path)
    try:
        zipped = zipfile.ZipFile(path)
    except (*_BROKEN, OSError) as error:  # OSError: a seek before the beginning
        detail = f"{path.name} is a damaged zip archive (an upload cut off?): {error}"
        raise fault("archive_invalid", detail, file=path.name) from error
    with zipped:
        _check_whole(path, len(zipped.infolist()))
        yield Archive(path, zipped, ratio=ratio)


def is_zip(path: Path) -> bool:
    """By content: the archive begins with a member, or is empty."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def _check_head(path: Path) -> None:
    if not path.is_file():
        raise fault("format_mismatch", f"{path.name} is not a file; give a zip archive", file=path.name)
    if path.stat().st_size == 0:
        raise fault("file_empty", f"{path.name} has 0 bytes", file=path.name)
    if not is_zip(path):
        raise fault("format_mismatch", f"{path.name} is not a zip archive by its content", file=path.name)
    entries, size = _declared(path)
    if entries > MAX_MEMBERS or size > MAX_DIRECTORY_BYTES:
        detail = f"{path.name} lists {entries} files in {size} bytes, the limit is {MAX_MEMBERS} files"
        raise fault("too_many_files", detail, file=path.name, allowed=MAX_MEMBERS)


def _declared(path: Path) -> tuple[int, int]:
    """Number of entries and size of the directory as the end record says, before the directory is read."""
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - 66_000))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise fault("archive_invalid", f"{path.name} has no end record: the file is cut off", file=path.name)
    _, _, _, _, entries, size, _, _ = _END.unpack_from(tail, at)
    at64 = tail.rfind(b"PK\x06\x06", 0, at)
    if tail[max(0, at - 20) :].startswith(b"PK\x06\x07") and 0 <= at64 <= at - _END64.size:  # zip64
        *_, entries, size, _ = _END64.unpack_from(tail, at64)
    return entries, size


def _check_whole(path: Path, found: int) -> None:
    """Raises `archive_invalid` where Python's reader, which goes by the directory's size alone, found too few members.

    Archives of more than 65,535 members that are not zip64 keep the lower 16 bits of their number.
    """
    entries, _ = _declared(path)
    if entries % 2**16 != found % 2**16:
        detail = f"{path.name} says that it lists {entries} files, and lists {found}: its directory is damaged"
        raise fault("archive_invalid", detail, file=path.name)


def _check_member(info: zipfile.ZipInfo) -> None:
    name = info.filename
    shown = repr(name[:120])
    if any(ord(c) < 32 or ord(c) == 127 for c in name) or not name.strip("/"):
        raise fault("path_invalid", f"member {shown} has control characters in its name, or none", file=info.filename)
    path = PurePosixPath(name)
    if name.startswith("/") or ".." in path.parts or name[1:2] == ":":
        raise fault("path_unsafe", f"member {shown} leads out of the archive", file=name)
    if len(path.parts) > MAX_DEPTH or any(len(part.encode()) > MAX_NAME for part in path.parts):
        raise fault("path_invalid", f"member {shown} has too long a name, or is in too many folders", file=name)
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise fault("member_type_unsupported", f"member {shown} is a link or a device, not a file", file=name)
    if info.flag_bits & 0x1:
        raise fault("archive_encrypted", f"member {shown} is encrypted", file=name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        detail = f"member {shown} uses compression {info.compress_type}, accepted are stored and deflate"
        raise fault("compression_unsupported", detail, file=name, allowed=["stored", "deflate"])


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return info.filename.endswith("/")


def _check_repeats(infos: list[zipfile.ZipInfo]) -> None:
    """Raises `path_duplicate` for two equal names. Names that differ in case are two, as on Linux."""
    seen: set[str] = set()
    for info in infos:
        if info.orig_filename in seen:
            raise fault("path_duplicate", f"two members have the name {info.filename!r}", file=info.filename)
        seen.add(info.orig_filename)


def _check_overlap(infos: list[zipfile.ZipInfo], *, archive: str) -> None:
    """Raises for members that share bytes, by which a small archive can expand to a huge one (CVE-2024-0450)."""
    end, before = 0, ""
    for info in sorted(infos, key=lambda i: i.header_offset):
        if info.header_offset < end:
            raise fault("archive_invalid", f"members {before!r} and {info.filename!r} overlap", file=archive)
        end, before = info.header_offset + 30 + info.compress_size, info.filename


def check_not_nested(info: zipfile.ZipInfo) -> InvalidDataset | None:
    """The fault of an archive within the archive, or None."""
    if info.filename.lower().endswith(NESTED):
        return fault("archive_nested", f"{info.filename} is an archive within the archive", file=info.filename)
    return None
