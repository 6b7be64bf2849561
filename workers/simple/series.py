"""Simple features of series, of each channel: summaries, the series coarsely, and its spectrum.

    summaries       mean, deviation, quantiles, skewness, kurtosis, trend, turns and crossings of the mean a step, the
                    autocorrelation at lags of 1, 2, 4, … steps (after Lubba et al. 2019, catch22)
    coarse series   means over a grid, from which a model can tell where something happens
    spectrum        logarithms of the power in bands, from the whole series: how it is, wherever it happens

Series of a single length, of values as they are: a linear model standardises its features, and trees need no scale.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from workers.datasets.raw import Array, chunks, item_bytes
from workers.simple.pictures import pooled

Floats = npt.NDArray[np.float32]

COARSE, BANDS = 768, 768
"""Of all channels together; of one channel at most GRID and SPECTRUM."""

GRID, SPECTRUM = 128, 96

CHANNELS = 128
"""Of more channels, the means over this many groups of neighbours."""

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
LAGS = (1, 2, 4, 8, 16, 32, 64)


def features(x: Array) -> Floats:
    """(N, C, T) as stored -> (N, F)."""
    return np.concatenate([_features(np.asarray(x[rows], dtype=np.float32)) for rows in _rows(x)])


def _rows(x: Array) -> Iterator[slice]:
    return chunks(len(x), item_bytes(x) * 8 // x.dtype.itemsize)


def _features(x: Floats) -> Floats:
    if x.shape[1] > CHANNELS:
        x = _means(x)
    parts = [*summaries(x), pooled(x, _each(COARSE, x, GRID)), spectrum(x, _each(BANDS, x, SPECTRUM))]
    return np.concatenate([part.reshape(len(x), -1) for part in parts], axis=1, dtype=np.float32)


def _each(together: int, x: Floats, most: int) -> int:
    """Of one channel."""
    channels: int = x.shape[1]
    return max(1, min(most, together // channels))


def _means(x: Floats) -> Floats:
    """(N, C, T) -> (N, CHANNELS, T): means over neighbouring channels."""
    starts = np.arange(CHANNELS) * x.shape[1] // CHANNELS
    sizes = np.diff([*starts, x.shape[1]]).astype(np.float32)
    found: Floats = (np.add.reduceat(x, starts, axis=1) / sizes[:, None]).astype(np.float32)
    return found


def summaries(x: Floats) -> Iterator[Floats]:
    """(N, C, T) -> several (N, C)."""
    mean, std = x.mean(2, keepdims=True), x.std(2, keepdims=True)
    yield from (mean[..., 0], std[..., 0])
    yield from np.quantile(x, QUANTILES, axis=2).astype(np.float32)
    z = (x - mean) / np.maximum(std, 1e-6)
    yield from ((z**power).mean(2) for power in (3, 4))
    steps = np.linspace(-1.0, 1.0, x.shape[2], dtype=np.float32)
    yield (z * steps).mean(2)
    moved = np.diff(x, axis=2)
    yield from (np.abs(moved).mean(2), moved.std(2))
    yield ((z[..., 1:] >= 0) != (z[..., :-1] >= 0)).mean(2, dtype=np.float32)
    if x.shape[2] > 2:
        yield ((moved[..., 1:] >= 0) != (moved[..., :-1] >= 0)).mean(2, dtype=np.float32)
    yield from ((z[..., lag:] * z[..., :-lag]).mean(2) for lag in LAGS if 2 * lag <= x.shape[2])


def spectrum(x: Floats, bands: int) -> Floats:
    """(N, C, T) -> (N, C, at most `bands`): log(1 + power / mean power) by frequency, the mean left out."""
    power = np.abs(np.fft.rfft(x - x.mean(2, keepdims=True), axis=2)[..., 1:]).astype(np.float32) ** 2
    if not power.shape[2]:
        return np.zeros((*x.shape[:2], 1), dtype=np.float32)
    banded = pooled(power, bands)
    shares: Floats = np.log1p(banded / np.maximum(banded.mean(2, keepdims=True), 1e-12)).astype(np.float32)
    return shares
