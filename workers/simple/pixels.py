"""Simple models of masks: a class for each pixel from its colour, the colours around it, and where it is.

    the channels of the pixel; their means over windows of 3, 7 and 15 pixels; their deviations over 3 and 7; the length
    of the gradient of their mean; row and column

The models are those of classes, fitted to some pixels of all training pictures, with the same bounds of work.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from search.streams import Stream, generator
from workers.datasets.raw import Array
from workers.datasets.strata import UNKNOWN
from workers.simple.estimators import Floats, Predictor
from workers.simple.pictures import value_range
from workers.simple.sampling import Samples

Classes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]

FITTED = 20_000
"""Pixels that a model is fitted to, at most, drawn alike from all training pictures."""

CHANNELS = 16
"""Used of a picture, at most: the first ones."""

MEANS, DEVIATIONS = (3, 7, 15), (3, 7)
"""Windows, in pixels."""

VALUES = 2**24
"""Features held at a time: 64 MB."""


class Pixels:
    """What a model of pixels is fitted to and measured on. x: (n, F); y: (n,) their classes."""

    def __init__(self, samples: Samples, *, seed: int) -> None:
        train, held_out = samples.train.data, samples.held_out.data
        self._scale = value_range(np.asarray(train.x[:64]))
        self._classes = samples.classes
        self._x, self._y = held_out.x, held_out.y
        rng = generator(Stream.SIMPLE_MODELS, seed, 20)
        each = max(1, FITTED // len(train))
        parts = [part for piece in self._pieces(train.x, train.y) for part in _drawn(*piece, each, rng)]
        self.x = np.concatenate([x for x, _ in parts])
        self.y = np.concatenate([y for _, y in parts]).astype(np.int64)

    def score(self, name: str, predict: Predictor) -> float:
        """name: "mean_iou" or "pixel_accuracy", as `workers.train.of_pixels` computes them."""
        answered, truth, both = (np.zeros(self._classes, dtype=np.int64) for _ in range(3))
        for features, y in self._pieces(self._x, self._y):
            judged = y != UNKNOWN
            if not judged.any():
                continue
            found, true = predict(features[judged]).argmax(1), y[judged]
            answered += np.bincount(found, minlength=self._classes)
            truth += np.bincount(true, minlength=self._classes)
            both += np.bincount(true[true == found], minlength=self._classes)
        either = answered + truth - both
        if name == "pixel_accuracy":
            return float(both.sum() / max(1, truth.sum()))
        return float((both / np.maximum(either, 1))[either > 0].mean()) if either.any() else 0.0

    def _pieces(self, x: Array, y: Array) -> Iterator[tuple[Floats, Classes]]:
        """Features (n, H, W, F) and masks (n, H, W) of a few pictures at a time."""
        channels = min(CHANNELS, x.shape[1])
        count = channels * (1 + len(MEANS) + len(DEVIATIONS)) + 3
        low, high = self._scale
        for rows in chunks_of(len(x), count * int(np.prod(x.shape[2:]))):
            scaled = ((np.asarray(x[rows, :channels], dtype=np.float32) - low) / (high - low)).clip(0.0, 1.0)
            yield features(scaled), np.asarray(y[rows])


def chunks_of(count: int, values: int) -> Iterator[slice]:
    """Row ranges with about VALUES values each. values: of one row."""
    step = max(1, VALUES // max(1, values))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _drawn(x: Floats, y: Classes, each: int, rng: np.random.Generator) -> Iterator[tuple[Floats, Classes]]:
    """Of every picture up to `each` of the pixels that are judged."""
    for features_of, mask in zip(x, y, strict=True):
        places = np.flatnonzero(mask != UNKNOWN)
        taken = places if len(places) <= each else np.sort(rng.choice(places, each, replace=False))
        yield features_of.reshape(mask.size, -1)[taken], mask.ravel()[taken]


def features(x: Floats) -> Floats:
    """(n, C, H, W) on a scale of 0 to 1 -> (n, H, W, F)."""
    height, width = x.shape[2:]
    down, right = np.gradient(x.mean(1), axis=(1, 2)) if min(height, width) > 1 else (np.zeros_like(x[:, 0]),) * 2
    places = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    maps = [x]
    means = {window: _mean(x, window) for window in MEANS}
    maps += means.values()
    maps += [np.sqrt(np.maximum(_mean(x * x, window) - means[window] ** 2, 0.0)) for window in DEVIATIONS]
    maps.append(np.hypot(down, right)[:, None])
    maps += [np.broadcast_to(place, (len(x), 1, height, width)) for place in places]
    return np.moveaxis(np.concatenate(maps, axis=1, dtype=np.float32), 1, 3)


def _mean(x: Floats, window: int) -> Floats:
    """(n, C, H, W) -> the same: the mean of the pixels of the picture within a square around each pixel."""
    reach = window // 2
    for axis in (2, 3):
        length = x.shape[axis]
        nothing = np.zeros_like(x.take([0], axis), dtype=np.float64)
        total = np.concatenate([nothing, x.cumsum(axis, dtype=np.float64)], axis)
        first, after = np.maximum(np.arange(length) - reach, 0), np.minimum(np.arange(length) + reach + 1, length)
        shape = [-1 if other == axis else 1 for other in range(4)]
        x = ((total.take(after, axis) - total.take(first, axis)) / (after - first).reshape(shape)).astype(np.float32)
    return x
