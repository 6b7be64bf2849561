"""What maxpool and avgpool share: a window without weights that moves over each channel."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Choice, Extent, Value, Whole, sides
from space.operations.base import (
    Attrs,
    Call,
    Channels,
    Layer,
    Shape,
    Window,
    brief,
    require_map,
    same_padding,
    slide,
    times,
)
from space.operations.saved import INPUTS, Saved


class Pooling(Layer):
    """(B, C, sides) -> (B, C, sides'). Padding "valid" drops what does not fill a window.

    Padding "same" gives sides' = ceil(sides / stride) for odd kernels; an even kernel loses a pixel. Raises Misfit if
    the window does not fit into the map.
    """

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "kernel": Extent(low=1, high=255),
        "stride": Whole(low=1, high=64, default=1),
        "padding": Choice(options=("same", "valid"), default="valid"),
    }
    target: ClassVar[str]
    verb: ClassVar[str]
    keeps_zero = True
    colour = "#2f9e7f"

    def normal(self, attrs: dict[str, Value]) -> dict[str, Value]:
        if attrs["kernel"] == 1:
            attrs["padding"] = "valid"
        return attrs

    def window(self, attrs: Attrs, inputs: Sequence[Shape]) -> Window:
        kernel = sides(f"{self.name} kernel", attrs["kernel"], len(inputs[0]) - 1)
        padding = same_padding(kernel, 1) if attrs["padding"] == "same" else (0,) * len(kernel)
        return Window(kernel=kernel, stride=cast(int, attrs["stride"]), padding=padding)

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, *size = require_map(self.name, inputs[0])
        return channels, *slide(self.name, self.window(attrs, inputs), size)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return INPUTS

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        window = self.window(attrs, inputs)
        return Call(
            target=f"{self.target}{len(window.kernel)}d",
            positional={"kernel_size": brief(window.kernel)},
            keywords={"stride": window.stride, "padding": brief(window.padding)},
            defaults={"padding": 0},
        )

    def label(self, attrs: Attrs) -> str:
        kernel = attrs["kernel"]
        stride = f" stride {attrs['stride']}" if cast(int, attrs["stride"]) > 1 else ""
        return f"{self.verb} pool {times(kernel) if isinstance(kernel, tuple) else kernel}{stride}"
