"""Splits of graphs, by nodes, links or whole graphs: made once per data set and seed."""

from dataclasses import dataclass

import numpy as np

from workers.datasets.graphs import PART_NUMBERS, Numbers
from workers.datasets.raw import Array
from workers.datasets.splits import Indices, Splits, channel_statistics, complete_splits
from workers.datasets.strata import known, strata

VAL_LINKS = 0.05
TEST_LINKS = 0.10
ROUND = 2**22
"""Pairs drawn at a time, 64 MiB of them, since the memory of the reading process is bounded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenNodes(Splits):
    """Nodes whose split came with the files: finalists train on the source's training nodes alone.

    That is the published protocol (Cora: 140 training nodes), so that figures can be compared with published ones.
    """

    @property
    def final_train(self) -> Indices:
        return self.search_train


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkSplits(Splits):
    """Pairs of nodes (2, P), the links first and then as many pairs without a link; no pair is in two splits."""

    @property
    def final_train(self) -> Indices:
        """The links of search_train and search_val, then their pairs without a link."""
        halves = [np.hsplit(pairs, 2) for pairs in (self.search_train, self.search_val)]
        return np.concatenate([half[i] for i in (0, 1) for half in halves], axis=1)

    def visible(self, *, final: bool) -> Numbers:
        """The links along which messages may pass, (2, E): of search_train, in the final stage of search_val too."""
        pairs = self.final_train if final else self.search_train
        return pairs[:, : pairs.shape[1] // 2]


def node_splits(y: Array, part: Array | None, *, seed: int, problem: str = "classification") -> Splits:
    """The source's parts where it has them, what is missing drawn class by class; nodes without a label are in none."""
    if part is None:
        return complete_splits({"train": np.flatnonzero(known(y, problem))}, strata(y, problem), seed=seed)
    rows = {name: np.flatnonzero(part == number) for name, number in PART_NUMBERS.items()}
    if len(rows["val"]):
        return GivenNodes(search_train=rows["train"], search_val=rows["val"], test=rows["test"])
    return complete_splits({"train": rows["train"], "test": rows["test"]}, strata(y, problem), seed=seed)


def link_splits(edges: Numbers, *, nodes: int, seed: int) -> LinkSplits:
    """85 % of the links for training, 5 % for validation, 10 % for the test, each with as many pairs without a link.

    edges: (2, E), first < second. A pair without a link is none in any split.
    """
    links = edges.shape[1]
    order = np.random.default_rng([seed, 3]).permutation(links)
    drawn = draw_pairs(edges, count=links, nodes=nodes, seed=(seed, 4))
    test, val = max(1, round(TEST_LINKS * links)), max(1, round(VAL_LINKS * links))
    bounds = {"test": (0, test), "search_val": (test, test + val), "search_train": (test + val, links)}
    pairs = {
        name: np.concatenate([edges[:, np.sort(order[start:stop])], drawn[:, start:stop]], axis=1)
        for name, (start, stop) in bounds.items()
    }
    return LinkSplits(**pairs)


def draw_pairs(edges: Numbers, *, count: int, nodes: int, seed: tuple[int, ...]) -> Numbers:
    """`count` different pairs of nodes without a link, (2, count), first < second, in random order.

    Pairs are drawn until enough are left. A round keeps a third or more of what it draws as long as at least
    2 * count pairs have no link and count is at least the number of links, see `RawGraphs.no_links`.
    """
    generator = np.random.default_rng(seed)
    links = edges[0] * nodes + edges[1]
    found = np.empty(0, dtype=np.int64)
    while len(found) < count:
        ends = np.sort(generator.integers(0, nodes, (2, min(2 * count, ROUND))), axis=0)
        codes = (ends[0] * nodes + ends[1])[ends[0] < ends[1]]
        found = np.concatenate([found, codes[~np.isin(codes, links)]])
        found = found[np.sort(np.unique(found, return_index=True)[1])]
    return np.stack(divmod(found[:count], nodes))


def graph_splits(y: Array, *, seed: int, problem: str = "classification") -> Splits:
    """Numbers of whole graphs, class by class."""
    return complete_splits({"train": np.arange(len(y), dtype=np.int64)}, strata(y, problem), seed=seed)


def feature_statistics(x: Array, rows: Numbers) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each feature over x[rows]; 0 and 1, to leave them alone, for features of 0 and 1.

    Words present or not, and one-hot labels, are no longer sparse marks when their mean is subtracted.
    """
    if x.dtype == np.uint8 and x.max() <= 1:
        return (0.0,) * x.shape[1], (1.0,) * x.shape[1]
    return channel_statistics(x, rows)
