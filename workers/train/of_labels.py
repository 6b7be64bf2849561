"""Scores of several labels a sample, and their shares.

logits is (n, K) float32, one for each label and independent of the others; y (n, K) of 0 and 1. Equal to scikit-learn's
`average_precision_score` and `f1_score` (macro), over the labels where they are defined.
"""

import torch
from torch import Tensor

from workers.train.precision import area, area_shares

NOTHING = 0.0
"""Where no label has a score: no sample has a label, and none is answered."""


def mean_average_precision(logits: Tensor, y: Tensor) -> float:
    """Mean over the labels that some sample has. logits, y: (n, K)."""
    found = [area(logits[:, label].double(), y[:, label] > 0) for label in _present(y)]
    return sum(found) / len(found) if found else NOTHING


def mean_average_precision_shares(logits: Tensor, y: Tensor) -> Tensor:
    """(n,) float64. logits, y: (n, K)."""
    found = [area_shares(logits[:, label].double(), y[:, label] > 0) for label in _present(y)]
    return torch.stack(found).mean(0) if found else _none(y)


def f1(logits: Tensor, y: Tensor) -> float:
    """Mean over labels of 2 TP / (2 TP + FP + FN), a label being answered at a probability of 0.5 or more.

    A label that no sample has and none is answered is left out. logits, y: (n, K).
    """
    hits, sizes = _hits(logits, y)
    defined = sizes.sum(0) > 0
    return float((2 * hits.sum(0) / sizes.sum(0))[defined].mean()) if defined.any() else NOTHING


def f1_shares(logits: Tensor, y: Tensor) -> Tensor:
    """(n,) float64. logits, y: (n, K)."""
    hits, sizes = _hits(logits, y)
    defined = sizes.sum(0) > 0
    if not defined.any():
        return _none(y)
    hits, sizes = hits[:, defined], sizes[:, defined]
    score = 2 * hits.mean(0) / sizes.mean(0)
    return (score + (2 * hits - score * sizes) / sizes.mean(0)).mean(1)


def _present(y: Tensor) -> list[int]:
    """Labels that some sample has."""
    return [int(label) for label in (y > 0).any(0).nonzero().flatten()]


def _hits(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(n, K) float64 each: right answers of a label; samples that have it plus answers of it."""
    answered, has = logits >= 0, y > 0
    return (answered & has).double(), answered.double() + has.double()


def _none(y: Tensor) -> Tensor:
    return torch.full((len(y),), NOTHING, dtype=torch.float64, device=y.device)
