"""MATLAB files of arrays: version 4 to 7.2 by scipy.io, 7.3, which is HDF5, by h5py.

The arrays' names mean what they do in a .npz. MATLAB has samples often along the last axis, `X` (32, 32, 3, N) of SVHN;
where the labels tell that, it is read so and said. Cells of texts are texts; structures and other cells are not read.
"""

import math
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from workers.datasets import any_arrays, hdf5, mat_tags
from workers.datasets.archive import ARRAY_RATIO, check_growth
from workers.datasets.graphs import RawGraphs
from workers.datasets.named import NUMBERS
from workers.datasets.raw import Array, RawDataset, fault

MAX_HELD = 1024**3
"""Of one array: scipy reads it as a whole. Larger ones can be saved as version 7.3."""
_SIZES = {"double": 8, "single": 4, "int64": 8, "uint64": 8, "int32": 4, "uint32": 4, "int16": 2, "uint16": 2}
_PYTHONS = (OSError, ValueError, TypeError, EOFError, KeyError, IndexError, NotImplementedError, OverflowError)
_UNREADABLE = (*_PYTHONS, zlib.error, MemoryError, UnicodeDecodeError)
"""What scipy raises for damaged files, by what is damaged."""


def read(source: Path, *, scratch: Path, problem: str | None = None, kind: str | None = None) -> RawDataset | RawGraphs:
    """kind: what the samples are, of `SAMPLE_KINDS`. Raises InvalidDataset."""
    if not source.stat().st_size:
        raise fault("file_empty", f"{source.name} has 0 bytes", file=source.name)
    with source.open("rb") as stream:
        if stream.read(len(hdf5.MATLAB)) == hdf5.MATLAB:
            return hdf5.read(source, scratch=scratch, problem=problem, kind=kind)
    arrays = _MatArrays(source, scratch=scratch)
    return any_arrays.read(arrays, kind="mat", scratch=scratch, last=True, problem=problem, asked=kind)


class _MatArrays:
    """Arrays are read when they are asked for, each once, and kept as files."""

    def __init__(self, source: Path, *, scratch: Path) -> None:
        self.file, self._source, self._scratch = source.name, source, scratch
        import scipy.io
        from scipy.io.matlab import MatReadError

        try:
            mat_tags.check(source)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                listed = scipy.io.whosmat(source)
        except (MatReadError, *_UNREADABLE) as error:
            raise _damaged(source, error) from error
        self._shapes: dict[str, tuple[tuple[int, ...], str]] = {name: (shape, kind) for name, shape, kind in listed}
        self.names = tuple(sorted(self._shapes))

    def read(self, name: str, *, kinds: str = NUMBERS) -> Array:
        import scipy.io
        from scipy.io.matlab import MatReadError

        shape, kind = self._shapes[name]
        size = math.prod(shape) * _SIZES.get(kind, 1)
        if size > MAX_HELD:
            detail = f"{name} has {size} bytes, the limit is {MAX_HELD}; save it with -v7.3"
            raise fault("array_too_large", detail, file=name, allowed=MAX_HELD)
        check_growth(size, self._source.stat().st_size, file=name, ratio=ARRAY_RATIO)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = scipy.io.loadmat(self._source, variable_names=[name], verify_compressed_data_integrity=True)
            values = _plain(found[name])
        except (MatReadError, *_UNREADABLE) as error:
            raise _damaged(self._source, error) from error
        if values is None or values.dtype.kind not in kinds or not values.size:
            detail = f"{name} holds {kind} {shape}, accepted are full arrays of numbers" + ", texts" * ("U" in kinds)
            raise fault("dtype_unsupported", detail, file=name)
        if values.dtype.kind in "US":
            return values
        target = self._scratch / f"{len(list(self._scratch.iterdir()))}.npy"
        np.save(target, values, allow_pickle=False)
        return np.asarray(np.load(target, mmap_mode="r", allow_pickle=False))


def _plain(found: Any) -> Array | None:
    """Numbers as they are; cells that hold one text each, and rows of characters, as texts (N,); None for others."""
    if not isinstance(found, np.ndarray) or found.dtype.fields is not None:
        return None
    if found.dtype.kind == "O":
        cells = [np.asarray(cell) for cell in found.reshape(-1).tolist()]
        if all(cell.dtype.kind == "U" and cell.size == 1 for cell in cells):
            return np.array([str(cell.reshape(-1)[0]) for cell in cells])
        return None
    return found


def _damaged(source: Path, error: Exception) -> Exception:
    detail = f"{source.name} is damaged, or no MATLAB file: {str(error)[:200] or type(error).__name__}"
    return fault("mat_invalid", detail, file=source.name)
