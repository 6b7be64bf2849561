"""resize: a map enlarged to a multiple of its size, by repeating positions or by interpolation."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Choice, Misfit, Whole
from space.operations.base import Argument, Attrs, Call, Channels, Example, Layer, Shape, Window, require_map, times
from space.operations.saved import NO_TENSOR, Saved

MAX_POSITIONS = 2**22
"""Of a resized map: 2048×2048 or 161×161×161. With 16 channels of float32 that is 256 MiB for each sample."""

MAX_SIDE = 4096
MAX_STEPS = 65_536
"""Of a resized map and of a resized series, the same as for an input."""

LIMIT = f"a resized map has at most {MAX_POSITIONS:,} positions and sides of {MAX_SIDE}, a series {MAX_STEPS:,} steps"

MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def too_large(size: Sequence[int]) -> bool:
    """Whether a map of these sides exceeds the limits of a resized map."""
    return math.prod(size) > MAX_POSITIONS or max(size) > (MAX_STEPS if len(size) == 1 else MAX_SIDE)


class Resize(Layer):
    """(B, C, sides) -> (B, C, factor · sides).

    mode "nearest" repeats each position `factor` times along each side; "linear" interpolates between the centres of
    the positions (linear on series, trilinear on volumes) and repeats the edge. Raises Misfit if the result exceeds
    MAX_POSITIONS, MAX_SIDE or MAX_STEPS.
    """

    name = "resize"
    attributes: ClassVar[Mapping[str, Attribute]] = {
        "factor": Whole(low=2, high=8, default=2),
        "mode": Choice(options=("nearest", "linear")),
    }
    keeps_zero = True
    colour = "#2f9e7f"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"mode": "nearest"}),
        Example(attrs={"mode": "nearest", "factor": 3}),
        Example(attrs={"mode": "linear"}),
        Example(attrs={"mode": "linear", "factor": 4}),
        Example(inputs=((4, 5, 4, 3),), attrs={"mode": "nearest"}),
        Example(inputs=((4, 5, 4, 3),), attrs={"mode": "linear"}),
        Example(inputs=((4, 11),), attrs={"mode": "nearest"}),
        Example(inputs=((4, 11),), attrs={"mode": "linear"}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, *sides = require_map(self.name, inputs[0])
        size = tuple(cast(int, attrs["factor"]) * side for side in sides)
        if too_large(size):
            raise Misfit(f"resize to {times(size)}: {LIMIT}")
        return channels, *size

    def window(self, attrs: Attrs, inputs: Sequence[Shape]) -> Window:
        rank, reach = len(inputs[0]) - 1, int(attrs["mode"] == "linear")
        kernel, padding = (1 + 2 * reach,) * rank, (reach,) * rank
        return Window(kernel=kernel, padding=padding, up=cast(int, attrs["factor"]))

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return NO_TENSOR

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        mode = "nearest" if attrs["mode"] == "nearest" else MODES[len(inputs[0]) - 1]
        keywords: dict[str, Argument] = {"scale_factor": cast(int, attrs["factor"]), "mode": mode}
        return Call(target="Upsample", keywords=keywords)

    def label(self, attrs: Attrs) -> str:
        return f"resize ×{attrs['factor']} {attrs['mode']}"
