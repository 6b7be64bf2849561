"""An opened data set: the splits for one task and one seed, as a training gets them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.datasets.answers import target_statistics
from workers.datasets.graph_splits import LinkSplits
from workers.datasets.graphs import Numbers, both_ways
from workers.datasets.info import DatasetInfo
from workers.datasets.mapped import MappedRows, MappedSplit, memory_limit
from workers.datasets.raw import Array
from workers.datasets.splits import Splits, index_hash
from workers.datasets.values import GraphSplit, Split

LINK_CLASSES = ("no link", "link")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """Each split is read from the mapped files when it is accessed.

    x: samples as stored, of graphs (N, F) features of the nodes. y: answers for samples, nodes or graphs, see
    RawDataset and RawGraphs; empty for a graph without. edges: (2, E) each once, graph: (N,), both empty except for
    graphs, and graph for many.
    mean, std: in the units of x, normalise as (x - mean) / std: per channel over search_train; per feature over the
    nodes of search_train for "graphs", over all nodes for "nodes" and "links", where features are seen by all.
    sibling: opens the same data set under the same seed for another task.
    """

    info: DatasetInfo
    seed: int
    task: str
    x: Array
    y: Array
    splits: Splits
    mean: tuple[float, ...]
    std: tuple[float, ...]
    edges: Numbers
    graph: Numbers
    sibling: Callable[[str], "Dataset"]

    def view(self, task: str) -> "Dataset":
        """The same data set for another task. Raises InvalidDataset where `info.tasks` does not have it."""
        return self if task == self.task else self.sibling(task)

    @property
    def search_train(self) -> Split | GraphSplit:
        return self._gather(self.splits.search_train, final=False)

    @property
    def search_val(self) -> Split | GraphSplit:
        return self._gather(self.splits.search_val, final=False)

    @property
    def final_train(self) -> Split | GraphSplit:
        return self._gather(self.splits.final_train, final=True)

    @property
    def test(self) -> Split | GraphSplit:
        """For finalists only; search code must not read it."""
        return self._gather(self.splits.test, final=True)

    def split(self, name: str) -> Split | MappedSplit | GraphSplit:
        """The split of that name; the samples of a large data set stay in their file, see `workers.datasets.mapped`.

        name: "search_train", "search_val", "final_train" or "test".
        """
        if self.task in ("image", "volume", "series") and self.x.nbytes > memory_limit():
            rows = getattr(self.splits, name)
            stored = MappedRows.of(self.x, rows)
            if stored is not None:
                return MappedSplit(x=stored, y=self.y[rows])
        found: Split | GraphSplit = getattr(self, name)
        return found

    def answers(self, name: str) -> Array:
        """Those of the split of that name, without reading its samples."""
        rows = getattr(self.splits, name)
        return np.repeat(np.array([1, 0]), rows.shape[1] // 2) if isinstance(self.splits, LinkSplits) else self.y[rows]

    @property
    def problem(self) -> str:
        """Of the task: whether two nodes are linked is a classification, whatever the nodes' own answers are."""
        return "classification" if self.task == "links" else self.info.problem

    @property
    def target_mean(self) -> tuple[float, ...]:
        """Of regression, the mean of each target over search_train, in its own units; else ()."""
        return self._targets()[0]

    @property
    def target_std(self) -> tuple[float, ...]:
        """Of regression, the standard deviation of each target over search_train, 1 for one that is flat; else ()."""
        return self._targets()[1]

    def _targets(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if self.problem != "regression":
            return (), ()
        return target_statistics(self.y[self.splits.search_train])

    @property
    def classes(self) -> int:
        """Outputs of a network for the task: classes (2 for links), labels or targets."""
        return len(self.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        return LINK_CLASSES if self.task == "links" else self.info.class_names

    @property
    def sha256(self) -> str:
        return self.info.sha256

    @property
    def split_hashes(self) -> dict[str, str]:
        """SHA-256 of the row numbers of each split; final_train follows from the others."""
        return {**self.splits.hashes, "final_train": index_hash(self.splits.final_train)}

    @property
    def split_sizes(self) -> dict[str, int]:
        """Answers in search_train, search_val and test, of the task."""
        names = ("search_train", "search_val", "test")
        return {name: int(getattr(self.splits, name).shape[-1]) for name in names}

    def _gather(self, rows: npt.NDArray[np.int64], *, final: bool) -> Split | GraphSplit:
        """final: whether links of search_val may be seen as well."""
        if self.task == "nodes":
            return GraphSplit(x=np.asarray(self.x), edges=both_ways(self.edges), index=rows, y=self.y[rows])
        if isinstance(self.splits, LinkSplits):
            y = np.repeat(np.array([1, 0]), rows.shape[1] // 2)
            return GraphSplit(x=np.asarray(self.x), edges=both_ways(self.splits.visible(final=final)), index=rows, y=y)
        if self.task == "graphs":
            return self._graphs(rows)
        return Split(x=np.asarray(self.x[rows]), y=self.y[rows])

    def _graphs(self, rows: npt.NDArray[np.int64]) -> GraphSplit:
        """The graphs `rows`, ascending, with their nodes and themselves numbered anew from 0."""
        nodes = np.isin(self.graph, rows)
        number = np.cumsum(nodes) - 1
        edges = number[self.edges[:, nodes[self.edges[0]]]]
        index = np.searchsorted(rows, self.graph[nodes])
        return GraphSplit(x=np.asarray(self.x[nodes]), edges=both_ways(edges), index=index, y=self.y[rows])
