"""Named arrays as what they hold: a graph where there are edges, else pictures, volumes or series."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from workers.datasets import graph, samples
from workers.datasets.graphs import RawGraphs
from workers.datasets.named import NamedArrays
from workers.datasets.raw import RawDataset, fault


def read(
    arrays: NamedArrays,
    *,
    kind: str,
    scratch: Path,
    last: bool = False,
    ignored: Sequence[str] = (),
    asked: str | None = None,
) -> RawDataset | RawGraphs:
    """kind, last, asked: as `samples.read`. ignored: files beside that were not read. Raises InvalidDataset."""
    if graph.holds(arrays):
        if asked:
            detail = f"{arrays.file} holds edges, so it is a graph, and {asked} was asked for; leave the kind out"
            raise fault("combination_unsupported", detail, file=arrays.file)
        found = graph.of_arrays(arrays, scratch=scratch)
        return replace(found, ignored=(*found.ignored, *ignored))
    pictures = samples.read(arrays, kind=kind, scratch=scratch, last=last, asked=asked)
    return replace(pictures, ignored=(*pictures.ignored, *ignored))
