"""Scores of a classifier: exact, on whatever device the outputs are, as fractions 0 to 1.

Equal to scikit-learn's `accuracy_score`, `balanced_accuracy_score`, `roc_auc_score` (macro, one against the rest) and
`average_precision_score`; tests compare them.
"""

from collections.abc import Callable

import torch
from torch import Tensor

CHANCE = 0.5
"""The AUC where it is not defined because a split holds one class only."""


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Share of the samples whose greatest logit is that of their class."""
    return float((logits.argmax(1) == y).sum()) / len(y)


def balanced_accuracy(logits: Tensor, y: Tensor) -> float:
    """Mean, over the classes that occur in y, of the share of their samples that are recognised."""
    right = (logits.argmax(1) == y).double()
    count = torch.bincount(y)
    hits = torch.bincount(y, weights=right)
    return float((hits[count > 0] / count[count > 0]).mean())


def auc(logits: Tensor, y: Tensor) -> float:
    """Area under the ROC curve; for more than two classes the mean of each class against the rest.

    A class without a sample, or with all of them, has no curve and is left out.
    """
    found = (_area(column, positive) for column, positive in _curves(logits, y))
    areas = [area for area in found if area is not None]
    return sum(areas) / len(areas) if areas else CHANCE


def average_precision(logits: Tensor, y: Tensor) -> float:
    """Sum of precision times the growth of recall, over the thresholds from high to low, of class 1 of two."""
    order = _margin(logits).argsort(descending=True)
    ranked, positive = _margin(logits)[order], (y[order] == 1).double()
    last = torch.ones_like(ranked, dtype=torch.bool)  # of equals only the last is a threshold
    last[:-1] = ranked[1:] != ranked[:-1]
    hits = positive.cumsum(0)[last]
    taken = torch.arange(1, len(y) + 1, device=y.device)[last]
    recall = hits / hits[-1]
    growth = torch.diff(recall, prepend=recall.new_zeros(1))
    return float((hits / taken * growth).sum())


METRICS: dict[str, Callable[[Tensor, Tensor], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "auc": auc,
    "average_precision": average_precision,
}
"""Name -> function of logits (n, classes) float32 and y (n,) int64."""


def measures(logits: Tensor, y: Tensor, *, task: str) -> dict[str, float]:
    """All that can be said about a task; the AUC only where y holds two classes at least."""
    several = bool((y != y[0]).any())
    names = ["accuracy", "balanced_accuracy"]
    names += ["auc"] if several else []
    names += ["average_precision"] if several and task == "links" else []
    return {name: METRICS[name](logits, y) for name in names}


def shares(name: str, logits: Tensor, y: Tensor) -> Tensor | None:
    """What each sample gives to a score that is their mean, (n,) float32 on the CPU; None for a score that is none.

    Where a class has few samples, each of them gives more to the balanced accuracy.
    """
    right = (logits.argmax(1) == y).float()
    if name == "accuracy":
        return right.cpu()
    if name == "balanced_accuracy":
        count = torch.bincount(y)
        return (right * (len(y) / int((count > 0).sum()) / count[y])).cpu()
    return None


def _margin(logits: Tensor) -> Tensor:
    """Of two classes: grows with the probability of class 1, and keeps apart what rounds to the same probability."""
    return (logits[:, 1] - logits[:, 0]).double()


def _curves(logits: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    """(score, is positive) of each curve."""
    if logits.shape[1] == 2:
        return [(_margin(logits), y == 1)]
    probabilities = logits.double().softmax(1)
    return [(probabilities[:, label], y == label) for label in range(logits.shape[1])]


def _area(score: Tensor, positive: Tensor) -> float | None:
    """Probability that a positive sample stands above a negative one, equals counted half: from the sum of ranks."""
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs:
        return None
    _, place, count = torch.unique(score, return_inverse=True, return_counts=True)
    rank = count.cumsum(0) - (count - 1) / 2  # the mean rank of equals
    return float((rank.double()[place][positive].sum() - ups * (ups + 1) / 2) / (ups * downs))
