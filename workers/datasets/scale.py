"""Whether the splits of a source hold values of one kind: training arrays of 0 to 1 and test arrays to 255 are not."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from workers.datasets.raw import Array

SAMPLES = 500
"""Of each split, evenly spread: percentiles of 500 samples tell a factor of 4 from chance."""
FACTOR = 4.0
SHIFT = 3.0
_VALUES = 2**22


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    low: float
    high: float
    mean: float
    std: float
    type: str


def scale_warnings(pieces: Mapping[str, Array], files: Mapping[str, str]) -> tuple[str, ...]:
    """What differs between the training samples and the others, most likely by mistake. Constant arrays are skipped."""
    if len(pieces) < 2 or "train" not in pieces:
        return ()
    train, found = _scale(pieces["train"]), []
    for part, piece in pieces.items():
        if part != "train" and (problem := _problem(train, _scale(piece))):
            found.append(
                f"{files[part]} is unlike {files['train']}: {problem}; a model trained on one misjudges the other"
            )
    return tuple(found)


def _scale(x: Array) -> _Scale:
    step = max(1, len(x) // SAMPLES)
    some = x[::step][: max(1, min(SAMPLES, _VALUES // max(1, x[0].size)))]
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.asarray(some, dtype=np.float64).reshape(-1)
    low, high = np.percentile(values, [0.5, 99.5])
    if low == high:
        low, high = values.min(), values.max()
    kind = "floats" if x.dtype.kind == "f" else "whole numbers"
    return _Scale(low=float(low), high=float(high), mean=float(values.mean()), std=float(values.std()), type=kind)


def _problem(train: _Scale, other: _Scale) -> str:
    widths = (train.high - train.low, other.high - other.low)
    ranges = f"{other.low:g} to {other.high:g} against {train.low:g} to {train.high:g}"
    if not np.isfinite(widths).all() or min(widths) <= 0:
        return ""
    if not 1 / FACTOR < widths[1] / widths[0] < FACTOR:
        return f"most of its values are {ranges}, {max(widths) / min(widths):.3g} times the range"
    if abs(train.mean - other.mean) > SHIFT * max(train.std, other.std):
        return f"its mean is {other.mean:g} against {train.mean:g}"
    if (train.low >= 0) != (other.low >= 0) and min(train.low, other.low) < -0.1 * max(widths):
        return f"most of its values are {ranges}, below 0 in one of them only"
    return f"it holds {other.type}, not {train.type}" if train.type != other.type else ""
