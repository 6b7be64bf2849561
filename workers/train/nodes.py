"""Nodes of one graph: every step sees the whole graph and trains on the labels of the training nodes."""

from collections.abc import Iterator

import torch

from workers.train.data import Samples, TrainData, graph_of
from workers.train.features import Features
from workers.train.recipe import Recipe
from workers.train.task import Batch


class Nodes:
    """The network is called with x (N, F) float32 and edges (2, E) int64; an epoch is `min_steps` steps."""

    def __init__(self, data: TrainData, recipe: Recipe) -> None:
        self._features = Features(data.mean, data.std, device=recipe.device)
        (self._batch,) = self.whole(data.train)
        self._steps = recipe.min_steps

    @property
    def steps(self) -> int:
        return self._steps

    def batches(self, generator: torch.Generator, *, skip: int = 0) -> Iterator[Batch]:  # noqa: ARG002  # nothing is drawn
        for _ in range(skip, self._steps):
            yield self._batch

    def few(self, count: int) -> Iterator[Batch]:  # noqa: ARG002  # there is one graph
        yield self._batch

    def whole(self, samples: Samples) -> Iterator[Batch]:
        graph = graph_of(samples)
        yield Batch(inputs=(self._features(graph.x), graph.edges), y=graph.y, rows=graph.index)
