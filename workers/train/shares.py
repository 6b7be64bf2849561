"""What each sample contributes to a score, so that an interval can include the choice of the samples.

A score is a function of the samples' weights, which are equal. The share of a sample is

    share = score + n * (derivative of the score by the sample's weight)

the infinitesimal jackknife (Jaeckel 1972; Efron 1982, chapter 6). All scores here stay the same when all weights are
multiplied by a number, so the mean of the shares is the score, and the variance of the shares divided by n is that of
the score over other choices of n samples. For the accuracy the share is 1 or 0; for the AUC of two classes it is

    A + n/m * (V10 - A) for the m positives,    A + n/k * (V01 - A) for the k negatives

with DeLong's components V10 and V01 (DeLong, DeLong & Clarke-Pearson 1988). `python -m benchmarks.intervals` has what
intervals miss with and without them.

For classes logits is (n, classes) float32 and y (n,) int64; other problems have their scores and shares together, in
`of_orders`, `of_labels`, `of_numbers` and `of_pixels`. Shares are (n,) float64 on the device of the outputs.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from workers.train.metrics import CHANCE, curves, margin
from workers.train.of_labels import f1_shares, mean_average_precision_shares
from workers.train.of_numbers import mae_shares, r2_shares, rmse_shares
from workers.train.of_orders import quadratic_kappa_shares
from workers.train.of_pixels import mean_iou_shares, pixel_accuracy_shares
from workers.train.precision import area_shares


def shares(name: str, logits: Tensor, y: Tensor) -> Tensor:
    """Each sample's share of the score `name`, one of `METRICS`: (n,) float32 on the CPU, whose mean is the score.

    logits, y: as for `METRICS`. Raises KeyError for another name.
    """
    return SHARES[name](logits, y).float().cpu()


def accuracy_shares(logits: Tensor, y: Tensor) -> Tensor:
    """1 for each sample that is right, else 0. logits: (n, classes), y: (n,)."""
    return (logits.argmax(1) == y).double()


def balanced_accuracy_shares(logits: Tensor, y: Tensor) -> Tensor:
    """The score, plus n / (classes * samples of the class) times (right - recall of the class).

    logits: (n, classes), y: (n,). The fewer samples a class has, the more each of them moves the score.
    """
    right, count = accuracy_shares(logits, y), torch.bincount(y)
    recall = torch.bincount(y, weights=right) / count.clamp(min=1)
    classes = int((count > 0).sum())
    return recall.sum() / classes + len(y) / classes / count[y] * (right - recall[y])


def auc_shares(logits: Tensor, y: Tensor) -> Tensor:
    """DeLong's components; for more than two classes the mean over the curves. logits: (n, classes), y: (n,).

    All are CHANCE where no class has a curve.
    """
    found = [
        _of_area(column, positive)
        for column, positive in curves(logits, y)
        if positive.any() and not positive.all()
    ]  # fmt: skip
    if not found:
        return torch.full((len(y),), CHANCE, dtype=torch.float64, device=logits.device)
    return torch.stack(found).mean(0)


def average_precision_shares(logits: Tensor, y: Tensor) -> Tensor:
    """Those of the average precision of class 1. logits: (n, 2), y: (n,) with at least one sample of class 1."""
    return area_shares(margin(logits), y == 1)


SHARES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "accuracy": accuracy_shares,
    "balanced_accuracy": balanced_accuracy_shares,
    "auc": auc_shares,
    "average_precision": average_precision_shares,
    "quadratic_kappa": quadratic_kappa_shares,
    "mean_average_precision": mean_average_precision_shares,
    "f1": f1_shares,
    "r2": r2_shares,
    "mae": mae_shares,
    "rmse": rmse_shares,
    "mean_iou": mean_iou_shares,
    "pixel_accuracy": pixel_accuracy_shares,
}
"""One for each of `workers.train.metrics.METRICS`."""


def _of_area(score: Tensor, positive: Tensor) -> Tensor:
    """Shares (n,) of the area under one curve. score: (n,), positive: (n,) bool, of both kinds at least one."""
    ups, downs = score[positive].sort().values, score[~positive].sort().values
    own = torch.where(positive, _share_below(score, downs), 1.0 - _share_below(score, ups))
    area = own[positive].mean()
    return area + len(score) * (own - area) / torch.where(positive, len(ups), len(downs))


def _share_below(score: Tensor, others: Tensor) -> Tensor:
    """(n,), (m,) sorted -> (n,): the share of `others` below each score, equal ones counted half."""
    below, upto = (torch.searchsorted(others, score.contiguous(), side=side) for side in ("left", "right"))
    return (below + upto).double() / (2 * len(others))
