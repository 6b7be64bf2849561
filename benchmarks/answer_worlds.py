"""Simulated test splits whose answers are labels, numbers or masks, for `benchmarks.intervals`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.report.statistics import Scores
from workers.train.metrics import METRICS
from workers.train.shares import shares

Array = npt.NDArray[Any]

TRAININGS = 3
HARD, OWN, NOISE = 1.0, 0.7, 0.4
"""Standard deviations of what is hard for all networks, for all trainings of one architecture, for one training."""
SIDE = 6
"""Pixels of a mask's side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """`samples` answers with `classes` labels, targets or classes of a pixel. skewed: targets with a long tail."""

    score: str
    classes: int
    samples: int
    skewed: bool = False

    def job(self, rng: np.random.Generator) -> tuple[Scores, Scores]:
        """Two architectures of the same true score on one new test split, as `benchmarks.intervals.World`."""
        y = self._truth(rng)
        shape = (*y.shape, self.classes) if self.masks else y.shape
        hard = rng.normal(scale=HARD, size=shape)
        if self.masks:  # some pictures are harder than others, in all of their pixels
            hard = hard + rng.normal(scale=HARD, size=(len(y), 1, 1, self.classes))
        return self._architecture(y, hard, rng), self._architecture(y, hard, rng)

    @property
    def masks(self) -> bool:
        return self.score in ("mean_iou", "pixel_accuracy")

    def _truth(self, rng: np.random.Generator) -> Array:
        if self.score == "r2":
            found: Array = rng.normal(size=(self.samples, self.classes))
            return np.exp(found) if self.skewed else found
        portions = 0.5 ** np.arange(1, self.classes + 1)
        if not self.masks:
            found = (rng.random((self.samples, self.classes)) < portions).astype(np.uint8)
            found[: self.classes] |= np.eye(self.classes, dtype=np.uint8)
            return found
        each = rng.dirichlet(2 * portions / portions.sum(), self.samples).cumsum(1)
        drawn = rng.random((self.samples, SIDE, SIDE, 1))
        found = (drawn > each[:, None, None, :-1]).sum(-1).astype(np.uint8)
        return np.where(rng.random(found.shape) < 0.05, 255, found).astype(np.uint8)

    def _architecture(self, y: Array, hard: Array, rng: np.random.Generator) -> Scores:
        own = rng.normal(scale=OWN, size=hard.shape)
        values, parts = list[float](), list[Array]()
        for _ in range(TRAININGS):
            noise = hard + own + rng.normal(scale=NOISE, size=hard.shape)
            outputs, truth = self._outputs(y, noise, 1.6 + 0.03 * rng.normal()), torch.tensor(y)
            values.append(METRICS[self.score](outputs, truth))
            parts.append(shares(self.score, outputs, truth).numpy().astype(np.float64))
        return Scores(values=tuple(values), shares=np.mean(parts, axis=0))

    def _outputs(self, y: Array, noise: Array, separation: float) -> Tensor:
        if self.score == "r2":
            return torch.tensor(y + 0.3 * noise * separation).float()
        if self.masks:
            marks = np.eye(self.classes)[np.minimum(y, self.classes - 1)]
            return torch.tensor((separation * marks + noise).transpose(0, 3, 1, 2)).float()
        return torch.tensor(separation * (2.0 * y - 1.0) + noise).float()


WORLDS = (
    World(score="mean_average_precision", classes=4, samples=300),
    World(score="f1", classes=4, samples=300),
    World(score="r2", classes=1, samples=300),
    World(score="r2", classes=2, samples=300, skewed=True),
    World(score="mean_iou", classes=3, samples=100),
    World(score="pixel_accuracy", classes=3, samples=100),
)
