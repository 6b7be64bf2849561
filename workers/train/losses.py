"""What a training minimises, by name: functions of a network's outputs and the answers.

    LOSSES[name](outputs, y, smoothing=, weights=) -> scalar

outputs is float32, with the shapes of the problem (`workers.datasets.raw.RawDataset`): (n, K) or, of pixels,
(n, K, H, W). y is (n,) int64, (n, K) of 0 and 1, (n, K) float32 of mean 0 and deviation 1 in the training split, or
(n, H, W) with 255 where a pixel is not judged.

smoothing: of labels (Szegedy et al. 2016), 0 to 1; without a meaning for numbers and for dice.
weights: (K,) float32. Of classes: a sample counts as the weight of its class, and the loss is the weighted mean. Of
labels: a sample that has a label counts as its weight there, one that has not as 1. None, all alike; numbers have none.
"""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from workers.train.of_pixels import NOT_JUDGED

HUBER_DELTA = 1.0
"""Standard deviations of a target from which an error counts by its size and no longer by its square."""


class Loss(Protocol):
    """One of LOSSES."""

    def __call__(
        self, outputs: Tensor, y: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None
    ) -> Tensor: ...


def cross_entropy(outputs: Tensor, y: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """Nats. outputs: (n, K), y: (n,); or of pixels, (n, K, H, W) and (n, H, W)."""
    if y.ndim == 1:
        return F.cross_entropy(outputs, y, weight=weights, label_smoothing=smoothing)
    truth = y.long()
    total = F.cross_entropy(
        outputs, truth, weight=weights, label_smoothing=smoothing, ignore_index=NOT_JUDGED, reduction="sum"
    )
    judged = truth != NOT_JUDGED
    count = judged.sum() if weights is None else weights[torch.where(judged, truth, 0)][judged].sum()
    return total / count.clamp(min=1e-6)  # a batch without a judged pixel teaches nothing


def squared_steps(outputs: Tensor, y: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """Cross entropy plus the expected squared distance between the answer and the truth in class steps.

    The distance is a share of the largest, (K - 1)^2, and counts as STEPS nats: what quadratically weighted kappa
    counts, with probabilities in place of the answer (de la Torre, Puig & Valls 2018). outputs: (n, K), y: (n,).
    """
    places = torch.arange(outputs.shape[1], device=outputs.device)
    distance = (places - y.unsqueeze(1)).square() / max(1, outputs.shape[1] - 1) ** 2
    each = (outputs.softmax(1) * distance).sum(1)
    mean = each.mean() if weights is None else (weights[y] * each).sum() / weights[y].sum()
    return cross_entropy(outputs, y, smoothing=smoothing, weights=weights) + STEPS * mean


STEPS = 10.0
"""Measured, kappa of cross entropy and of this with 10 and 30, means of six trainings of 8 epochs (± 0.002 to 0.005):
digits as classes in an order 0.956, 0.960, 0.948 on a fifth of the training split, 0.963, 0.963, 0.960 on 30 %, 0.989,
0.992, 0.993 on all of it; the same pictures in eight classes by their brightness 0.917, 0.943, 0.950 on 30 %, with
accuracies of 0.47, 0.54, 0.57."""


def binary_cross_entropy(
    outputs: Tensor, y: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """Mean over samples and labels, nats. outputs, y: (n, K)."""
    truth = y.to(outputs.dtype)
    if smoothing:
        truth = truth * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(outputs, truth, pos_weight=weights)


def mse(outputs: Tensor, y: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:  # noqa: ARG001
    """Mean squared error: 1 for always answering the mean. outputs, y: (n, K)."""
    return F.mse_loss(outputs, y)


def mae(outputs: Tensor, y: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:  # noqa: ARG001
    """Mean absolute error: aims at the median. outputs, y: (n, K)."""
    return F.l1_loss(outputs, y)


def huber(outputs: Tensor, y: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:  # noqa: ARG001
    """Half the square of small errors, linear above HUBER_DELTA (Huber 1964). outputs, y: (n, K)."""
    return F.huber_loss(outputs, y, delta=HUBER_DELTA)


def dice(outputs: Tensor, y: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """Cross entropy plus 1 - the soft Dice coefficient, the mean over the classes that the batch has.

    The coefficient is 2 * sum(p t) / (sum(p) + sum(t)) over all judged pixels of the batch, p being the probability of
    a class and t whether it is the truth (Milletari et al. 2016; the sum of both as in Isensee et al. 2021).
    outputs: (n, K, H, W), y: (n, H, W).
    """
    judged = (y != NOT_JUDGED).unsqueeze(1)
    truth = F.one_hot(torch.where(judged.squeeze(1), y, 0).long(), outputs.shape[1]).movedim(-1, 1) * judged
    found = outputs.softmax(1) * judged
    axes = (0, *range(2, outputs.ndim))
    size = truth.sum(axes)
    overlap = 2 * (found * truth).sum(axes) / (found.sum(axes) + size).clamp(min=1e-6)
    present = (size > 0).to(overlap.dtype)
    missed = (present * (1 - overlap)).sum() / present.sum().clamp(min=1)
    return cross_entropy(outputs, y, smoothing=smoothing, weights=weights) + missed


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "squared_steps": squared_steps,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "dice": dice,
}
"""Which of them suit a problem is said in `workers.conventions.LOSSES`."""
