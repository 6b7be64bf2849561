"""Smaller images and volumes, on their device."""

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK_PIXELS = 2**24
"""Pixels that are resized at a time: 64 MiB in float32."""


def smaller_sides(sides: tuple[int, ...], longest: int) -> tuple[int, ...]:
    """The sides, in pixels, of an image whose longest side becomes `longest`; as they are where that is longer."""
    top = max(sides)
    return sides if longest >= top else tuple(max(1, round(side * longest / top)) for side in sides)


def smaller(x: Tensor, longest: int) -> Tensor:
    """(N, C, H, W) or (N, C, D, H, W) of any type -> the same, smaller: each pixel is the mean of those it covers.

    longest: pixels of the longest side; where it is no shorter, x itself. uint8 is rounded.
    """
    sides = smaller_sides(tuple(x.shape[2:]), longest)
    if sides == tuple(x.shape[2:]) or not len(x):
        return x
    rows = max(1, CHUNK_PIXELS // max(1, x[0].numel()))
    return torch.cat([_mean(part, sides) for part in torch.split(x, rows)])


def _mean(x: Tensor, sides: tuple[int, ...]) -> Tensor:
    out = F.interpolate(x.to(torch.float32), size=sides, mode="area")
    return out if x.is_floating_point() else out.round().to(x.dtype)
