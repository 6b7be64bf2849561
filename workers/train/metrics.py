"""Scores: exact, on the device of the outputs. Here those of classes, as fractions 0 to 1; `of_orders`, `of_labels`,
`of_numbers` and `of_pixels` have those of other problems.

logits is (n, classes) float32 and y (n,) int64 here. Equal to scikit-learn's `accuracy_score`,
`balanced_accuracy_score`, `roc_auc_score` (macro, one against the rest) and `average_precision_score`; tests compare
them.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from workers.conventions import ERRORS, PROBLEM_SCORES
from workers.train.of_labels import f1, mean_average_precision
from workers.train.of_numbers import mae, r2, rmse
from workers.train.of_orders import quadratic_kappa
from workers.train.of_pixels import mean_iou, pixel_accuracy
from workers.train.precision import area

CHANCE = 0.5
"""The AUC of a split with a single class, where it is not defined."""


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Share of the samples whose largest logit is that of their class. logits: (n, classes), y: (n,)."""
    return float((logits.argmax(1) == y).sum()) / len(y)


def balanced_accuracy(logits: Tensor, y: Tensor) -> float:
    """Mean recall of the classes that occur in y. logits: (n, classes), y: (n,)."""
    right = (logits.argmax(1) == y).double()
    count = torch.bincount(y)
    hits = torch.bincount(y, weights=right)
    return float((hits[count > 0] / count[count > 0]).mean())


def auc(logits: Tensor, y: Tensor) -> float:
    """Area under the ROC curve; for more than two classes the mean of each class against the rest.

    logits: (n, classes), y: (n,). A class with no sample, or with all of them, has no curve and is left out.
    """
    found = (_area(column, positive) for column, positive in curves(logits, y))
    areas = [area for area in found if area is not None]
    return sum(areas) / len(areas) if areas else CHANCE


def average_precision(logits: Tensor, y: Tensor) -> float:
    """Average precision of class 1: sum over falling thresholds of precision times the growth of recall.

    logits: (n, 2), y: (n,) with at least one sample of class 1, else NaN.
    """
    return area(margin(logits), y == 1)


METRICS: dict[str, Callable[[Tensor, Tensor], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "auc": auc,
    "average_precision": average_precision,
    "quadratic_kappa": quadratic_kappa,
    "mean_average_precision": mean_average_precision,
    "f1": f1,
    "r2": r2,
    "mae": mae,
    "rmse": rmse,
    "mean_iou": mean_iou,
    "pixel_accuracy": pixel_accuracy,
}
"""Name -> function of a network's outputs and y, with the shapes of the problem (`workers.datasets.raw.RawDataset`).

For a regression both are in the units of the targets."""


def measures(outputs: Tensor, y: Tensor, *, task: str, problem: str = "classification") -> dict[str, float]:
    """All scores that apply to a task and a problem, by name; AUC only where y has two classes or more.

    outputs, y: as for METRICS.
    """
    names = list(PROBLEM_SCORES[problem])
    if problem == "classification":
        return _of_classes(outputs, y, task=task)
    names += ERRORS if problem == "regression" else ()
    return {name: METRICS[name](outputs, y) for name in names}


def _of_classes(logits: Tensor, y: Tensor, *, task: str) -> dict[str, float]:
    several = bool((y != y[0]).any())
    names = ["accuracy", "balanced_accuracy"]
    names += ["auc"] if several else []
    names += ["average_precision"] if several and task == "links" else []
    return {name: METRICS[name](logits, y) for name in names}


def margin(logits: Tensor) -> Tensor:
    """(n, 2) -> (n,) float64: grows with the probability of class 1, without rounding near 0 and 1 as that does."""
    return (logits[:, 1] - logits[:, 0]).double()


def curves(logits: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    """(score (n,), is positive (n,)) of each curve."""
    if logits.shape[1] == 2:
        return [(margin(logits), y == 1)]
    probabilities = logits.double().softmax(1)
    return [(probabilities[:, label], y == label) for label in range(logits.shape[1])]


def _area(score: Tensor, positive: Tensor) -> float | None:
    """Probability that a positive sample ranks above a negative one, ties counted half, from the sum of ranks.

    (Mann-Whitney U over the number of pairs.) None without a positive or a negative sample.
    """
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs:
        return None
    _, place, count = torch.unique(score, return_inverse=True, return_counts=True)
    rank = count.cumsum(0) - (count - 1) / 2  # the mean rank of equal values
    return float((rank.double()[place][positive].sum() - ups * (ups + 1) / 2) / (ups * downs))
