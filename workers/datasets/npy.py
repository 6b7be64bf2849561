"""Files of NumPy's, one array each: x_train.npy, y_train.npy, x_test.npy, …; the name of a file is that of its array.

The arrays' names mean what they do in a .npz, see `samples` and `graph`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from workers.datasets import any_arrays
from workers.datasets.archive import is_zip
from workers.datasets.arrays import mapped, open_arrays
from workers.datasets.files import find
from workers.datasets.graphs import RawGraphs
from workers.datasets.named import NUMBERS
from workers.datasets.raw import Array, RawDataset, fault


class _Files:
    """The arrays of several files by their names."""

    def __init__(self, found: Mapping[str, Path]) -> None:
        self._found = {name.removesuffix(".npy"): path for name, path in found.items()}
        self.file = ", ".join(found) if len(found) < 4 else f"{next(iter(found))} and {len(found) - 1} more files"
        self.names = tuple(sorted(self._found))

    def read(self, name: str, *, kinds: str = NUMBERS) -> Array:
        return mapped(self._found[name], kinds=kinds)


def read(
    sources: Sequence[Path], *, scratch: Path, problem: str | None = None, kind: str | None = None
) -> RawDataset | RawGraphs:
    """sources: the files, their folder, or one zip archive of them. kind: what the samples are, of `SAMPLE_KINDS`.

    Raises InvalidDataset.
    """
    if len(sources) == 1 and sources[0].is_file() and is_zip(sources[0]):
        with open_arrays(sources[0], scratch=scratch) as arrays:
            return any_arrays.read(
                arrays, kind="npy", scratch=scratch, problem=problem, asked=kind, ignored=arrays.others
            )
    found, ignored = find(sources, lambda name: name.endswith(".npy"), scratch=scratch)
    if not found:
        detail = f"there is no .npy file, only {', '.join(ignored[:20]) or 'nothing'}; wanted are x.npy and y.npy, or "
        raise fault("file_missing", f"{detail}x_train.npy, y_train.npy, x_test.npy and y_test.npy")
    files = _Files(found)
    return any_arrays.read(files, kind="npy", scratch=scratch, ignored=ignored, problem=problem, asked=kind)
