"""The larger maps that a network has passed on its way down, to which the decoder of a segmentation can go back up."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
Size = tuple[int, ...]


def passed(maps: tuple[T, ...], before: T, after: Size, sides: Callable[[T], Size]) -> tuple[T, ...]:
    """The maps to go back to after a step from the map `before` to one with the sides `after`, the largest first.

    maps: those before this step. A map counts where the present one is at most two thirds as long: so strides and
    pooling make a new scale, what an unpadded kernel takes off the edges does not, and resizing up may undo one.
    sides: those of a map.
    """
    return tuple(each for each in (*maps, before) if 3 * max(after) <= 2 * max(sides(each)))
