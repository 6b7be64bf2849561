"""global_avg_pool: the mean of each channel over the whole map (Lin, Chen, Yan 2013, section 3.2)."""

from collections.abc import Sequence
from typing import ClassVar

from space.operations.base import Attrs, Call, Channels, Example, Layer, Shape, require_map
from space.operations.saved import NO_TENSOR, Saved


class GlobalAvgPool(Layer):
    """(B, C, H, W) -> (B, C, 1, 1), likewise (B, C, 1, 1, 1) for volumes, (B, C, 1) for series."""

    name = "global_avg_pool"
    keeps_zero = True
    colour = "#2f9e7f"
    examples: ClassVar[tuple[Example, ...]] = (Example(), Example(inputs=((4, 3, 5, 4),)), Example(inputs=((4, 11),)))

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, *size = require_map(self.name, inputs[0])
        return channels, *([1] * len(size))

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return NO_TENSOR

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        return Call(target=f"AdaptiveAvgPool{len(inputs[0]) - 1}d", positional={"output_size": 1})
