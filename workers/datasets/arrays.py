"""Arrays of NumPy: of archives, and of files of one. Headers are checked before anything is allocated; no pickles."""

import math
import tokenize
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from archsmith.errors import InvalidDataset
from workers.datasets.archive import (
    ARRAY_RATIO,
    MAX_STORED,
    Archive,
    check_growth,
    check_not_nested,
    open_archive,
)
from workers.datasets.raw import Array, fault

_PIECE = 1024**2
_TEXT_BYTES = 4096
"""Of one text: a longer one is no name of a class."""


class Arrays:
    """An opened NumPy archive. names: its arrays, in order. others: members that are no arrays."""

    def __init__(self, archive: Archive, *, scratch: Path) -> None:
        self.file = archive.name
        self._archive, self._scratch = archive, scratch
        self._members = _members(archive)
        self.names = tuple(sorted(self._members))
        self.others = tuple(
            info.filename
            for info in archive.members
            if not info.filename.endswith(".npy") and not info.filename.startswith("__MACOSX/")
        )

    def read(self, name: str, *, kinds: str = "biuf") -> Array:
        """The array as a mapped file. Raises for a header that asks for more than there is, or for other types."""
        return _array(self._archive, self._members[name], scratch=self._scratch, kinds=kinds)


@contextmanager
def open_arrays(source: Path, *, scratch: Path) -> Iterator[Arrays]:
    """Raises InvalidDataset. Arrays are unpacked into `scratch` and mapped, not held in memory."""
    with _opened(source) as archive:
        yield Arrays(archive, scratch=scratch)


@contextmanager
def _opened(source: Path) -> Iterator[Archive]:
    try:
        with open_archive(source, ratio=ARRAY_RATIO) as archive:
            yield archive
    except InvalidDataset as error:
        if {found.rule for found in error.faults} != {"path_duplicate"}:
            raise
        detail = (
            f"{source.name} holds two arrays whose names differ in upper and lower case only, such as x and X: which"
        )
        raise fault(
            "array_duplicate", f"{detail} of them is meant cannot be told; keep one", file=source.name
        ) from error


def _members(archive: Archive) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.members:
        if info.filename.startswith("__MACOSX/"):
            continue
        if problem := check_not_nested(info):
            raise problem
        if info.filename.endswith(".npy"):
            members[info.filename.removesuffix(".npy")] = info
    while members and all("/" in name for name in members) and len({name.split("/")[0] for name in members}) == 1:
        members = {name.split("/", 1)[1]: info for name, info in members.items()}  # a folder that holds everything
    if not members:
        detail = f"{archive.name} is a zip archive without NumPy arrays; is it an archive of images?"
        raise fault("format_mismatch", detail, file=archive.name)
    return members


def _array(archive: Archive, member: zipfile.ZipInfo, *, scratch: Path, kinds: str) -> Array:
    file = member.filename.removesuffix(".npy")
    with archive.stream(member) as stream:
        shape, fortran, dtype = _header(stream, file=file)
        _check_type(dtype, kinds, file=file)
        size = _checked_size(shape, dtype, file=file)
        if stream.tell() + size != member.file_size:
            held = member.file_size - stream.tell()
            detail = f"{file} declares {shape} {dtype}, which is {size} bytes, but holds {held}"
            raise fault("array_truncated", detail, file=file)
        check_growth(size, member.compress_size, file=file, ratio=ARRAY_RATIO)
        target = scratch / f"{len(list(scratch.iterdir()))}.bin"
        with target.open("wb") as out:
            while piece := stream.read(_PIECE):
                out.write(piece)
    return np.memmap(target, dtype=dtype, mode="r", shape=shape, order="F" if fortran else "C")


def mapped(path: Path, *, kinds: str) -> Array:
    """The array of a file of NumPy's, .npy, as a view of it. Raises as `Arrays.read`."""
    with path.open("rb") as stream:
        shape, fortran, dtype = _header(stream, file=path.name)
        _check_type(dtype, kinds, file=path.name)
        size, start, held = _checked_size(shape, dtype, file=path.name), stream.tell(), path.stat().st_size
    if start + size != held:
        detail = f"{path.name} declares {shape} {dtype}, which is {size} bytes, but holds {held - start}"
        raise fault("array_truncated", detail, file=path.name)
    return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="F" if fortran else "C")


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
        detail = f"{file} holds Python objects (a pickle), which are never read; save plain numbers, or texts as str"
        raise fault("npz_object_array", detail, file=file)
    longest = _TEXT_BYTES if dtype.kind in "US" else 8
    if dtype.kind not in kinds or dtype.fields is not None or dtype.itemsize > longest:
        texts = ", and texts" if "U" in kinds else ""
        detail = f"{file} holds {dtype}, accepted are bool, integers and floats of 16, 32 or 64 bits{texts}"
        raise fault("dtype_unsupported", detail, file=file)


def _checked_size(shape: tuple[int, ...], dtype: np.dtype[Any], *, file: str) -> int:
    if not 1 <= len(shape) <= 6 or min(shape) < 1:
        raise fault("shape_invalid", f"{file} has shape {shape}: 1 to 6 dimensions of at least 1", file=file)
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_STORED or max(shape) > 2**40:
        detail = f"{file} declares {shape} {dtype}: more than {MAX_STORED} bytes"
        raise fault("array_too_large", detail, file=file, allowed=MAX_STORED)
    return size
