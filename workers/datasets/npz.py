"""NumPy archives: of samples and labels, see `samples`; of a graph where there are edges, see `graph`."""

from pathlib import Path

from workers.datasets import any_arrays
from workers.datasets.arrays import open_arrays
from workers.datasets.graphs import RawGraphs
from workers.datasets.raw import RawDataset


def read(source: Path, *, scratch: Path, problem: str | None = None, kind: str | None = None) -> RawDataset | RawGraphs:
    """problem: see `given_answers`. kind: what the samples are, of `SAMPLE_KINDS`. Raises InvalidDataset.

    Large arrays are unpacked into `scratch` and mapped, not held in memory.
    """
    with open_arrays(source, scratch=scratch) as arrays:
        return any_arrays.read(arrays, kind="npz", scratch=scratch, problem=problem, asked=kind, ignored=arrays.others)
