"""Parts of a training split: of each class (stratum) alike, and each part within all larger ones."""

import math

import numpy as np
import torch
from torch import Tensor

from search.streams import Stream, generator
from workers.datasets.strata import strata


def strata_of(y: Tensor, problem: str) -> Tensor:
    """(N,) int64 on the device of y: what `workers.datasets.strata.strata` says of answers of any shape."""
    if problem == "segmentation":  # masks are large, and have no strata
        return torch.zeros(len(y), dtype=torch.int64, device=y.device)
    return torch.from_numpy(strata(y.cpu().numpy(), problem)).to(y.device)


def stratified_order(y: Tensor) -> Tensor:
    """y: (N,) int64 classes or strata -> (N,) int64, an order of the samples of which every beginning is stratified.

    One sample of each class comes first; then each class is spread evenly over the whole. The draws depend on the
    labels alone, so all trainings on one split share the order.
    """
    labels = y.cpu().numpy()
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        drawn = generator(Stream.SUBSET, 0, int(label))
        # Its j-th sample stands at (j + shift) / n; the shift keeps classes of equal size from lining up.
        steps = np.arange(len(rows)) + drawn.random()
        steps[0] = 0.0
        place[drawn.permutation(rows)] = steps / len(rows)
    return torch.from_numpy(np.argsort(place, kind="stable")).to(y.device)


def part(order: Tensor, share: float, *, classes: int) -> Tensor:
    """The first `share` of a stratified order, in the split's own order: (n,) int64, at least one of each class.

    order: (N,) int64. share: above 0, at most 1.
    """
    count = len(order) if share >= 1 else max(classes, math.ceil(share * len(order)))
    return order[:count].sort().values
