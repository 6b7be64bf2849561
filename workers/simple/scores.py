"""The job's scores for the simple models, in numpy: equal to those of `workers.train.metrics`, which needs torch."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Answers = npt.NDArray[np.float64]
"""(n, K) probabilities of classes or labels, or values of targets in their units."""
Truth = npt.NDArray[np.generic]
"""As in `workers.datasets.raw.RawDataset`: (n,) classes, (n, K) of 0 and 1, (n, K) values."""

CHANCE = 0.5
"""The AUC of samples of a single class, where it is not defined."""

LIKELY = 0.5
"""The probability from which on a label is answered."""


def score(name: str, answers: Answers, y: Truth) -> float:
    """name: one of SCORES. Raises ValueError for another."""
    if name not in SCORES:
        raise ValueError(f"there is no score {name!r}; there are {', '.join(SCORES)}")
    return SCORES[name](answers, y)


def _accuracy(probabilities: Answers, y: Truth) -> float:
    return float((probabilities.argmax(1) == y).mean())


def _balanced_accuracy(probabilities: Answers, y: Truth) -> float:
    right = probabilities.argmax(1) == y
    return float(np.mean([right[y == label].mean() for label in np.unique(y)]))


def _auc(probabilities: Answers, y: Truth) -> float:
    """Of class 1; for more than two classes the mean of each against the rest, as far as it has a curve."""
    from sklearn.metrics import roc_auc_score

    labels = (1,) if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    curves = [(y == label, probabilities[:, label]) for label in labels]
    areas = [float(roc_auc_score(positive, column)) for positive, column in curves if 0 < positive.sum() < len(y)]
    return float(np.mean(areas)) if areas else CHANCE


def _quadratic_kappa(probabilities: Answers, y: Truth) -> float:
    """Cohen's kappa with squared steps (Cohen 1968); 0 where answers and truth are all of one class."""
    found, true = probabilities.argmax(1).astype(np.float64), y.astype(np.float64)
    by_chance = found.var() + true.var() + (found.mean() - true.mean()) ** 2
    return float(1.0 - np.square(found - true).mean() / by_chance) if by_chance else 0.0


def _mean_average_precision(probabilities: Answers, y: Truth) -> float:
    """The mean over the labels that a sample has; 0 where none is on any."""
    from sklearn.metrics import average_precision_score

    found = [
        float(average_precision_score(on, column)) for on, column in zip(y.T, probabilities.T, strict=True) if on.any()
    ]
    return float(np.mean(found)) if found else 0.0


def _f1(probabilities: Answers, y: Truth) -> float:
    """The mean over the labels, at a probability of 0.5, without those that no sample has and none is answered."""
    said, on = probabilities >= LIKELY, y == 1
    both, sizes = (said & on).sum(0), said.sum(0) + on.sum(0)
    return float((2 * both / np.maximum(sizes, 1))[sizes > 0].mean()) if sizes.any() else 0.0


def _r2(values: Answers, y: Truth) -> float:
    """The mean over the targets that vary; 0 where none does."""
    true = y.astype(np.float64)
    spread = np.square(true - true.mean(0)).sum(0)
    left = np.square(true - values).sum(0)
    varies = spread > 0
    return float(np.mean(1.0 - left[varies] / spread[varies])) if varies.any() else 0.0


SCORES: Mapping[str, Callable[[Answers, Truth], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "auc": _auc,
    "quadratic_kappa": _quadratic_kappa,
    "mean_average_precision": _mean_average_precision,
    "f1": _f1,
    "r2": _r2,
}
"""Name -> function of answers and truth."""
