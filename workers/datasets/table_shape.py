"""The sides of pictures in a table of pixels."""

import math
import re
from collections.abc import Sequence

from workers.datasets.raw import MAX_SIDE, fault

PLACE = re.compile(r"(\d+)x(\d+)")
"""The name of a column: the row and the column of a pixel."""


def picture_shape(values: int, pixels: Sequence[str], *, file: str, remarks: list[str]) -> tuple[int, int, int]:
    """(H, W, C) of the values of a picture. pixels: the names of their columns. Raises `shape_invalid`."""
    if (m := PLACE.fullmatch(pixels[-1])) and values > 1:
        first = PLACE.fullmatch(pixels[0])
        base = int(first[1]) if first else 0
        sides = int(m[1]) - base + 1, int(m[2]) - base + 1
        if math.prod(sides) == values and max(sides) <= MAX_SIDE:
            return (*sides, 1)
    for channels in (1, 3):
        side = math.isqrt(values // channels)
        if side * side * channels == values and 1 < side <= MAX_SIDE:
            if channels == 3:
                said = f"{file}: {values} values a picture are read as {side}×{side} pixels of three values, the"
                remarks.append(f"{said} three of a pixel together (H, W, C)")
            return side, side, channels
    detail = f"{file} has {values} pixels a picture, which are no square, with one or three values a pixel"
    raise fault("shape_invalid", f"{detail}; name the columns 1x1, 1x2, … for other shapes", file=file)
