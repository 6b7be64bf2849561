"""What a classification answers on the test split: figures of each class, and which classes are taken for which.

For the pairs that are confused most stands the wrong answer of highest confidence, with its picture where the sample is
one: it is either hard to tell, or labelled wrong.
"""

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.datasets import GraphSplit, MappedSplit, Split
from workers.datasets.drawn import picture_png
from workers.datasets.mapped import MappedRows
from workers.datasets.raw import Array

Counts = npt.NDArray[np.int64]

MOST_CLASSES = 50
"""Of the confusion matrix. Data sets have up to 10,000 classes, whose matrix would take 800 MB."""
MOST_ROWS = 200
"""Classes with figures of their own; the first ones."""
PAIRS = 8
DARK = 16
"""Bytes up to this are no brightness of 0 to 255, such as the 0 to 16 of the digits: they are stretched."""
SHOWN = 96
"""Pixels of the longest side of a picture, at most: eight photographs take 130 to 200 kB of the report."""


def confused(outputs: Array, y: Array, split: Split | MappedSplit | GraphSplit) -> dict[str, Any]:
    """outputs: (n, K) logits. y: (n,) classes. split: the samples; of pictures some are shown.

    classes: of each class its samples, the share of them that is answered as it (recall), and the share of the answers
    that are right (precision); None where they are not defined. table: the confusion matrix, (K, K) counts, rows by the
    true class; None for many classes. confused: the pairs of classes with most samples, see `_pairs`.
    """
    found, truth, classes = outputs.argmax(1), y.astype(np.int64), outputs.shape[1]
    right, has, answers = (np.bincount(k, minlength=classes) for k in (truth[truth == found], truth, found))
    table = None
    if classes <= MOST_CLASSES:
        table = np.bincount(truth * classes + found, minlength=classes**2).reshape(classes, classes).tolist()
    return {
        "samples": len(truth),
        "classes": [_class(right[k], has[k], answers[k]) for k in range(min(classes, MOST_ROWS))],
        "table": table,
        "confused": _pairs(outputs, found, truth, split),
    }


def _class(right: np.int64, has: np.int64, answers: np.int64) -> dict[str, Any]:
    return {
        "samples": int(has),
        "recall": float(right / has) if has else None,
        "precision": float(right / answers) if answers else None,
    }


def _pairs(
    outputs: Array, found: Array, truth: Counts, split: Split | MappedSplit | GraphSplit
) -> list[dict[str, Any]]:
    """truth, answer: classes. samples: of the pair. example: its row of the test split, confidence and picture."""
    wrong = np.flatnonzero(truth != found)
    codes, counts = np.unique(truth[wrong] * outputs.shape[1] + found[wrong], return_counts=True)
    most = np.argsort(-counts, kind="stable")[:PAIRS]
    pairs = [divmod(int(code), outputs.shape[1]) for code in codes[most]]
    examples = [_most_confident(outputs, found, truth, pair) for pair in pairs]
    pictures = _pictures(split, [row for row, _ in examples])
    return [
        {
            "truth": k,
            "answer": j,
            "samples": int(count),
            "example": {"row": row, "probability": share, "picture": pictures.get(row)},
        }
        for (k, j), count, (row, share) in zip(pairs, counts[most], examples, strict=True)
    ]


def _most_confident(outputs: Array, found: Array, truth: Counts, pair: tuple[int, int]) -> tuple[int, float]:
    """The row of the test split, and the probability of the wrong answer."""
    rows = np.flatnonzero((truth == pair[0]) & (found == pair[1]))
    logits = outputs[rows].astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = powers[:, pair[1]] / powers.sum(axis=1)
    place = int(shares.argmax())
    return int(rows[place]), float(shares[place])


def _pictures(split: Split | MappedSplit | GraphSplit, rows: list[int]) -> dict[int, str]:
    """Row -> a PNG in base64; empty for what is no picture of two dimensions."""
    if isinstance(split, GraphSplit) or len(split.x.shape) != 4 or not rows:
        return {}
    ordered = np.unique(rows)
    shown = split.x.read(ordered) if isinstance(split.x, MappedRows) else np.asarray(split.x[ordered])
    low, high = float(shown.min()), float(shown.max())
    if shown.dtype == np.uint8:
        low, high = 0.0, 255.0 if high > DARK else high
    step = -(-max(shown.shape[2:]) // SHOWN)
    return {
        row: base64.b64encode(picture_png(x[:, ::step, ::step], low, high)).decode("ascii")
        for row, x in zip(ordered.tolist(), shown, strict=True)
    }
