"""Many graphs, each with one label: mini-batches of whole graphs, assembled by arithmetic on indices.

The nodes of graph g are the rows first[g] .. first[g] + nodes[g] of x, its edges as many columns of `edges`, so a batch
is two gathers on the device and one subtraction; no graph is an object of its own.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from workers.train.data import GraphSamples, Samples, TrainData, graph_of
from workers.train.features import Features
from workers.train.recipe import Recipe
from workers.train.task import Batch, batch_length

SCORE_NODES = 2**16
"""Most nodes in one evaluation batch, counting every graph as if it were the largest."""


class Graphs:
    """The network is called with x (N, F), edges (2, E) and graph (N,), the number of each node's graph, ascending."""

    def __init__(self, data: TrainData, recipe: Recipe) -> None:
        self._features = Features(data.mean, data.std, device=recipe.device)
        self._data = data
        self._pile = Pile(graph_of(data.train), self._features)
        self._device = recipe.device
        self._rows = data.part(recipe.subset)
        samples = len(self._rows)
        self._length = batch_length(samples, batch_size=recipe.batch_size, min_steps=recipe.min_steps)
        self._steps = max(1, samples // self._length)

    @property
    def steps(self) -> int:
        return self._steps

    def batches(self, generator: torch.Generator, *, skip: int = 0) -> Iterator[Batch]:
        """Batches of different graphs, y (B,). The last, smaller batch is left out."""
        order = self._rows[torch.randperm(len(self._rows), generator=generator).to(self._device)]
        for rows in order[: self._steps * self._length].view(self._steps, self._length)[skip:]:
            yield self._pile.batch(rows)

    def whole(self, samples: Samples) -> Iterator[Batch]:
        pile = Pile(graph_of(samples), self._features)
        yield from pile.batches(torch.arange(len(pile), device=self._device))

    def few(self, count: int) -> Iterator[Batch]:
        yield from self._pile.batches(self._data.order[:count])


class Pile:
    """The graphs of one split, any of which can be taken out in any order."""

    def __init__(self, samples: GraphSamples, features: Features) -> None:
        self._x, self._y = features(samples.x), samples.y
        count = len(samples.y)
        self._nodes = torch.bincount(samples.index, minlength=count)
        self._first = self._nodes.cumsum(0) - self._nodes
        owner = samples.index[samples.edges[0]]
        self._edges = samples.edges[:, owner.argsort(stable=True)]
        self._links = torch.bincount(owner, minlength=count)
        self._first_link = self._links.cumsum(0) - self._links
        self.largest = int(self._nodes.max())

    def __len__(self) -> int:
        return len(self._y)

    def batches(self, rows: Tensor) -> Iterator[Batch]:
        """The graphs `rows` in this order, in batches of at most SCORE_NODES nodes."""
        for some in torch.split(rows, max(1, SCORE_NODES // self.largest)):
            yield self.batch(some)

    def batch(self, rows: Tensor) -> Batch:
        """rows: (B,) numbers of graphs, which become 0 .. B - 1 in this order."""
        nodes, graph = _ranges(self._first[rows], self._nodes[rows])
        links, owner = _ranges(self._first_link[rows], self._links[rows])
        counts = self._nodes[rows]
        moved = counts.cumsum(0) - counts - self._first[rows]
        return Batch(inputs=(self._x[nodes], self._edges[:, links] + moved[owner], graph), y=self._y[rows])


def _ranges(starts: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The numbers starts[i] .. starts[i] + lengths[i] for every i, one after the other, and the i of each."""
    owner = torch.repeat_interleave(torch.arange(len(starts), device=starts.device), lengths)
    ends = lengths.cumsum(0)
    within = torch.arange(len(owner), device=starts.device) - (ends - lengths)[owner]
    return starts[owner] + within, owner
