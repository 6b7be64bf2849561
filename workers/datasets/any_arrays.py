"""Named arrays as what they hold: a graph where there are edges, else pictures or volumes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from workers.datasets import graph, samples
from workers.datasets.graphs import RawGraphs
from workers.datasets.named import NamedArrays
from workers.datasets.raw import RawDataset


def read(
    arrays: NamedArrays,
    *,
    kind: str,
    scratch: Path,
    last: bool = False,
    ignored: Sequence[str] = (),
    problem: str | None = None,
) -> RawDataset | RawGraphs:
    """kind, last, problem: as `samples.read`. ignored: files beside that were not read. Raises InvalidDataset."""
    if graph.holds(arrays):
        found = graph.of_arrays(arrays, scratch=scratch, problem=problem)
        return replace(found, ignored=(*found.ignored, *ignored))
    pictures = samples.read(arrays, kind=kind, scratch=scratch, last=last, problem=problem)
    return replace(pictures, ignored=(*pictures.ignored, *ignored))
