"""Which axes of an array of series are channels and steps.

    2 axes   (N, T), series of one channel
    3 axes   (N, T, C) where the last axis is at most 16 and shorter than the one before; else (N, C, T)

Series are read where they are asked for (`kind=series`), and where the shape leaves no doubt: (N, 1, T), since a
picture has more than one row, and (N, C, T) or (N, T, C) of up to 16 channels and more steps than a picture has pixels
on a side. (N, T) alone is never taken for series: it may be a table of features, whose columns have no order in time.
"""

import numpy as np

from workers.datasets.raw import MAX_SIDE, Array, fault

MAX_STEPS = 65_536
MAX_CHANNELS = 1_024
FEW_CHANNELS = 16
"""Of the last axis, to be read as channels."""
NARROW = 4
"""Times as long as wide from which a grey picture of at most 16 rows or columns is told to be perhaps a series."""
SERIES_LAYOUTS = f"(N, T), (N, C, T) or (N, T, C) with 2 to {MAX_STEPS:,} steps and 1 to {MAX_CHANNELS:,} channels"
ASK = "--kind series (kind=series)"


def as_series(x: Array, *, file: str) -> tuple[Array, tuple[str, ...]]:
    """View of `x` as series (N, C, T), and remarks. Raises `shape_invalid`."""
    if x.ndim not in (2, 3):
        ones = " Remove axes of 1, and join others." if x.ndim > 3 else ""
        detail = f"series of shape {x.shape} cannot be read: accepted are {SERIES_LAYOUTS}.{ones}"
        raise fault("shape_invalid", detail, file=file, allowed=SERIES_LAYOUTS)
    series, said = (x[:, None], "") if x.ndim == 2 else _of_three(x, file)
    channels, steps = series.shape[1:]
    if not (len(x) and 1 <= channels <= MAX_CHANNELS and 2 <= steps <= MAX_STEPS):
        detail = f"series of shape {x.shape}, read as {channels} channels of {steps} steps, are empty or too long"
        cure = "cut long ones into pieces, or average neighbouring steps"
        detail = f"{detail}: accepted are {SERIES_LAYOUTS}; {cure}"
        raise fault("shape_invalid", detail, file=file, allowed=SERIES_LAYOUTS)
    return series, (said,) if said else ()


def without_doubt(x: Array) -> bool:
    """Whether an array of three axes can be series only: see the module."""
    shape: tuple[int, ...] = x.shape
    low, high = sorted(shape[1:])
    return shape[1] == 1 < high or (low <= FEW_CHANNELS and high > MAX_SIDE)


def perhaps(x: Array, *, file: str) -> str:
    """What is said of grey pictures (N, H, W) that may be meant as series, "" for nothing."""
    low, high = sorted(x.shape[1:])
    if low > FEW_CHANNELS or high < NARROW * low:
        return ""
    height, width = x.shape[1:]
    said = f"{file} of shape {x.shape} is read as grey pictures of {height} rows and {width} columns"
    return f"{said}; if it holds series, upload it with {ASK}"


def _of_three(x: Array, file: str) -> tuple[Array, str]:
    first, last = x.shape[1:]
    if last <= FEW_CHANNELS and last < first:
        said = f"{file} of shape {x.shape} is read as series of {first} steps with {last} channel{'s' * (last > 1)},"
        return np.moveaxis(x, -1, 1), f"{said} the last axis"
    said = f"{file} of shape {x.shape} is read as series of {last} steps with {first} channels, the second axis; if "
    return x, f"{said}the steps come first, exchange the axes to (N, C, T)" if first > last else ""
