"""Simple features of pictures and volumes: colours, coarse pixels, directions of edges.

    colours       a joint histogram of three colours, and a histogram of each channel
    coarse pixels means over a coarse grid
    edges         histograms of gradient directions on a grid (Dalal & Triggs 2005), of pictures

All of x is on the scale 0 to 1: of 0 to 255 for uint8, else of the range seen in the training samples.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from workers.datasets.raw import Array, chunks, item_bytes

Floats = npt.NDArray[np.float32]

LARGEST = 64
"""Pixels on a side that a picture or volume is first reduced to."""

COARSE = 768
"""Coarse pixels of a picture, all channels together; the grid of one with three channels is 16 x 16."""

VOXELS = 1_000
"""Coarse voxels of a volume."""

SIDE = 16
"""Of the coarse grid of a picture, at most."""

COLOURS, BINS, DIRECTIONS, CELLS = 6, 16, 9, 4
"""Steps of a colour in the joint histogram; bins of a channel; directions of a gradient; cells on a side."""

CHANNELS = 32
"""With a histogram of their own."""


def value_range(x: Array) -> tuple[float, float]:
    """What becomes 0 and what becomes 1. x: samples of the training part."""
    if x.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(x.min()), float(x.max())
    return (low, high) if high > low else (low, low + 1.0)


def features(x: Array, low: float, high: float) -> Floats:
    """(N, C, H, W) or (N, C, D, H, W) as stored -> (N, F)."""
    return np.concatenate(list(_pieces(x, low, high)))


def _pieces(x: Array, low: float, high: float) -> Iterator[Floats]:
    for rows in chunks(len(x), item_bytes(x) * 4 // x.dtype.itemsize):
        scaled = ((np.asarray(x[rows], dtype=np.float32) - low) / (high - low)).clip(0.0, 1.0)
        small = pooled(scaled, LARGEST)
        yield np.concatenate([part.reshape(len(small), -1) for part in _parts(small)], axis=1, dtype=np.float32)


def _parts(x: Floats) -> Iterator[Floats]:
    channels, axes = x.shape[1], x.ndim - 2
    flat = x.reshape(*x.shape[:2], -1)
    if channels == 3:
        yield joint_histogram(flat)
    yield from histograms(flat[:, :CHANNELS])
    yield np.concatenate([flat.mean(2), flat.std(2), flat.min(2), flat.max(2)], axis=1)
    most = COARSE if axes == 2 else VOXELS
    side = max(1, int((most / channels) ** (1 / axes) + 1e-9))
    yield pooled(x, min(SIDE, side))
    if axes == 2 and min(x.shape[2:]) > 1:
        yield gradients(x.mean(1))


def pooled(x: Floats, side: int) -> Floats:
    """Means over a grid of at most `side` cells along each axis behind the second, of sizes as equal as they can be."""
    for axis in range(2, x.ndim):
        length = x.shape[axis]
        if length > side:
            starts = np.arange(side) * length // side
            sizes = np.diff([*starts, length]).astype(np.float32)
            shape = [-1 if other == axis else 1 for other in range(x.ndim)]
            x = (np.add.reduceat(x, starts, axis=axis) / sizes.reshape(shape)).astype(np.float32)
    return x


def joint_histogram(x: Floats) -> Floats:
    """(N, 3, pixels) -> (N, COLOURS³): the share of the pixels of each colour."""
    steps = np.minimum((x * COLOURS).astype(np.int64), COLOURS - 1)
    return _shares(steps[:, 0] * COLOURS**2 + steps[:, 1] * COLOURS + steps[:, 2], COLOURS**3)


def histograms(x: Floats) -> Iterator[Floats]:
    """(N, C, pixels) -> C times (N, BINS)."""
    steps = np.minimum((x * BINS).astype(np.int64), BINS - 1)
    for channel in range(x.shape[1]):
        yield _shares(steps[:, channel], BINS)


def _shares(places: npt.NDArray[np.int64], count: int) -> Floats:
    """(N, pixels) numbers below `count` -> (N, count) the share of each."""
    samples, pixels = places.shape
    numbers = places + count * np.arange(samples)[:, None]
    found = np.bincount(numbers.ravel(), minlength=samples * count)
    shares: Floats = (found.reshape(samples, count) / pixels).astype(np.float32)
    return shares


def gradients(x: Floats) -> Floats:
    """(N, H, W) -> (N, CELLS² * DIRECTIONS): lengths of gradients by direction, over their sum in the picture."""
    down, right = np.gradient(x, axis=(1, 2))
    length = np.hypot(down, right)
    turn = np.arctan2(down, right) / np.pi % 1.0  # opposite directions are one
    bins = np.minimum((turn * DIRECTIONS).astype(np.int64), DIRECTIONS - 1)
    split = np.stack([length * (bins == number) for number in range(DIRECTIONS)], axis=1)
    cells = pooled(split, CELLS).reshape(len(x), -1)
    shares: Floats = (cells / np.maximum(cells.sum(1, keepdims=True), 1e-6)).astype(np.float32)
    return shares
