"""adaptive_avg_pool: means over windows chosen for a given output size (He et al. 2014, Spatial Pyramid Pooling)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from space.operations.attributes import Attribute, Extent, Misfit, sides
from space.operations.base import Attrs, Call, Channels, Example, Layer, Shape, brief, require_map, times
from space.operations.saved import INPUTS, NO_TENSOR, Saved


class AdaptiveAvgPool(Layer):
    """(B, C, sides) -> (B, C, size).

    Output i of a side is the mean of the inputs from floor(i · side / size) to below ceil((i + 1) · side / size). It is
    used in shortcuts, and does not count in the receptive field. Raises Misfit if a side would grow.
    """

    name = "adaptive_avg_pool"
    attributes: ClassVar[Mapping[str, Attribute]] = {"size": Extent(low=1, high=65_536)}
    keeps_zero = True
    colour = "#2f9e7f"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"size": 3}),
        Example(attrs={"size": [4, 7]}),
        Example(inputs=((4, 6, 5, 4),), attrs={"size": [3, 2, 4]}),
        Example(inputs=((4, 11),), attrs={"size": 1}),
        Example(inputs=((4, 11),), attrs={"size": [6]}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, *size = require_map(self.name, inputs[0])
        target = sides(f"{self.name} size", attrs["size"], len(size))
        if any(after > before for after, before in zip(target, size, strict=True)):
            raise Misfit(f"{self.name} to {times(target)} cannot enlarge the {times(size)} left", tuple(size))
        return channels, *target

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return NO_TENSOR if attrs["size"] == 1 else INPUTS  # to 1 it is a plain mean

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        target = sides(self.name, attrs["size"], len(inputs[0]) - 1)
        return Call(target=f"AdaptiveAvgPool{len(target)}d", positional={"output_size": brief(target)})

    def label(self, attrs: Attrs) -> str:
        size = attrs["size"]
        return f"avg pool to {times(size) if isinstance(size, tuple) else size}"
