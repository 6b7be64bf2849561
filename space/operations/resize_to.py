"""resize_to: a map enlarged to given sides, whether or not they are a multiple of its own."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from space.operations.attributes import Attribute, Choice, Extent, Misfit, sides
from space.operations.base import (
    Argument,
    Attrs,
    Call,
    Channels,
    Example,
    Layer,
    Shape,
    Window,
    brief,
    require_map,
    times,
)
from space.operations.resize import LIMIT, MODES, too_large
from space.operations.saved import NO_TENSOR, Saved


class ResizeTo(Layer):
    """(B, C, sides) -> (B, C, size).

    mode "nearest" takes for output i of a side the position floor(i · side / size); "linear" interpolates between the
    centres of the positions (bilinear, trilinear on volumes) and repeats the edge. So a decoder meets maps whose sides
    were rounded on the way down, and logits meet the pixels of the input (Long et al. 2015, Fully Convolutional
    Networks, section 3.3). Raises Misfit if a side would shrink, or if the result exceeds the limits of a resized map.
    """

    name = "resize_to"
    attributes: ClassVar[Mapping[str, Attribute]] = {
        "size": Extent(low=1, high=4096),
        "mode": Choice(options=("nearest", "linear")),
    }
    keeps_zero = True
    colour = "#2f9e7f"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"size": 24, "mode": "linear"}),
        Example(attrs={"size": 48, "mode": "nearest"}),
        Example(attrs={"size": 72, "mode": "linear"}),
        Example(inputs=((4, 5, 4, 3),), attrs={"size": 24, "mode": "nearest"}),
        Example(inputs=((4, 5, 4, 3),), attrs={"size": 24, "mode": "linear"}),
        Example(inputs=((4, 11),), attrs={"size": 96, "mode": "linear"}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, *size = require_map(self.name, inputs[0])
        target = sides(f"{self.name} size", attrs["size"], len(size))
        if any(after < before for after, before in zip(target, size, strict=True)):
            raise Misfit(f"{self.name} to {times(target)} cannot shrink the {times(size)} it reads")
        if too_large(target):
            raise Misfit(f"{self.name} to {times(target)}: {LIMIT}")
        return channels, *target

    def window(self, attrs: Attrs, inputs: Sequence[Shape]) -> Window:
        """The nearest whole factor stands for a size that is no multiple; of unlike sides, the larger one's."""
        size = inputs[0][1:]
        target = sides(self.name, attrs["size"], len(size))
        up = max(round(after / before) for after, before in zip(target, size, strict=True))
        reach = [int(attrs["mode"] == "linear" and after > before) for after, before in zip(target, size, strict=True)]
        return Window(kernel=tuple(1 + 2 * each for each in reach), padding=tuple(reach), up=up)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return NO_TENSOR

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        rank = len(inputs[0]) - 1
        mode = "nearest" if attrs["mode"] == "nearest" else MODES[rank]
        keywords: dict[str, Argument] = {"size": brief(sides(self.name, attrs["size"], rank)), "mode": mode}
        return Call(target="Upsample", keywords=keywords)

    def label(self, attrs: Attrs) -> str:
        size = attrs["size"]
        return f"resize to {times(size) if isinstance(size, tuple) else size} {attrs['mode']}"
