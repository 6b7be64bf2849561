"""A zip archive of pictures in class folders.

    cat/1.png  dog/2.jpg                                     one folder a class, or
    train/cat/1.png  test/cat/7.png  val/dog/3.png           the same below train, test and, if there, val

either of them also below folders that hold everything. Pictures become RGB, or grey when all of them are; they are
turned upright by their EXIF tag; transparency is laid on white; 16-bit greys keep their upper 8 bits. The shorter side
is scaled to `image_size` and the middle is cut out; it defaults to the median shorter side, at most 64 pixels.
"""

import io
import statistics
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from archsmith.errors import Fault, InvalidDataset
from workers.datasets.archive import Archive, check_not_nested, open_archive
from workers.datasets.raw import MAX_SIDE, Array, Labels, Parts, RawDataset, fault

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
OTHER_PICTURES = (".gif", ".tif", ".tiff", ".svg", ".psd", ".eps", ".heic", ".avif", ".ico", ".jp2", ".pdf")
BESIDE = (".txt", ".md", ".csv", ".json", ".xml", ".yaml", ".yml", ".html", ".db", ".ini", ".ds_store", "")
PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
LAYOUT = "CLASS/picture.png, or train/CLASS/picture.png and test/CLASS/picture.png"
MAX_PIXELS = 25_000_000
MAX_FILE_BYTES = 64 * 1024**2
MAX_CORRUPT_SHARE = 0.01
DEFAULT_SIZE = 64
MIN_SIZE = 4
MAX_NAMED = 20
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"BM")
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    zlib.error,
)  # what Pillow raises for damaged files, by its format readers
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Picture:
    """One member with its place in the data set, and (after the headers are read) its (height, width)."""

    member: zipfile.ZipInfo
    part: str
    label: str
    size: tuple[int, int] = (0, 0)


def read(source: Path, *, scratch: Path, image_size: int | None = None) -> RawDataset:
    """image_size: pixels of the stored square, 4 to 512. Raises InvalidDataset that names the files at fault."""
    if image_size is not None and not MIN_SIZE <= image_size <= MAX_SIDE:
        detail = f"image_size must be {MIN_SIZE} to {MAX_SIDE}, got {image_size}"
        raise InvalidDataset(Fault(pointer="/image_size", rule="out_of_range", detail=detail))
    with open_archive(source) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about odd EXIF data and large pictures; limits are checked here
        members, ignored = _pictures_of(archive)
        pictures = _places(members)
        names = tuple(sorted({p.label for p in pictures}))
        if len(names) < 2:
            detail = f"at least 2 class folders are needed, found {len(names)}: {', '.join(names)}"
            raise fault("too_few_classes", detail, file=archive.name, allowed=2)
        corrupt: list[str] = []
        pictures = _each(pictures, lambda p: replace(p, size=_header(archive, p.member)), corrupt)
        side = image_size or _default_size(pictures)
        x, y, parts, files = _decode(archive, pictures, names, side=side, scratch=scratch, corrupt=corrupt)
        empty = _empty_folders(archive, pictures)
    _check_corrupt(corrupt, total=len(members))
    return RawDataset(
        format="images",
        pieces=(x,),
        dtype=x.dtype,
        y=y,
        class_names=names,
        parts=parts,
        warnings=tuple(f"folder {folder} holds no pictures" for folder in empty),
        ignored=tuple(ignored),
        corrupt=tuple(sorted(corrupt)),
        names=files,
        notes={"image_size": side},
    )


def _pictures_of(archive: Archive) -> tuple[list[zipfile.ZipInfo], list[str]]:
    """Members that should be pictures, and the names of those that may lie beside them. All faults at once."""
    pictures: list[zipfile.ZipInfo] = []
    ignored: list[str] = []
    faults: list[Fault] = []
    for member in archive.members:
        path = PurePosixPath(member.filename)
        extension = path.suffix.lower()
        if path.parts[0] == "__MACOSX" or path.name.startswith(".") or extension in BESIDE:
            ignored.append(member.filename)
        elif problem := check_not_nested(member) or _not_a_picture(member, extension):
            faults += problem.faults
        else:
            pictures.append(member)
    if faults:
        raise InvalidDataset(faults[:MAX_NAMED])
    if not pictures:
        detail = f"{archive.name} holds no pictures; wanted is {LAYOUT}"
        raise fault("layout_invalid", detail, file=archive.name, allowed=list(EXTENSIONS))
    return pictures, ignored


