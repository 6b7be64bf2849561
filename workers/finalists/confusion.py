"""What a classification answers on the test split: figures of each class, and which classes are taken for which.

For the pairs that are confused most the sample is named of which the network is surest, with its picture where it is
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

MOST_CLASSES = 50
"""Of the table of answers."""
MOST_ROWS = 200
"""Classes with figures of their own; the first ones."""
PAIRS = 8
DARK = 16
"""Bytes up to this are no brightness of 0 to 255, such as the 0 to 16 of the digits: they are stretched."""
SHOWN = 96
"""Pixels of the longest side of a picture, at most: eight of them take some 150 kB of the report."""


def confused(outputs: Array, y: Array, split: Split | MappedSplit | GraphSplit) -> dict[str, Any]:
    """outputs: (n, K) logits. y: (n,) classes. split: the samples; of pictures some are shown.

    classes: of each class its samples, the share of them that is answered as it (recall), and the share of the answers
    that are right (precision); None where they are not defined. table: (K, K) counts, rows by the true class; None for
    many classes. confused: the pairs of classes with most samples, see `_pair`.
    """
    found, truth, classes = outputs.argmax(1), y.astype(np.int64), outputs.shape[1]
    table = np.bincount(truth * classes + found, minlength=classes**2).reshape(classes, classes)
    return {
        "samples": len(truth),
        "classes": [_class(table, k) for k in range(min(classes, MOST_ROWS))],
        "table": table.tolist() if classes <= MOST_CLASSES else None,
        "confused": _pairs(outputs, found, truth, table, split),
    }


def _class(table: npt.NDArray[np.int64], k: int) -> dict[str, Any]:
    right, has, answers = int(table[k, k]), int(table[k].sum()), int(table[:, k].sum())
    return {
        "samples": has,
        "recall": right / has if has else None,
        "precision": right / answers if answers else None,
    }


def _pairs(
    outputs: Array, found: Array, truth: Array, table: npt.NDArray[np.int64], split: Split | MappedSplit | GraphSplit
) -> list[dict[str, Any]]:
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [(int(k), int(j)) for k, j in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[k, j]]
    surest = [_surest(outputs, found, truth, pair) for pair in pairs]
    pictures = _pictures(split, [row for row, _ in surest])
    return [
        {
            "truth": k,
            "answer": j,
            "samples": int(wrong[k, j]),
            "example": {"row": row, "probability": share, "picture": pictures.get(row)},
        }
        for (k, j), (row, share) in zip(pairs, surest, strict=True)
    ]


def _surest(outputs: Array, found: Array, truth: Array, pair: tuple[int, int]) -> tuple[int, float]:
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
