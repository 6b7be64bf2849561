"""NumPy archives: of samples and labels, see `samples`; of a graph where there are edges, see `graph`."""

from pathlib import Path

from workers.datasets import any_arrays
from workers.datasets.arrays import open_arrays
from workers.datasets.graphs import RawGraphs
from workers.datasets.raw import RawDataset


def read(source: Path, *, scratch: Path, kind: str | None = None) -> RawDataset | RawGraphs:
    """kind: what the samples are, of `SAMPLE_KINDS`. Large arrays are mapped. Raises InvalidDataset."""
    with open_arrays(source, scratch=scratch) as arrays:
        return any_arrays.read(arrays, kind="npz", scratch=scratch, asked=kind)
