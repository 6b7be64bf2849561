"""What splits and parts of a training split keep in proportion: a number for each sample, whatever an answer is."""

import numpy as np
import numpy.typing as npt

from workers.datasets.raw import Array, Labels

BINS = 10
"""Of the first target of a regression, equal in size as far as its values differ."""
BIN_SAMPLES = 10
"""Fewest samples of a bin on average, so that each can give some to the validation and the test split."""
UNKNOWN = 255
"""In stored labels of nodes: not known. In masks: not judged."""


def strata(y: Array, problem: str) -> Labels:
    """(N,) int64, a stratum for each answer; -1 where an answer is not known.

    classification, ordinal: y (N,), the class. regression: (N, K), the bin of the first target, of BINS or fewer bins
    with as many samples each. multilabel: (N, K) of 0 and 1, the rarest label that the sample has; K for one that has
    none. segmentation: (N, H, W), 0 for all, so that what is drawn by strata is drawn at random.
    """
    if problem == "segmentation":
        return np.zeros(len(y), dtype=np.int64)
    if problem in ("classification", "ordinal"):
        return np.asarray(y, dtype=np.int64)
    numbers = np.full(len(y), -1, dtype=np.int64)
    answered = known(y, problem)
    numbers[answered] = _bins(y[answered, 0]) if problem == "regression" else _rarest(y[answered])
    return numbers


def known(y: Array, problem: str) -> npt.NDArray[np.bool_]:
    """(N,) whether the answer to each sample, or node, is known. y: as for `strata`; NaN or UNKNOWN anywhere in a row
    of a regression, or of several labels, makes it unknown."""
    if problem == "segmentation":
        return np.ones(len(y), dtype=np.bool_)
    if problem == "regression":
        return np.asarray(np.isfinite(y).all(axis=1))
    if problem == "multilabel":
        return np.asarray((y != UNKNOWN).all(axis=1))
    return np.asarray(y >= 0)


def _bins(values: Array) -> Labels:
    """(n,) numbers -> (n,) numbers of bins, ascending."""
    count = max(1, min(BINS, len(values) // BIN_SAMPLES))
    if count == 1:
        return np.zeros(len(values), dtype=np.int64)
    edges = np.quantile(values.astype(np.float64), np.arange(1, count) / count)
    numbers: Labels = np.searchsorted(np.unique(edges), np.asarray(values), side="right")
    return numbers


def _rarest(y: Array) -> Labels:
    """(n, K) of 0 and 1 -> (n,) the label with the fewest samples of those that a row has, K for none."""
    has = y.astype(np.bool_)
    sizes = np.where(has, has.sum(axis=0), len(y) + 1)
    rarest: Labels = np.where(has.any(axis=1), sizes.argmin(axis=1), y.shape[1])
    return rarest
