"""Links of one graph: messages pass along the known links, and every step scores all training pairs.

The negative pairs are drawn anew for each step, as many as there are links: a network that saw the same pairs again and
again would memorise them.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from workers.train.data import GraphSamples, Samples, TrainData, graph_of
from workers.train.features import Features
from workers.train.recipe import Recipe
from workers.train.task import Batch

ROUNDS = 8
"""Draws of negative pairs; what is still missing after them (in a nearly complete graph) is taken from the split."""


class Links:
    """The network is called with x (N, F) float32, edges (2, E) and pairs (2, P); an epoch is `min_steps` steps."""

    def __init__(self, data: TrainData, recipe: Recipe) -> None:
        self._graph = graph_of(data.train)
        self._features = Features(data.mean, data.std, device=recipe.device)
        self._x = self._features(self._graph.x)
        self._negatives = Negatives(self._graph)
        self._steps = recipe.min_steps

    @property
    def steps(self) -> int:
        return self._steps

    def batches(self, generator: torch.Generator, *, skip: int = 0) -> Iterator[Batch]:
        links = self._graph.index[:, self._graph.y == 1]
        for step in range(self._steps):
            pairs = torch.cat([links, self._negatives.draw(links.shape[1], generator)], dim=1)
            # the split lists the smaller number first; a decoder that distinguishes the ends must not learn that order
            swapped = torch.rand(pairs.shape[1], generator=generator).to(pairs.device) < 0.5
            pairs = torch.where(swapped, pairs.flip(0), pairs)
            y = (torch.arange(pairs.shape[1], device=pairs.device) < links.shape[1]).long()
            if step >= skip:
                yield Batch(inputs=(self._x, self._graph.edges, pairs), y=y)

    def few(self, count: int) -> Iterator[Batch]:  # noqa: ARG002  # there is one graph
        yield from self.whole(self._graph)

    def whole(self, samples: Samples) -> Iterator[Batch]:
        graph = graph_of(samples)
        yield Batch(inputs=(self._features(graph.x), graph.edges, graph.index), y=graph.y)


class Negatives:
    """Draws pairs of different nodes without a known link between them."""

    def __init__(self, graph: GraphSamples) -> None:
        self._nodes = len(graph.x)
        self._known = torch.unique(graph.edges[0] * self._nodes + graph.edges[1])
        self._spare = graph.index[:, graph.y == 0]

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(2, count) int64, all allowed pairs equally probable; fewer columns where the split has no more of them."""
        found: list[Tensor] = []
        missing = count
        for _ in range(ROUNDS):
            drawn = torch.randint(self._nodes, (2, missing), generator=generator).to(self._known.device)
            fitting = drawn[:, (drawn[0] != drawn[1]) & ~torch.isin(drawn[0] * self._nodes + drawn[1], self._known)]
            found.append(fitting)
            missing -= fitting.shape[1]
            if not missing:
                break
        return torch.cat([*found, self._spare[:, :missing]], dim=1)
