"""What a segmentation answers on the test split: figures of each class, and some pictures with both masks.

The pictures are spread from the one that is answered worst to the one that is answered best, so that they show what
goes wrong and how well it can go.
"""

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.datasets.drawn import mask_png, picture_png
from workers.datasets.mapped import MappedRows
from workers.datasets.raw import Array, chunks, item_bytes
from workers.datasets.strata import UNKNOWN

EXAMPLES = 6
SHOWN = 128
"""Pixels of the longest side of an example, at most: six of them take some 200 kB of the report."""

Counts = npt.NDArray[np.int64]


def segmented(found: Array, y: Array, x: Array | MappedRows) -> dict[str, Any]:
    """found, y: (N, H, W) answers and truth, 255 where a pixel is not judged. x: (N, C, H, W) the pictures.

    samples, pixels: that are judged. classes: of each class up to the largest that occurs, pixels that are of it, the
    pictures that have any, the intersection over union and the recall; None where they are not defined. examples: see
    `_example`.
    """
    truth, answered, both = (np.zeros((len(y), UNKNOWN), dtype=np.int64) for _ in range(3))
    for rows in chunks(len(y), 8 * item_bytes(y)):
        for number, pair in enumerate(zip(found[rows], y[rows], strict=True), start=rows.start):
            answer, true = (mask[pair[1] != UNKNOWN] for mask in pair)
            truth[number] = np.bincount(true, minlength=UNKNOWN)[:UNKNOWN]
            answered[number] = np.bincount(answer, minlength=UNKNOWN)[:UNKNOWN]
            both[number] = np.bincount(true[true == answer], minlength=UNKNOWN)[:UNKNOWN]
    classes = 1 + int(np.flatnonzero((truth + answered).sum(0)).max(initial=0))
    return {
        "samples": len(y),
        "pixels": int(truth.sum()),
        "classes": [_class(truth[:, k], answered[:, k], both[:, k]) for k in range(classes)],
        "examples": _examples(found, y, x, both.sum(1) / np.maximum(truth.sum(1), 1)),
    }


def _class(truth: Counts, answered: Counts, both: Counts) -> dict[str, Any]:
    """truth, answered, both: (N,) pixels of one class in each picture."""
    true, right = int(truth.sum()), int(both.sum())
    either = true + int(answered.sum()) - right
    return {
        "pixels": true,
        "pictures": int((truth > 0).sum()),
        "iou": right / either if either else None,
        "recall": right / true if true else None,
    }


def _examples(found: Array, y: Array, x: Array | MappedRows, right: npt.NDArray[np.float64]) -> list[dict[str, Any]]:
    """right: (N,) the share of each picture's judged pixels that are right."""
    order = np.argsort(right, kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, min(EXAMPLES, len(order))).round().astype(np.int64))
    rows = order[places]
    ordered = np.sort(rows)
    shown = x.read(ordered) if isinstance(x, MappedRows) else np.asarray(x[ordered])
    low, high = (0.0, 255.0) if shown.dtype == np.uint8 else (float(shown.min()), float(shown.max()))
    pictures = dict(zip(ordered.tolist(), shown, strict=True))
    return [_example(row, found[row], y[row], pictures[row], low, high, float(right[row])) for row in rows.tolist()]


def _example(row: int, found: Array, y: Array, x: Array, low: float, high: float, right: float) -> dict[str, Any]:
    """row: of the test split. right: as above. picture, truth, answer: PNG files in base64, of at most SHOWN pixels."""
    step = -(-max(y.shape) // SHOWN)
    pictures = {
        "picture": picture_png(np.asarray(x)[:, ::step, ::step], low, high),
        "truth": mask_png(y[::step, ::step]),
        "answer": mask_png(found[::step, ::step]),
    }
    return {
        "row": row,
        "right": right,
        **{name: base64.b64encode(png).decode("ascii") for name, png in pictures.items()},
    }
