"""IDX files, the format of the MNIST family: images and labels in separate files, gzip or plain.

A header is two zero bytes, a type byte, the number of dimensions, and each dimension as a big-endian 32-bit number.
`train-images-idx3-ubyte.gz` goes with `train-labels-…`; a `t10k-` or `test-` pair is kept as the test split, a `val-`
one as the validation split. Any other pair of names with "images" and "labels" in them does as well. EMNIST keeps its
pictures with rows and columns exchanged; `transpose` puts them upright.
"""

import math
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workers.datasets.archive import MAX_BYTES, check_growth, is_zip, open_archive
from workers.datasets.axes import as_samples
from workers.datasets.given_answers import as_answers
from workers.datasets.raw import (
    Array,
    RawDataset,
    check_lengths,
    common_dtype,
    fault,
    stack_parts,
)
from workers.datasets.scale import scale_warnings

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
WANTED = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-…", "t10k-labels-…"]
_KINDS = {"images": re.compile(r"images|idx[34]"), "labels": re.compile(r"labels|idx1")}
_PARTS = {"test": re.compile(r"t10k|test"), "val": re.compile(r"val")}
_PIECE = 1024**2
EMNIST_CLASSES = (10, 26, 37, 47, 62)
"""Of its sets digits and MNIST, letters, letters with blanks between, balanced and bymerge, byclass."""


def read(sources: Sequence[Path], *, scratch: Path, transpose: bool = False, problem: str | None = None) -> RawDataset:
    """sources: a folder, one zip archive of the files, or the files. Raises InvalidDataset.

    transpose: whether rows and columns of the pictures are exchanged. problem: the option.
    """
    roles, ignored = _roles(_files(sources, scratch=scratch))
    given = {part: _pair(roles, part, scratch=scratch) for part in sorted({part for part, _ in roles})}
    if "train" not in given:
        raise fault("images_missing", f"there are no training files, only {', '.join(given)}", allowed=WANTED)
    files = {part: roles[part, "images"].name for part in given}
    labels = {part: roles[part, "labels"].name for part in given}
    classes = as_answers({part: y for part, (_, y) in given.items()}, files=labels, asked=problem)
    remarks = [*classes.warnings, *_exchanged(files["train"], len(classes.names), transpose)]
    found: dict[str, tuple[Array, Array]] = {}
    for part, (x, _) in given.items():
        check_lengths(x, classes.y[part], file=roles[part, "labels"].name, against=files[part])
        samples, said = as_samples(x, file=files[part])
        found[part] = (samples.swapaxes(-1, -2) if transpose else samples, classes.y[part])
        remarks += said
    pieces, y, parts = stack_parts(found, file=files["train"])
    return RawDataset(
        format="idx",
        pieces=pieces,
        dtype=common_dtype(pieces, file=files["train"]),
        y=y,
        class_names=classes.names,
        problem=classes.problem,
        parts=parts,
        warnings=(*dict.fromkeys(remarks), *scale_warnings({part: x for part, (x, _) in found.items()}, files)),
        ignored=ignored,
        notes={"transposed": True} if transpose else {},
    )


def pictures(path: Path, *, scratch: Path, transpose: bool = False) -> Array:
    """One file of images as (N, C, H, W), without its labels; transpose: as for `read`. Raises InvalidDataset."""
    x = _array(path, scratch=scratch)
    if x.ndim == 1:
        raise fault("images_missing", f"{path.name} holds labels; give the file of images", file=path.name)
    samples, _ = as_samples(x, file=path.name)
    return samples.swapaxes(-1, -2) if transpose else samples


def _exchanged(file: str, classes: int, transpose: bool) -> tuple[str, ...]:
    """What is said of a set that looks like one of EMNIST's (Cohen et al. 2017, arXiv 1702.05373)."""
    if transpose or "emnist" not in file.lower() or classes not in EMNIST_CLASSES:
        return ()
    told = "looks like EMNIST, whose pictures lie on their side; upload with transpose (--transpose) rights them"
    return (f"{file} {told}",)


def _files(sources: Sequence[Path], *, scratch: Path) -> list[Path]:
    if len(sources) == 1 and sources[0].is_dir():
        return sorted(path for path in sources[0].iterdir() if path.is_file())
    if len(sources) == 1 and sources[0].is_file() and is_zip(sources[0]):
        return _unpacked(sources[0], scratch=scratch)
    for path in sources:
        if not path.is_file():
            raise fault("file_missing", f"there is no file {path.name}", file=path.name)
    return list(sources)


def _unpacked(source: Path, *, scratch: Path) -> list[Path]:
    """The archive's files by their last name, each in a folder of its own so that none can meet another."""
    files = []
    with open_archive(source) as archive:
        for number, member in enumerate(archive.members):
            name = member.filename.rsplit("/", 1)[-1]
            if any(kind.search(name.lower()) for kind in _KINDS.values()) and not member.filename.startswith(
                "__MACOSX"
            ):
                target = scratch / str(number) / name
                target.parent.mkdir()
                archive.extract(member, target)
                files.append(target)
    return files


