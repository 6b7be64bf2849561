"""What is counted of the answers of a data set, for each problem, and what makes them impossible to learn."""

from collections.abc import Sequence

import numpy as np

from workers.datasets.raw import Array, Parts, chunks, class_warnings, fault, item_bytes
from workers.datasets.strata import UNKNOWN, known

MIN_SAMPLES = 3
"""One for each split."""


def counts(y: Array, problem: str, classes: int) -> tuple[int, ...]:
    """As `DatasetInfo.counts`: samples of each class, samples with each label, answers to each target, pixels of each
    class. Unknown answers are left out. y: as in `RawDataset`."""
    if problem == "segmentation":
        return tuple(_pixels(y)[:classes].tolist())
    answered = y[known(y, problem)]
    if problem == "regression":
        return (len(answered),) * classes
    if problem == "multilabel":
        return tuple(answered.sum(axis=0, dtype=np.int64).tolist())
    return tuple(np.bincount(answered, minlength=classes).tolist())


def answer_warnings(y: Array, names: Sequence[str], parts: Parts, problem: str) -> tuple[str, ...]:
    """Raises where nothing can be learned; returns warnings about what is merely unusual. names: of K classes."""
    if problem in ("classification", "ordinal"):
        return class_warnings(y, names, parts)
    if len(y) < MIN_SAMPLES:
        raise fault("too_few_samples", f"at least {MIN_SAMPLES} samples are needed, got {len(y)}", allowed=MIN_SAMPLES)
    seen = y[slice(*parts["train"])]
    if problem == "segmentation":
        return _pixel_warnings(y, seen, names)
    return _target_warnings(y, seen, names) if problem == "regression" else _label_warnings(y, seen, names)


def target_statistics(y: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each target, 1 for one that is flat. y: (N, K), all known."""
    values = np.asarray(y, dtype=np.float64)
    mean, std = values.mean(axis=0), values.std(axis=0)
    flat = std <= 1e-12 * np.maximum(1e-300, np.abs(mean))
    return tuple(mean.tolist()), tuple(np.where(flat, 1.0, std).tolist())


def _target_warnings(y: Array, seen: Array, names: Sequence[str]) -> tuple[str, ...]:
    """y, seen: (N, K)."""
    flat = [i for i in range(y.shape[1]) if (y[:, i] == y[0, i]).all()]
    if len(flat) == y.shape[1]:
        detail = f"{_listed(names, flat)} has the same value for all samples: there is nothing to learn"
        raise fault("targets_flat", detail)
    still = [i for i in range(y.shape[1]) if not len(seen) or (seen[:, i] == seen[0, i]).all()]
    return tuple(f"the target {names[i]} has the same value for all training samples" for i in still[:20])


def _label_warnings(y: Array, seen: Array, names: Sequence[str]) -> tuple[str, ...]:
    """y, seen: (N, K) of 0 and 1."""
    share = y.mean(axis=0)
    if ((share == 0) | (share == 1)).all():
        detail = "no label is on some samples and off on others: there is nothing to learn"
        raise fault("too_few_classes", detail)
    on = seen.sum(axis=0, dtype=np.int64).tolist()
    never = [f"no training sample has the label {name}" for name, count in zip(names, on, strict=True) if not count]
    always = [
        f"every training sample has the label {name}"
        for name, count in zip(names, on, strict=True)
        if count == len(seen) and count
    ]
    return tuple([*never, *always][:20])


def _pixel_warnings(y: Array, seen: Array, names: Sequence[str]) -> tuple[str, ...]:
    """y, seen: (N, H, W)."""
    found = _pixels(y)[: len(names)]
    if (found > 0).sum() < 2:
        raise fault("too_few_classes", f"at least 2 classes of pixels are needed, found {int((found > 0).sum())}")
    missing = np.flatnonzero(_pixels(seen)[: len(names)] == 0)
    return tuple(f"class {names[i]} is in no pixel of the training samples" for i in missing[:20])


def _pixels(y: Array) -> Array:
    """Pixels of each number, (256,). y: (N, H, W) uint8, perhaps a view of a file."""
    total = np.zeros(UNKNOWN + 1, dtype=np.int64)
    for rows in chunks(len(y), item_bytes(y)):
        total += np.bincount(np.ravel(y[rows]), minlength=UNKNOWN + 1)
    return total


def _listed(names: Sequence[str], which: Sequence[int]) -> str:
    return "the target " + names[0] if len(which) == 1 else f"each of the {len(which)} targets"
