"""What the files of a data set of pictures are, by their content: pictures, things beside them, and faults."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from archsmith import formats
from archsmith.errors import Fault, InvalidDataset
from workers.datasets import pixels
from workers.datasets.archive import NESTED
from workers.datasets.picture_files import Entry, Files
from workers.datasets.pixels import FORMATS, MAX_FILE_BYTES, UNREADABLE, Header
from workers.datasets.raw import fault

BESIDE = frozenset((
    ".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".html", ".htm", ".db",
    ".ini", ".log", ".py", ".ipynb", ".names", ".data", ".cfg", ".url", ".pdf", ".doc", ".docx", ".xls",
    ".xlsx", ".sha256", ".md5",
))  # fmt: skip
"""Endings of files that may lie beside pictures."""
PICTURE_ENDINGS = frozenset((
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff",
    ".svg", ".psd", ".eps", ".heic", ".heif", ".avif", ".ico", ".jp2",
))  # fmt: skip
NIFTI = (".nii", ".nii.gz")
_OTHER_DATA = {
    ".dcm": "DICOM files are not read; export them as PNG or TIFF of 16 bits",
    ".npy": "arrays are of the format npz: stack them, and save x and y by numpy.savez_compressed",
    ".npz": "arrays are of the format npz: stack them, and save x and y by numpy.savez_compressed",
    ".pkl": "Python pickles are never opened; save pictures as PNG",
    ".pt": "Python pickles are never opened; save pictures as PNG",
    ".pth": "Python pickles are never opened; save pictures as PNG",
}
MAX_NAMED = 20
FEW_FILES = 3
FEW_SHARE = 0.01
"""Fewer damaged files than the greater of these are left out and named; more are a fault of the data set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bad:
    """A file that should be a picture and is none that can be read. damaged: by its content, else of another kind."""

    name: str
    rule: str
    detail: str
    damaged: bool

    @property
    def faults(self) -> tuple[Fault, ...]:
        return fault(self.rule, self.detail, file=self.name, allowed=list(FORMATS)).faults


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """pictures with their headers. beside: files that are no pictures. ignored: names of hidden ones and those."""

    pictures: tuple[Entry, ...]
    headers: tuple[Header, ...]
    beside: tuple[Entry, ...]
    ignored: tuple[str, ...]
    bad: tuple[Bad, ...]


Map = Callable[[Callable[[Entry], Any], Sequence[Entry]], Iterator[Any]]


def survey(files: Files, each: Map) -> Survey:
    """each: applies a function to every entry, in order. Raises InvalidDataset for archives within the archive."""
    shown = [entry for entry in files.entries if not entry.hidden]
    beside = [entry for entry in shown if entry.suffix in BESIDE]
    asked = [entry for entry in shown if entry.suffix not in BESIDE]
    if faults := [f for entry in asked if (found := _other_format(entry)) for f in found.faults]:
        raise InvalidDataset(faults[:MAX_NAMED])
    pictures, headers, bad = [], [], []
    for entry, found in zip(asked, each(lambda entry: probe(files, entry), asked), strict=True):
        if isinstance(found, Header):
            pictures.append(entry)
            headers.append(found)
        elif isinstance(found, Bad):
            bad.append(found)
        else:
            beside.append(entry)
    others = {entry.name for entry in beside}
    return Survey(
        pictures=tuple(pictures),
        headers=tuple(headers),
        beside=tuple(beside),
        ignored=tuple(entry.name for entry in files.entries if entry.hidden or entry.name in others),
        bad=tuple(bad),
    )


def _other_format(entry: Entry) -> InvalidDataset | None:
    name = entry.parts[-1].lower()
    if name.endswith(NIFTI):
        how = "are of the format nifti" if "nifti" in formats.FORMATS else "are not read; save the volumes as npz"
        return fault("format_mismatch", f"{entry.name} is a NIfTI volume: these {how}", file=entry.name)
    if entry.suffix in _OTHER_DATA:
        return fault("file_not_image", f"{entry.name} is no picture: {_OTHER_DATA[entry.suffix]}", file=entry.name)
    if name.endswith(NESTED):
        return fault("archive_nested", f"{entry.name} is an archive within the archive", file=entry.name)
    return None