def _not_a_picture(member: zipfile.ZipInfo, extension: str) -> InvalidDataset | None:
    if extension not in EXTENSIONS:
        rule = "image_format_unsupported" if extension in OTHER_PICTURES else "file_not_image"
        detail = f"{member.filename} is not a picture of an accepted format: {', '.join(FORMATS)}"
        return fault(rule, detail, file=member.filename, allowed=list(FORMATS))
    if member.file_size > MAX_FILE_BYTES:
        detail = f"{member.filename} has {member.file_size} bytes, the limit for one picture is {MAX_FILE_BYTES}"
        return fault("image_too_large", detail, file=member.filename, allowed=MAX_FILE_BYTES)
    return None


def _places(members: Sequence[zipfile.ZipInfo]) -> list[_Picture]:
    """Reads part and class from the folders. Order: train, val, test, each by name."""
    paths = [PurePosixPath(member.filename).parts for member in members]
    while all(len(p) >= 3 for p in paths) and len({p[0] for p in paths}) == 1:
        paths = [p[1:] for p in paths]
    divided = all(p[0].lower() in PARTS and len(p) == 3 for p in paths)
    pictures = []
    for member, path in zip(members, paths, strict=True):
        if len(path) != (3 if divided else 2):
            detail = f"{member.filename} does not lie in a class folder; wanted is {LAYOUT}"
            raise fault("layout_invalid", detail, file=member.filename, allowed=LAYOUT)
        part = PARTS[path[0].lower()] if divided else "train"
        pictures.append(_Picture(member=member, part=part, label=path[-2]))
    if all(p.part != "train" for p in pictures):
        raise fault("layout_invalid", f"there are no training pictures; wanted is {LAYOUT}", allowed=LAYOUT)
    return sorted(pictures, key=lambda p: (("train", "val", "test").index(p.part), p.member.filename))


def _each(pictures: Iterable[_Picture], work: Callable[[_Picture], _T], corrupt: list[str]) -> list[_T]:
    """work for each picture; unreadable ones go to `corrupt`, other faults are gathered and raised together."""
    results: list[_T] = []
    faults: list[Fault] = []
    for picture in pictures:
        try:
            results.append(work(picture))
        except InvalidDataset as error:
            faults += error.faults
            if len(faults) >= MAX_NAMED:
                break
        except _UNREADABLE:
            corrupt.append(picture.member.filename)
    if faults:
        raise InvalidDataset(faults)
    return results


def _header(archive: Archive, member: zipfile.ZipInfo) -> tuple[int, int]:
    """(height, width), from the header alone. Raises InvalidDataset, or one of _UNREADABLE."""
    picture = _checked(archive.read(member), member.filename)
    return picture.height, picture.width


def _checked(content: bytes, name: str) -> Image.Image:
    """The picture, its pixels still packed. Raises InvalidDataset (none, too large), or one of _UNREADABLE."""
    try:
        picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError:
        raise _too_large(name, "it") from None
    except UnidentifiedImageError:
        if not content or content.startswith(_SIGNATURES):
            raise
        detail = f"{name} is not a picture by its content; accepted are {', '.join(FORMATS)}"
        raise fault("image_format_unsupported", detail, file=name, allowed=list(FORMATS)) from None
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_large(name, f"{picture.width} x {picture.height}")
    if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:  # MPO: a photo with a preview behind it
        raise fault("image_animated", f"{name} is animated; give single pictures", file=name)
    return picture