def _roles(files: Sequence[Path]) -> tuple[dict[tuple[str, str], Path], tuple[str, ...]]:
    """(part, "images" | "labels") -> file, and the names of the files that are neither."""
    roles: dict[tuple[str, str], Path] = {}
    ignored = []
    for path in files:
        name = path.name.lower()
        kind = next((k for k, pattern in _KINDS.items() if pattern.search(name)), None)
        if kind is None:
            ignored.append(path.name)
            continue
        part = next((p for p, pattern in _PARTS.items() if pattern.search(name)), "train")
        if (part, kind) in roles:
            detail = f"{roles[part, kind].name} and {path.name} are both {kind} of the {part} split"
            raise fault("file_duplicate", detail, file=path.name)
        roles[part, kind] = path
    if not roles:
        raise fault("images_missing", "no file has the name of an IDX file", allowed=WANTED)
    return roles, tuple(ignored)


def _pair(roles: dict[tuple[str, str], Path], part: str, *, scratch: Path) -> tuple[Array, Array]:
    """Samples and labels as they are in the files."""
    for kind, other in (("images", "labels"), ("labels", "images")):
        if (part, kind) not in roles:
            lonely = roles[part, other].name
            raise fault(f"{kind}_missing", f"{lonely} has no file of {kind} beside it", file=lonely, allowed=WANTED)
    images, labels = roles[part, "images"], roles[part, "labels"]
    x = _array(images, scratch=scratch)
    if x.ndim not in (3, 4):
        detail = f"{images.name} has {x.ndim} dimensions, images have 3 or 4"
        raise fault("idx_header_invalid", detail, file=images.name, allowed=[3, 4])
    y = _array(labels, scratch=scratch)
    if y.ndim != 1:
        detail = f"{labels.name} has {y.ndim} dimensions, labels have 1; are the two files exchanged?"
        raise fault("idx_header_invalid", detail, file=labels.name, allowed=[1])
    return x, y


def _array(path: Path, *, scratch: Path) -> Array:
    """A mapped view of one IDX file. Raises when header and body do not agree."""
    plain = _gunzip(path, scratch / f"{path.name}.idx") if _is_gzip(path) else path
    length = plain.stat().st_size
    if length == 0:
        raise fault("file_empty", f"{path.name} has 0 bytes", file=path.name)
    with plain.open("rb") as file:
        head = file.read(4)
        kind, dimensions = (head[2], head[3]) if len(head) == 4 else (0, 0)
        if head[:2] != b"\0\0" or kind not in TYPES or not 1 <= dimensions <= 4:
            detail = (
                f"{path.name} does not begin like an IDX file (00 00, type 08 to 0E, 1 to 4 dimensions): {head.hex()}"
            )
            raise fault("idx_header_invalid", detail, file=path.name)
        sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise fault("array_truncated", f"{path.name} ends within its header", file=path.name)
    shape = struct.unpack(f">{dimensions}I", sizes)
    _check_length(path, shape, np.dtype(TYPES[kind]), length - 4 - len(sizes))
    return np.memmap(plain, dtype=TYPES[kind], mode="r", offset=4 + len(sizes), shape=shape)


def _check_length(path: Path, shape: tuple[int, ...], dtype: np.dtype[np.generic], held: int) -> None:
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > MAX_BYTES:
        detail = f"{path.name} declares {shape}: more than {MAX_BYTES} bytes"
        raise fault("array_too_large", detail, file=path.name, allowed=MAX_BYTES)
    if wanted == 0:
        raise fault("shape_invalid", f"{path.name} declares {shape}: nothing", file=path.name)
    if held != wanted:
        rule = "array_truncated" if held < wanted else "trailing_bytes"
        raise fault(rule, f"{path.name} declares {shape}, {wanted} bytes, but holds {held}", file=path.name)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _gunzip(path: Path, target: Path) -> Path:
    """Inflates one gzip member, counting. Raises `gzip_invalid`, `expands_too_much`."""
    inflater = zlib.decompressobj(wbits=31)
    compressed, written = path.stat().st_size, 0
    try:
        with path.open("rb") as file, target.open("wb") as out:
            while not inflater.eof and (piece := inflater.unconsumed_tail or file.read(_PIECE)):
                plain = inflater.decompress(piece, _PIECE)
                written += len(plain)
                check_growth(written, compressed, file=path.name)
                out.write(plain)
            rest = inflater.unused_data or file.read(1)
    except zlib.error as error:
        raise fault("gzip_invalid", f"{path.name} is damaged: {error}", file=path.name) from error
    if not inflater.eof or rest:
        problem = "has bytes after its end" if rest else "is cut off"
        raise fault("gzip_invalid", f"{path.name} {problem}: it should be one whole gzip stream", file=path.name)
    return target
