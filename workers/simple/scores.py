"""The job's scores for the simple models, in numpy: equal to those of `workers.train.metrics`, which needs torch."""

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

CHANCE = 0.5
"""The AUC of samples of a single class, where it is not defined."""


def score(name: str, probabilities: Probabilities, y: Labels) -> float:
    """name: "accuracy", "balanced_accuracy" or "auc". probabilities: (n, classes); y: (n,)."""
    if name == "auc":
        return _auc(probabilities, y)
    right = probabilities.argmax(1) == y
    if name == "accuracy":
        return float(right.mean())
    if name == "balanced_accuracy":
        return float(np.mean([right[y == label].mean() for label in np.unique(y)]))
    raise ValueError(f"there is no score {name!r}; there are accuracy, balanced_accuracy, auc")


def _auc(probabilities: Probabilities, y: Labels) -> float:
    """Of class 1; for more than two classes the mean of each against the rest, as far as it has a curve."""
    from sklearn.metrics import roc_auc_score

    labels = (1,) if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    curves = [(y == label, probabilities[:, label]) for label in labels]
    areas = [float(roc_auc_score(positive, column)) for positive, column in curves if 0 < positive.sum() < len(y)]
    return float(np.mean(areas)) if areas else CHANCE
