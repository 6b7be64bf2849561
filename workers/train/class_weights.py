"""What each class counts in the loss of a job: as the job's document says, from the labels of the training split."""

import numpy as np

from workers.datasets import Dataset
from workers.datasets.answers import counts

MOST = 100.0
"""A label's weight at most: one of a single sample among a million would otherwise be all that a step follows."""

_KNOWN: dict[tuple[str, int, str], tuple[float, ...]] = {}


def class_weights(asked: str | tuple[float, ...], dataset: Dataset) -> tuple[float, ...]:
    """asked: as `search.spec.TrialSpec.class_weights`. Returns a weight for each class or label, () for all alike.

    balanced: n / (K * samples of the class), as scikit-learn has it, K classes that occur; of pixels by pixels; of a
    label, samples without it for each with it, MOST at most. Over search_train, so that the validation split is not
    looked at; kept for the process.
    """
    if not isinstance(asked, str):
        return asked
    if asked != "balanced" or dataset.problem == "regression" or dataset.task == "links":
        return ()  # of links and pairs without there are equally many
    key = (dataset.sha256, dataset.seed, dataset.task)
    if key not in _KNOWN:
        rows = dataset.splits.search_train
        found = counts(dataset.y[rows], dataset.problem, dataset.classes)
        _KNOWN[key] = balanced(found, samples=len(rows), labels=dataset.problem == "multilabel")
    return _KNOWN[key]


def balanced(found: tuple[int, ...], *, samples: int, labels: bool) -> tuple[float, ...]:
    """found: samples (pixels) of each of K classes, or samples with each of K labels. A class without any gets 1."""
    sizes = np.array(found, dtype=np.float64)
    there = sizes > 0
    if labels:
        weights = np.minimum(MOST, (samples - sizes) / np.maximum(sizes, 1.0))
        return tuple(np.where(there & (weights > 0), weights, 1.0).tolist())
    return tuple(np.where(there, sizes.sum() / (there.sum() * np.maximum(sizes, 1.0)), 1.0).tolist())
