"""Between a network's outputs and the answers of a data set: the loss, and what scores are taken of."""

import torch
from torch import Tensor

from workers.conventions import LOSSES as NAMES
from workers.train.data import TrainData
from workers.train.losses import LOSSES
from workers.train.of_pixels import answers
from workers.train.recipe import Recipe


class Answering:
    """One training's own. Raises ValueError for a loss that is none of the data's problem, and wrong class weights."""

    def __init__(self, data: TrainData, recipe: Recipe) -> None:
        if recipe.loss not in NAMES[data.problem]:
            raise ValueError(f"the loss {recipe.loss!r} is none of {data.problem}: {', '.join(NAMES[data.problem])}")
        self._loss, self._smoothing, self._problem = LOSSES[recipe.loss], recipe.label_smoothing, data.problem
        given = recipe.class_weights
        if given and data.problem == "regression":
            raise ValueError("a regression has no classes, and so no class weights")
        self._weights = torch.tensor(given, dtype=torch.float32, device=recipe.device) if given else None
        self._mean = torch.tensor(data.target_mean, dtype=torch.float32, device=recipe.device)
        self._std = torch.tensor(data.target_std, dtype=torch.float32, device=recipe.device)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Scalar. outputs: float32, and y as stored, see `workers.train.losses`; numbers are standardised here."""
        if self._problem == "regression":
            y = (y - self._mean) / self._std
        return self._loss(outputs, y, smoothing=self._smoothing, weights=self._weights)

    def scored(self, outputs: Tensor) -> Tensor:
        """What is kept of one batch's outputs for `METRICS`: numbers in the units of the targets, (n, K); of pixels
        their classes, (n, H, W) uint8, since the logits of a whole split would not fit in memory; else the logits."""
        if self._problem == "regression":
            return outputs * self._std + self._mean
        return answers(outputs) if self._problem == "segmentation" else outputs
