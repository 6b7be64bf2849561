"""Which axes of an array of samples are channels, height, width and depth. All of it follows from the lengths.

    2 axes   series (N, T), only where they are asked for
    3 axes   (N, H, W), pictures of one channel; series where these are asked for or beyond doubt, see `series_axes`
    4 axes   (N, H, W, C) when the last axis is 1 to 4; else (N, C, H, W) when the second is; else the shortest axis
             decides: 5 to 16 and last, (N, H, W, C); 5 to 16 and second, (N, C, H, W); volumes (N, D, H, W) where
             neither of these two axes is 16 or less, and for cubes
    5 axes   (N, D, H, W, C) when the last axis is 1 to 4; else (N, C, D, H, W) when the second is

So of two readings the one with few channels at the end wins. Everything else with an axis of 5 to 16 where channels may
be is refused: with an axis of 1 for the channel, (N, 1, D, H, W), it is a volume without doubt. What was taken as
channels or depth is said where another reading is thinkable.
"""

import numpy as np

from workers.datasets.raw import MAX_SIDE, MAX_VOLUME_SIDE, Array, fault
from workers.datasets.series_axes import ASK, SERIES_LAYOUTS, as_series, perhaps, without_doubt

MAX_CHANNELS = 16
FEW = 4
"""Axes this short are channels without more ado: grey, colours, with transparency."""
IMAGE_LAYOUTS = "(N, H, W), (N, H, W, C) or (N, C, H, W) with 1 to 16 channels and sides of 1 to 512"
VOLUME_LAYOUTS = "(N, D, H, W), (N, C, D, H, W) or (N, D, H, W, C) with 1 to 4 channels and sides of 1 to 256"
LAYOUTS = f"images {IMAGE_LAYOUTS}; volumes {VOLUME_LAYOUTS}; series {SERIES_LAYOUTS}"


def as_samples(x: Array, *, file: str, asked: str | None = None) -> tuple[Array, tuple[str, ...]]:
    """View of `x` as pictures (N, C, H, W), volumes (N, C, D, H, W) or series (N, C, T), and remarks.

    asked: one of `archsmith.formats.SAMPLE_KINDS`, None to go by the shape. Raises `shape_invalid`.
    """
    if asked == "series" or (asked is None and x.ndim == 3 and without_doubt(x)):
        series, said = as_series(x, file=file)
        found = f"{file} of shape {x.shape} is read as series {'×'.join(map(str, series.shape[1:]))}, channels by steps"
        return series, said or (() if asked else (found,))
    return _maps(x, file, asked)


def _maps(x: Array, file: str, asked: str | None) -> tuple[Array, tuple[str, ...]]:
    samples, remark = _view(x, file, asked)
    if asked and (samples.ndim == 5) != (asked == "volume"):
        detail = f"{file} of shape {x.shape} holds no {asked}s: accepted are {LAYOUTS}"
        raise fault("shape_invalid", detail, file=file, allowed=LAYOUTS)
    longest = MAX_VOLUME_SIDE if samples.ndim == 5 else MAX_SIDE
    if 0 in samples.shape or max(samples.shape[2:]) > longest:
        hint = f"; if it holds series, upload it with {ASK}" if x.ndim == 3 else ""
        detail = f"samples of shape {x.shape} are empty or too large: accepted are {LAYOUTS}{hint}"
        raise fault("shape_invalid", detail, file=file, allowed=LAYOUTS)
    return samples, (remark,) if remark else ()


def _view(x: Array, file: str, asked: str | None) -> tuple[Array, str]:
    last, second = (n <= FEW for n in (x.shape[-1], x.shape[1] if x.ndim > 1 else 0))
    if x.ndim == 3:
        return x[:, None], "" if asked else perhaps(x, file=file)
    if x.ndim in (4, 5) and last:
        both = f"{file} of shape {x.shape} is read as {x.shape[-1]} channels last, though its second axis is short too"
        return np.moveaxis(x, -1, 1), both if second and x.shape[1] > 1 else ""
    if x.ndim in (4, 5) and second:
        return x, ""
    if x.ndim == 4:
        return _of_lengths(x, file)
    hint = f" If each row is a series of steps, upload it with {ASK}; a plain table of features is not read."
    hint = hint if x.ndim == 2 else ""
    detail = f"samples of shape {x.shape} cannot be read: accepted are {LAYOUTS}.{hint}"
    raise fault("shape_invalid", detail, file=file, allowed=LAYOUTS)


def _of_lengths(x: Array, file: str) -> tuple[Array, str]:
    """(N, a, b, c) with both a and c above 4."""
    a, b, c = x.shape[1:]
    cure = "volumes need an axis for their channel, (N, 1, D, H, W)"
    if c <= MAX_CHANNELS and c < min(a, b):
        said = f"{file} of shape {x.shape} is read as pictures of {a}×{b} with {c} channels, the last axis; {cure}"
        return np.moveaxis(x, -1, 1), said
    if a <= MAX_CHANNELS and a < min(b, c):
        said = f"{file} of shape {x.shape} is read as pictures of {b}×{c} with {a} channels, the second axis; {cure}"
        return x, said
    if a == b == c or min(a, c) > MAX_CHANNELS:
        said = f"{file} of shape {x.shape} is read as volumes of {a}×{b}×{c} with one channel; pictures have at most"
        return x[:, None], "" if a == b == c > MAX_CHANNELS else f"{said} {MAX_CHANNELS} channels"
    detail = (
        f"samples of shape {x.shape} may be pictures with {min(a, c)} channels or volumes: the channels' axis would"
    )
    detail += (
        f" be shorter than all others. {cure}; pictures with few rows need them as (N, C, H, W) with C up to {FEW}"
    )
    raise fault("shape_invalid", detail, file=file, allowed=LAYOUTS)