def decoded(path: Path, *, side: int | None) -> Array:
    """One file as a data set would hold it, (H, W, 3) uint8; side: of the square it is fitted into, None to leave it.

    Raises InvalidDataset.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.stat().st_size > MAX_FILE_BYTES:
                raise _too_large(path.name, "it")
            content = path.read_bytes()
            _checked(content, path.name)
            return _pixels(content, side)[0]
    except _UNREADABLE as error:
        detail = f"{path.name} cannot be read: {type(error).__name__}: {error}"
        raise fault("image_unreadable", detail, file=path.name) from error


def _too_large(name: str, what: str) -> InvalidDataset:
    detail = f"{name}: {what} has more than the limit of {MAX_PIXELS} pixels"
    return fault("image_too_large", detail, file=name, allowed=MAX_PIXELS)


def _default_size(pictures: Sequence[_Picture]) -> int:
    if not pictures:
        return DEFAULT_SIZE
    return max(MIN_SIZE, min(DEFAULT_SIZE, int(statistics.median(min(p.size) for p in pictures))))


def _decode(
    archive: Archive,
    pictures: Sequence[_Picture],
    names: Sequence[str],
    *,
    side: int,
    scratch: Path,
    corrupt: list[str],
) -> tuple[Array, Labels, Parts, tuple[str, ...]]:
    """Pixels (N, C, side, side) uint8 in a scratch file, labels, the row ranges of the parts, and names of files."""
    rows = max(1, len(pictures))
    out = np.lib.format.open_memmap(scratch / "x.npy", mode="w+", dtype=np.uint8, shape=(rows, side, side, 3))
    kept: list[_Picture] = []
    grey = True

    def decode(picture: _Picture) -> None:
        nonlocal grey
        pixels, is_grey = _pixels(archive.read(picture.member), side)
        out[len(kept)] = pixels
        kept.append(picture)
        grey = grey and is_grey

    _each(pictures, decode, corrupt)
    y = np.array([names.index(p.label) for p in kept], dtype=np.int64)
    parts: dict[str, tuple[int, int]] = {}
    for part in dict.fromkeys(p.part for p in kept):
        where = [i for i, p in enumerate(kept) if p.part == part]
        parts[part] = (where[0], where[-1] + 1)
    x = np.moveaxis(out[: len(kept)], 3, 1)
    return (x[:, :1] if grey else x), y, parts, tuple(p.member.filename for p in kept)


def _pixels(content: bytes, side: int | None) -> tuple[Array, bool]:
    """(side, side, 3) uint8, of its own size without a side; and whether the picture is stored in grey."""
    picture: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    if side is not None:
        picture.draft("RGB", (2 * side, 2 * side))  # a large JPEG is decoded at a fraction of its size
    picture.load()
    is_grey = picture.mode in ("1", "L", "LA", "I", "I;16", "I;16B")
    picture = _eight_bits(ImageOps.exif_transpose(picture))
    if side is not None:
        picture = ImageOps.fit(picture, (side, side), method=Image.Resampling.BICUBIC)
    return np.asarray(picture, dtype=np.uint8), is_grey


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Any mode -> RGB of 8 bits; transparent parts are laid on white."""
    if picture.mode.startswith("I"):
        return Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture).convert("RGB")
    return picture.convert("RGB")


def _empty_folders(archive: Archive, pictures: Sequence[_Picture]) -> list[str]:
    full = {str(parent) for p in pictures for parent in PurePosixPath(p.member.filename).parents}
    return [folder for folder in archive.folders if folder not in full and not folder.startswith("__MACOSX")]


def _check_corrupt(corrupt: Sequence[str], *, total: int) -> None:
    """Up to 1 % of damaged pictures are left out and reported; more is a fault of the data set."""
    if len(corrupt) <= MAX_CORRUPT_SHARE * total:
        return
    limit = f"{len(corrupt)} of {total} pictures cannot be read, at most {MAX_CORRUPT_SHARE:.0%} may be damaged"
    named = sorted(corrupt)[:MAX_NAMED]
    raise InvalidDataset(
        [f for name in named for f in fault("image_unreadable", f"{name} cannot be read: {limit}", file=name).faults]
    )
