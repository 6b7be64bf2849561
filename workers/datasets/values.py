"""What a training gets: one split of a data set, as arrays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.datasets.raw import Array

KINDS = ("image", "volume", "series", "graph")
TASKS = ("image", "volume", "series", "segmentation", "nodes", "graphs", "links")
"""The tasks of a data set. The last three are for graphs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """x: (N, C, …) as stored, uint8 or float32, y: (N,) int64, or as `RawDataset.problem` says."""

    x: Array
    y: Array

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, kw_only=True, slots=True)
class GraphSplit:
    """One part of a data set of graphs, with the edges along which messages may pass while it is used.

    x: (N, F) uint8 or float32, features of nodes. edges: (2, E) int64, each edge in both directions, no self-loops.
    index, y: what is asked and its answer, y int64 (or as `RawGraphs.problem` says), one for each question:
      nodes   index (n,) node numbers of this part, y (n,) classes. x and edges are of the whole graph.
      links   index (2, P) pairs of nodes, y (P,) 1 for a link and 0 for none, links first. x is of the whole graph,
              edges are the links that may be seen; of the pairs of a held-out part they hold none.
      graphs  index (N,) the graph of each node, ascending from 0, y (G,) classes. x and edges are of this part alone.
    """

    x: Array
    edges: npt.NDArray[np.int64]
    index: npt.NDArray[np.int64]
    y: Array

    def __len__(self) -> int:
        """Questions: nodes, pairs or graphs."""
        return len(self.y)