def probe(files: Files, entry: Entry) -> Header | Bad | None:
    """None for a file without an ending that is no picture."""
    if entry.size > MAX_FILE_BYTES:
        detail = f"{entry.name} has {entry.size} bytes, the limit for one picture is {MAX_FILE_BYTES}"
        return Bad(name=entry.name, rule="image_too_large", detail=detail, damaged=False)
    try:
        head = files.head(entry, pixels.HEAD_BYTES)
        return _header(files, entry, head) if pixels.is_picture(head) else _no_picture(entry, head)
    except InvalidDataset as error:
        return refused(entry, error)
    except UNREADABLE as error:
        return unreadable(entry, error)


def _header(files: Files, entry: Entry, head: bytes) -> Header:
    """Of the file's beginning, where that is enough: frames and pages may lie anywhere."""
    if len(head) < entry.size and head.startswith((b"\x89PNG", b"\xff\xd8")):
        try:
            return pixels.header(head, entry.name)
        except UNREADABLE:
            pass  # much of other things before the picture: read all of it
    return pixels.header(head if len(head) == entry.size else files.read(entry), entry.name)


def _no_picture(entry: Entry, head: bytes) -> Bad | None:
    other = pixels.other_format(head)
    if other:
        detail = f"{entry.name} is a picture of the format {other}; accepted are {', '.join(FORMATS)}: convert it"
        return Bad(name=entry.name, rule="image_format_unsupported", detail=detail, damaged=False)
    if entry.suffix in PICTURE_ENDINGS:
        what = "is empty" if not entry.size else "is not a picture by its content"
        detail = f"{entry.name} {what}; accepted are {', '.join(FORMATS)}"
        return Bad(name=entry.name, rule="image_unreadable", detail=detail, damaged=True)
    if not entry.suffix:
        return None
    detail = f"{entry.name} is no picture by its content; accepted are {', '.join(FORMATS)}"
    return Bad(name=entry.name, rule="file_not_image", detail=detail, damaged=False)


def refused(entry: Entry, error: InvalidDataset) -> Bad:
    """Of one file. Raises the error again if it is the archive that lies."""
    fault = error.faults[0]
    damaged = fault.rule == "archive_invalid"
    if damaged and not (isinstance(error.__cause__, zlib.error) or "CRC" in str(error.__cause__)):
        raise error
    return Bad(name=entry.name, rule=fault.rule, detail=fault.detail, damaged=damaged)


def unreadable(entry: Entry, error: Exception) -> Bad:
    why = str(error).replace("<_io.BytesIO object", "the file <")
    why = "its header cannot be read" if "cannot identify image file" in why else why
    return Bad(name=entry.name, rule="image_unreadable", detail=f"{entry.name} is damaged: {why}", damaged=True)


def few(count: int, total: int) -> bool:
    return count < max(FEW_FILES, FEW_SHARE * total)


def check_bad(bad: Sequence[Bad], *, total: int) -> None:
    """Raises InvalidDataset with each file at fault where they are not few."""
    if few(len(bad), total):
        return
    least = max(FEW_FILES, FEW_SHARE * total)
    more = f" ({len(bad)} of {total} files cannot be used; fewer than {least:.0f} would be left out)"
    faults = [
        Fault(pointer=f.pointer, rule=f.rule, detail=f.detail + more, allowed=f.allowed)
        for one in sorted(bad, key=lambda one: one.name)[:MAX_NAMED]
        for f in one.faults
    ]
    raise InvalidDataset(faults)


def told(bad: Sequence[Bad]) -> tuple[str, ...]:
    """One warning for each file that was left out, all of them if they are few."""
    return tuple(f"left out: {one.detail}" for one in sorted(bad, key=lambda one: one.name)[:MAX_NAMED])
