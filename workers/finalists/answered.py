"""What the answers on the test split look like, by problem: figures and points for the report, beside the score.

    class        of each class, recall and precision; the confusion matrix, and what is confused most
    ordinal      how many samples of each class are answered by each class
    multilabel   of each label, the samples that have it, its average precision and F1
    segmentation of each class, its pixels and intersection over union, and some pictures with both masks
    regression   of each target, R² and errors in its units, and some samples' true and predicted values

They come from the same outputs as the score, in the process of the training, so that no outputs have to be kept.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.datasets import GraphSplit, MappedSplit, Split
from workers.finalists.confusion import confused
from workers.finalists.masks import segmented

Array = npt.NDArray[Any]
Found = dict[str, Any]
"""JSON."""

MOST_CLASSES = 50
"""Of a table of answers by classes."""
MOST_COLUMNS = 200
"""Labels or targets with figures of their own; the first ones."""
MOST_TARGETS, MOST_POINTS = 6, 400
"""Targets with points, and points of each: 40 kB of the page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnTest:
    """outputs, y: as `workers.train.metrics` takes them, a row for each answer: logits, or values in the units of the
    targets. split: the samples."""

    outputs: Array
    y: Array
    split: Split | MappedSplit | GraphSplit


def answered(problem: str, given: OnTest) -> Found | None:
    """None for a problem without such figures."""
    make = ANSWERED.get(problem)
    return None if make is None else make(given)


def _ordinal(given: OnTest) -> Found:
    """classes: (K, K) counts, rows by the true class. steps: samples by how many classes the answer is off."""
    found, y, classes = given.outputs.argmax(1), given.y.astype(np.int64), given.outputs.shape[1]
    table = np.bincount(y * classes + found, minlength=classes**2).reshape(classes, classes)
    off = np.bincount(np.abs(found - y), minlength=classes)
    return {"steps": off.tolist(), "classes": table.tolist() if classes <= MOST_CLASSES else None}


def _multilabel(given: OnTest) -> Found:
    """The figures of a label are None where they are not defined: no sample has it, or none is answered."""
    logits, on = given.outputs.T[:MOST_COLUMNS].astype(np.float64), given.y.T[:MOST_COLUMNS] > 0
    return {"samples": len(given.y), "labels": [_label(*column) for column in zip(logits, on, strict=True)]}


def _label(logit: npt.NDArray[np.float64], on: npt.NDArray[np.bool_]) -> Found:
    said = logit >= 0  # a probability of 0.5
    right, has, answers = int((said & on).sum()), int(on.sum()), int(said.sum())
    return {
        "positives": has,
        "average_precision": _average_precision(logit, on) if has else None,
        "f1": 2 * right / (has + answers) if has + answers else None,
        "precision": right / answers if answers else None,
        "recall": right / has if has else None,
    }


def _average_precision(logit: npt.NDArray[np.float64], on: npt.NDArray[np.bool_]) -> float:
    """As `workers.train.precision.area`."""
    order = np.argsort(-logit, kind="stable")
    ranked, hits = logit[order], on[order].cumsum()
    last = np.append(ranked[1:] != ranked[:-1], True)
    taken = np.arange(1, len(logit) + 1)[last]
    growth = np.diff(hits[last], prepend=0) / hits[-1]
    return float((hits[last] / taken * growth).sum())


def _regression(given: OnTest) -> Found:
    """points: of the first MOST_TARGETS, [true, predicted] of samples at equal distances in the split."""
    true, found = (columns.T[:MOST_COLUMNS].astype(np.float64) for columns in (given.y, given.outputs))
    pairs, count = list(zip(true, found, strict=True)), len(given.y)
    rows = np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(np.int64))
    return {
        "samples": count,
        "targets": [_target(*pair) for pair in pairs],
        "points": [
            [[_short(a), _short(b)] for a, b in zip(one[rows], other[rows], strict=True)]
            for one, other in pairs[:MOST_TARGETS]
        ],
    }


def _target(true: npt.NDArray[np.float64], given: npt.NDArray[np.float64]) -> Found:
    """mae_of_median: of always answering the median of these samples, which is the least that one number can have."""
    off, spread = given - true, float(np.square(true - true.mean()).mean())
    squared = float(np.square(off).mean())
    return {
        "r2": 1.0 - squared / spread if spread > 0 else None,
        "mae": float(np.abs(off).mean()),
        "rmse": math.sqrt(squared),
        "bias": float(off.mean()),
        "mae_of_median": float(np.abs(true - np.median(true)).mean()),
    }


def _classification(given: OnTest) -> Found:
    return confused(given.outputs, given.y, given.split)


def _segmentation(given: OnTest) -> Found:
    return segmented(given.outputs, given.y, given.split.x)


def _short(value: float) -> float:
    """Five digits, for a plot."""
    return float(f"{value:.5g}")


ANSWERED: Mapping[str, Callable[[OnTest], Found]] = {
    "classification": _classification,
    "ordinal": _ordinal,
    "multilabel": _multilabel,
    "regression": _regression,
    "segmentation": _segmentation,
}
"""Problem -> what is told of its answers."""
