"""NumPy archives of images and labels. Headers are checked before anything is allocated; nothing is ever unpickled.

Accepted names: `x` and `y`; `x_train`, `y_train` with `x_test`, `y_test` and, if there, `x_val`, `y_val`; the way of
MedMNIST, `train_images`, `train_labels`, `val_images`, …; optionally `class_names`, an array of texts.
"""

import math
import tokenize
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from workers.datasets.archive import MAX_BYTES, Archive, check_growth, check_not_nested, open_archive
from workers.datasets.raw import (
    MAX_CLASSES,
    Array,
    Labels,
    RawDataset,
    as_images,
    as_labels,
    check_lengths,
    common_dtype,
    fault,
    stack_parts,
)

IMAGES = {
    "train": ("x", "X", "images", "data", "x_train", "X_train", "train_x", "train_images"),
    "val": ("x_val", "X_val", "val_x", "val_images", "x_valid", "X_valid"),
    "test": ("x_test", "X_test", "test_x", "test_images"),
}
LABELS = {
    "train": ("y", "Y", "labels", "targets", "y_train", "Y_train", "train_y", "train_labels"),
    "val": ("y_val", "Y_val", "val_y", "val_labels", "y_valid", "Y_valid"),
    "test": ("y_test", "Y_test", "test_y", "test_labels"),
}
CLASS_NAMES = "class_names"
_PIECE = 1024**2


def read(source: Path, *, scratch: Path) -> RawDataset:
    """Raises InvalidDataset. Large arrays are unpacked into `scratch` and mapped, not held in memory."""
    with open_archive(source) as archive:
        members = _members(archive)
        pairs = _pairs(members, archive=archive.name)
        found = {part: _pair(archive, members, *names, scratch=scratch) for part, names in pairs.items()}
        used = {name for names in pairs.values() for name in names}
        texts = _class_names(archive, members, scratch=scratch)
        ignored = tuple(sorted(members.keys() - used - {CLASS_NAMES}))
    pieces, y, parts = stack_parts(found, file=source.name)
    names = texts or tuple(str(i) for i in range(int(y.max()) + 1))
    if len(names) <= int(y.max()):
        detail = f"{CLASS_NAMES} holds {len(names)} names, the labels go up to {int(y.max())}"
        raise fault("labels_invalid", detail, file=CLASS_NAMES)
    dtype = common_dtype(pieces, file=source.name)
    return RawDataset(format="npz", pieces=pieces, dtype=dtype, y=y, class_names=names, parts=parts, ignored=ignored)


def _members(archive: Archive) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.members:
        if problem := check_not_nested(info):
            raise problem
        if info.filename.endswith(".npy"):
            members[info.filename.removesuffix(".npy")] = info
    if not members:
        detail = f"{archive.name} is a zip archive without NumPy arrays; is it an archive of images?"
        raise fault("format_mismatch", detail, file=archive.name)
    return members


def _pairs(members: Mapping[str, Any], *, archive: str) -> dict[str, tuple[str, str]]:
    """The names of (images, labels) per part."""
    pairs = {}
    for part, x_names in IMAGES.items():
        x, y = (_one_of(names, members, archive=archive) for names in (x_names, LABELS[part]))
        if x and y:
            pairs[part] = (x, y)
        elif x or y or part == "train":
            wanted = LABELS[part] if x else x_names
            there = ", ".join(sorted(members)[:20])
            detail = f"{archive} needs an array named one of {', '.join(wanted)}; it holds {there}"
            raise fault("array_missing", detail, file=archive, allowed=list(wanted))
    return pairs


def _one_of(names: Sequence[str], members: Mapping[str, Any], *, archive: str) -> str | None:
    present = [name for name in names if name in members]
    if len(present) > 1:
        detail = f"{archive} holds the same thing twice: {', '.join(present)}; keep one of them"
        raise fault("array_duplicate", detail, file=archive)
    return present[0] if present else None


def _pair(
    archive: Archive, members: Mapping[str, zipfile.ZipInfo], x_name: str, y_name: str, *, scratch: Path
) -> tuple[Array, Labels]:
    x = as_images(_array(archive, members[x_name], scratch=scratch), file=x_name)
    y = as_labels(_array(archive, members[y_name], scratch=scratch), file=y_name)
    check_lengths(x, y, file=y_name, against=x_name)
    return x, y


def _class_names(archive: Archive, members: Mapping[str, zipfile.ZipInfo], *, scratch: Path) -> tuple[str, ...]:
    if CLASS_NAMES not in members:
        return ()
    names = _array(archive, members[CLASS_NAMES], scratch=scratch, kinds="U")
    texts = tuple(str(name)[:100] for name in names[:MAX_CLASSES]) if names.ndim == 1 else ()
    if not texts or len(set(texts)) != len(texts):
        raise fault("labels_invalid", f"{CLASS_NAMES} must be a list of different texts", file=CLASS_NAMES)
    return texts


def _array(archive: Archive, member: zipfile.ZipInfo, *, scratch: Path, kinds: str = "biuf") -> Array:
    """The member as a mapped file. Raises for a header that asks for more than there is, or for other types."""
    file = member.filename.removesuffix(".npy")
    with archive.stream(member) as stream:
        shape, fortran, dtype = _header(stream, file=file)
        _check_type(dtype, kinds, file=file)
        size = _checked_size(shape, dtype, file=file)
        if stream.tell() + size != member.file_size:
            held = member.file_size - stream.tell()
            detail = f"{file} declares {shape} {dtype}, which is {size} bytes, but holds {held}"
            raise fault("array_truncated", detail, file=file)
        check_growth(size, member.compress_size, file=file)
        target = scratch / f"{len(list(scratch.iterdir()))}.bin"
        with target.open("wb") as out:
            while piece := stream.read(_PIECE):
                out.write(piece)
    return np.memmap(target, dtype=dtype, mode="r", shape=shape, order="F" if fortran else "C")


def _header(stream: IO[bytes], *, file: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """NumPy parses it as a literal of at most 10,000 characters; no code in it can run."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers written by Python 2
            version = np.lib.format.read_magic(stream)
            return readers[version](stream, max_header_size=10_000)
    except KeyError:
        raise fault("npz_header_invalid", f"{file} has an array header of an unknown version", file=file) from None
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError) as error:
        detail = f"{file} has no readable array header: {str(error).splitlines()[0][:200]}"
        raise fault("npz_header_invalid", detail, file=file) from error


def _check_type(dtype: np.dtype[Any], kinds: str, *, file: str) -> None:
    if dtype.hasobject:
        detail = f"{file} holds Python objects (a pickle), which are never read; save plain numbers"
        raise fault("npz_object_array", detail, file=file)
    if dtype.kind not in kinds or dtype.fields is not None or (dtype.kind != "U" and dtype.itemsize > 8):
        detail = f"{file} holds {dtype}, accepted are bool, integers and floats of 16, 32 or 64 bits"
        raise fault("dtype_unsupported", detail, file=file)


def _checked_size(shape: tuple[int, ...], dtype: np.dtype[Any], *, file: str) -> int:
    if not 1 <= len(shape) <= 6 or min(shape) < 1:
        raise fault("shape_invalid", f"{file} has shape {shape}: 1 to 6 dimensions of at least 1", file=file)
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES or max(shape) > 2**40:
        detail = f"{file} declares {shape} {dtype}: more than {MAX_BYTES} bytes"
        raise fault("array_too_large", detail, file=file, allowed=MAX_BYTES)
    return size
