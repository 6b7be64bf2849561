"""Arrays of masks, a class for each pixel of a picture, as numbers or as colours."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from workers.datasets.mask_classes import classes_of
from workers.datasets.raw import Array, fault
from workers.datasets.targets import Found, pieces

LAYOUTS = "(N, H, W), (N, 1, H, W) or (N, H, W, 1) of whole numbers, or colours (N, H, W, 3)"


def are_masks(y: Array) -> bool:
    """By the shape alone."""
    plane = _plane(y)
    return _coloured(y) or (plane.ndim == 3 and min(plane.shape[1:]) > 1)


def as_masks(
    found: Mapping[str, Array], *, files: Mapping[str, str], names: Sequence[str] | None, scratch: Path
) -> Found:
    """y (N, H, W) uint8 of each part, mapped files in `scratch`. Raises InvalidDataset."""
    first = next(iter(files.values()))
    for part, y in found.items():
        if not are_masks(y) or y.dtype.kind not in "biuf":
            detail = f"{files[part]} is {y.dtype} of shape {y.shape}; masks are {LAYOUTS}"
            raise fault("mask_invalid", detail, file=files[part], allowed=LAYOUTS)
    colours = {_coloured(y) for y in found.values()}
    if len(colours) > 1:
        raise fault("mask_invalid", f"{first}: masks of one part are colours, of another numbers", file=first)
    pixels: Counter[int] = Counter()
    for part, y in found.items():
        for rows in pieces(y):
            pixels.update(counted(_codes(y, rows, file=files[part])))
    classes = classes_of(pixels, what=f"the masks {first}", colours=colours.pop(), names=names)
    stored: dict[str, Array] = {}
    for part, y in found.items():
        shape = _plane(y).shape[:3]
        out = np.lib.format.open_memmap(scratch / f"masks-{part}.npy", mode="w+", dtype=np.uint8, shape=shape)
        for rows in pieces(y):
            out[rows] = classes.stored(_codes(y, rows, file=files[part]))
        stored[part] = out
    return stored, classes.names, classes.warnings


def check_sides(x: Array, y: Array, *, file: str, against: str) -> None:
    """x: (N, C, H, W); y: (N, H, W). Raises `mask_invalid` where the sides differ."""
    if x.ndim != 4:
        detail = f"{file} holds masks, and {against} no pictures: masks of volumes and of series are not read"
        raise fault("mask_invalid", detail, file=file)
    if x.shape[2:] != y.shape[1:]:
        detail = f"the masks {file} are {y.shape[1]}×{y.shape[2]}, the pictures {against} {x.shape[2]}×{x.shape[3]}"
        raise fault("mask_invalid", f"{detail}: each pixel needs its class", file=file)


def _coloured(y: Array) -> bool:
    return y.ndim == 4 and y.shape[3] == 3 and y.dtype == np.uint8 and min(y.shape[1:3]) > 1


def _plane(y: Array) -> Array:
    """Without axes of 1 for a channel; colours stay."""
    if y.ndim == 4 and y.shape[1] == 1:
        return y[:, 0]
    return y[..., 0] if y.ndim == 4 and y.shape[3] == 1 else y


def _codes(y: Array, rows: slice, *, file: str) -> Array:
    """Whole numbers (n, H, W) of some masks. Raises `mask_invalid` for others."""
    piece = np.asarray(_plane(y)[rows])
    if _coloured(y):
        return packed(piece)
    if piece.dtype.kind == "f":
        broken = np.floor(piece) != piece
        if broken.any():
            row, at = int(broken.reshape(len(piece), -1).any(axis=1).argmax()), piece[broken][0]
            detail = f"{file} holds {at:g} in mask {rows.start + row}: the class of a pixel is a whole number"
            raise fault("mask_invalid", f"{detail}; multiply masks that were divided by 255", file=file)
    if piece.dtype.kind in "iuf" and np.abs(piece).max() >= 2**31:
        raise fault("mask_invalid", f"{file} holds {np.abs(piece).max():g}, which is no number of a class", file=file)
    return piece.astype(np.int32)


def packed(colours: Array) -> Array:
    """(…, 3) uint8 -> (…) int32, 65536 R + 256 G + B."""
    red, green, blue = (colours[..., channel].astype(np.int32) for channel in range(3))
    return (red << 16) | (green << 8) | blue


def counted(codes: Array) -> dict[int, int]:
    """How many pixels each value has. codes: whole numbers of any shape."""
    flat = np.ravel(codes)
    if flat.min() >= 0 and flat.max() < 2**16:
        counts = np.bincount(flat)
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    values, times = np.unique(flat, return_counts=True)
    return dict(zip(values.tolist(), times.tolist(), strict=True))
