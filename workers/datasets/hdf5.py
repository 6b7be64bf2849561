"""HDF5 files of arrays, .h5 and .hdf5, read by h5py, HDF5's own library for Python; MATLAB's of version 7.3 are such.

Arrays in groups are named with their group, `train/x` as `train_x`; the names mean what they do in a .npz. Only what
lies in the file itself is read: links to other files, data kept in other files and virtual data sets, by which a file
could show others of this machine, are refused, and so are filters that are not HDF5's own.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from workers.datasets import any_arrays
from workers.datasets.archive import ARRAY_RATIO, check_growth
from workers.datasets.graphs import RawGraphs
from workers.datasets.named import NUMBERS
from workers.datasets.raw import MAX_CLASSES, Array, RawDataset, chunks, fault

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MATLAB = b"MATLAB 7.3"
MAX_ARRAYS = 1000
MAX_DEPTH = 8
MAX_TEXTS = 2**20
UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, NotImplementedError, UnicodeDecodeError)
"""What h5py raises for damaged files, by what is damaged."""


def read(source: Path, *, scratch: Path, problem: str | None = None) -> RawDataset | RawGraphs:
    """Raises InvalidDataset. Arrays are copied into `scratch` piece by piece and mapped."""
    os.environ["HDF5_PLUGIN_PATH"] = os.devnull  # no filters from elsewhere
    import h5py

    with source.open("rb") as stream:
        head = stream.read(520)
    if not source.stat().st_size:
        raise fault("file_empty", f"{source.name} has 0 bytes", file=source.name)
    if not head.startswith((SIGNATURE, MATLAB)):
        raise fault("format_mismatch", f"{source.name} is not an HDF5 file by its content", file=source.name)
    matlab = head.startswith(MATLAB)
    try:
        with h5py.File(source, "r") as opened:
            arrays = Hdf5Arrays(opened, source.name, scratch=scratch, reverse=matlab)
            kind = "mat" if matlab else "hdf5"
            return any_arrays.read(arrays, kind=kind, scratch=scratch, last=matlab, problem=problem)
    except UNREADABLE as error:
        detail = (
            f"{source.name} is damaged, or no HDF5 file that can be read: {str(error)[:200] or type(error).__name__}"
        )
        raise fault("hdf5_invalid", detail, file=source.name) from error


class Hdf5Arrays:
    """reverse: MATLAB writes axes in reverse order."""

    def __init__(self, opened: Any, file: str, *, scratch: Path, reverse: bool) -> None:
        self.file, self._scratch, self._reverse = file, scratch, reverse
        self._found = {name.replace("/", "_"): found for name, found in _datasets(opened, file)}
        self.names = tuple(sorted(self._found))

    def read(self, name: str, *, kinds: str = NUMBERS) -> Array:
        import h5py

        found = self._found[name]
        _check_inside(found, name)
        if h5py.check_string_dtype(found.dtype) is not None and found.dtype.hasobject:
            return _texts(found, name, kinds)
        if found.dtype.kind not in kinds or found.dtype.fields is not None or found.dtype.hasobject:
            what = "cells or structures" if found.dtype.hasobject or found.dtype.fields else str(found.dtype)
            texts = ", and texts" if "U" in kinds else ""
            detail = f"{name} holds {what}, accepted are bool, integers and floats of 16, 32 or 64 bits{texts}"
            raise fault("dtype_unsupported", detail, file=name)
        copied = self._copied(found, name)
        return copied.T if self._reverse else copied

    def _copied(self, found: Any, name: str) -> Array:
        shape, size = found.shape, math.prod(found.shape) * found.dtype.itemsize
        if not 1 <= len(shape) <= 6 or min(shape) < 1:
            raise fault("shape_invalid", f"{name} has shape {shape}: 1 to 6 dimensions of at least 1", file=name)
        check_growth(size, found.id.get_storage_size(), file=name, ratio=ARRAY_RATIO)
        target = self._scratch / f"{len(list(self._scratch.iterdir()))}.npy"
        plain = np.dtype(found.dtype.str)  # HDF5's own remarks on a type do not go into a file of NumPy's
        out = np.lib.format.open_memmap(target, mode="w+", dtype=plain, shape=shape)
        if found.chunks and math.prod(found.chunks) * found.dtype.itemsize > 2**28:
            raise fault("array_too_large", f"{name} is kept in chunks of more than {2**28} bytes", file=name)
        for rows in chunks(shape[0], size // shape[0]):
            out[rows] = found[rows]
        return out


def _datasets(opened: Any, file: str) -> Iterator[tuple[str, Any]]:
    """(path, data set) of all that lies in the file, groups first to last. Raises `hdf5_link` for other files' data."""
    import h5py

    waiting, count = [("", opened, 0)], 0
    while waiting:
        prefix, group, depth = waiting.pop()
        for name in group:
            count += 1
            if count > MAX_ARRAYS or depth > MAX_DEPTH:
                detail = f"{file} has more than {MAX_ARRAYS} arrays, or too deep groups"
                raise fault("too_many_arrays", detail, file=file, allowed=MAX_ARRAYS)
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                detail = f"{prefix}{name} in {file} is a link, which is not followed; copy the data into one file"
                raise fault("hdf5_link", detail, file=file)
            found = group[name]
            if isinstance(found, h5py.Group) and not name.startswith("#"):  # "#refs#": MATLAB's cells
                waiting.append((f"{prefix}{name}/", found, depth + 1))
            elif isinstance(found, h5py.Dataset):
                yield prefix + name, found


def _check_inside(found: Any, name: str) -> None:
    if found.is_virtual or found.external:
        detail = f"{name} is kept in other files; copy the data into one file (h5repack)"
        raise fault("hdf5_link", detail, file=name)


def _texts(found: Any, name: str, kinds: str) -> Array:
    """Texts of any length as NumPy's of one length."""
    if "U" not in kinds or found.ndim != 1 or found.shape[0] > MAX_TEXTS:
        detail = f"{name} holds texts of shape {found.shape}, wanted are numbers, or at most {MAX_TEXTS} texts"
        raise fault("dtype_unsupported", detail, file=name)
    texts = [bytes(value) if isinstance(value, bytes) else str(value).encode() for value in found[:].tolist()]
    if max(map(len, texts)) > 1000 or len(set(texts)) > 2 * MAX_CLASSES:
        raise fault("labels_invalid", f"{name} holds long or very many different texts: no classes", file=name)
    return np.array(texts)
