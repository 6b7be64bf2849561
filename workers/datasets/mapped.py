"""Samples that are too many for every process to have a copy of: they stay in the data set's file, which is mapped.

The pages of a mapped file are in memory once for all processes of a machine, and the kernel drops those that it needs
for something else, so a data set may be larger than the memory. What is sent between processes is the path and the row
numbers. On another node the same path must lead to the file: the state folder is on a shared file system there
(docs/operating.md).
"""

import math
import os
from dataclasses import dataclass
from functools import lru_cache
from mmap import mmap
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archsmith.errors import TrialFailure
from workers.datasets.raw import Array

SHARE = 1 / 16
"""Of the memory that a machine has for each of its processors: a data set with more bytes is mapped.

A training that holds its samples has 2.2 times their bytes (the samples and their padded copy), one on each processor:
a seventh of the memory in all, besides one copy in the object store. With 24 GB and two processors the limit is 0.75
GB, or 61,000 pictures of 64 x 64 in colour; Fashion-MNIST has 0.05, CIFAR-10 0.18 GB.
"""
CGROUP = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MappedRows:
    """Some rows of an array that lies in a file, in C order.

    path, offset: of its first value. dtype, whole: type and shape (M, ...) of the whole array. rows: (N,) int64.
    """

    path: str
    offset: int
    dtype: np.dtype[np.generic]
    whole: tuple[int, ...]
    rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, x: Array, rows: npt.NDArray[np.int64]) -> "MappedRows | None":
        """Of an array that is a view of all of a file; None of any other."""
        if not isinstance(x, np.memmap) or not isinstance(x.base, mmap) or not x.flags.c_contiguous:
            return None  # views of a part have the path and the offset of the whole
        return cls(path=os.path.abspath(x.filename), offset=x.offset, dtype=x.dtype, whole=x.shape, rows=rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.rows), *self.whole[1:]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def file(self) -> Array:
        """All rows of the file, mapped to be read. Raises TrialFailure (`data_missing`) where it is not there."""
        try:
            return _mapped(self.path, os.stat(self.path).st_ino, self.offset, self.dtype, self.whole)
        except (OSError, ValueError) as error:
            why = f"the data set's file {self.path} cannot be read on this node ({error}); "
            why += "all nodes of a cluster need the state folder, on a shared file system"
            raise TrialFailure(why, cause="data_missing") from error

    def read(self, places: slice | npt.NDArray[np.int64] = slice(None)) -> Array:
        """The rows at these places among `rows`, in memory."""
        return np.asarray(self.file()[self.rows[places]])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MappedSplit:
    """As `Split`, with samples that stay in their file. y: (N, ...) in memory."""

    x: MappedRows
    y: Array

    def __len__(self) -> int:
        return len(self.y)


@lru_cache(maxsize=2)
def _mapped(path: str, inode: int, offset: int, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Array:  # noqa: ARG001  # of the key: another file may have the path later
    """One map for all splits of a process, which so count once in its resident memory."""
    return np.memmap(path, dtype, "r", offset=offset, shape=shape)


def memory_limit() -> int:
    """Bytes of samples above which a data set is mapped on a machine like this one."""
    return int(SHARE * memory() / (os.cpu_count() or 1))


def memory() -> int:
    """Bytes of this machine, or of the container that the process is in."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        text = CGROUP.read_text(encoding="ascii").strip()
    except OSError:
        return whole
    return min(whole, int(text)) if text.isdigit() else whole
