"""What maxpool and avgpool share: a window without weights that slides over each channel."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Choice, Pair, Value, Whole
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
)


class Pooling(Layer):
    """(C, H, W) -> (C, H', W'). Padding "valid" drops what does not fill a window, "same" keeps ceil(H / stride)."""

    attributes: ClassVar[Mapping[str, Attribute]] = {
        "kernel": Pair(low=1, high=255),
        "stride": Whole(low=1, high=64, default=1),
        "padding": Choice(options=("same", "valid"), default="valid"),
    }
    target: ClassVar[str]
    verb: ClassVar[str]
    colour = "#2f9e7f"

    def normal(self, attrs: dict[str, Value]) -> dict[str, Value]:
        if attrs["kernel"] == (1, 1):
            attrs["padding"] = "valid"
        return attrs

    def window(self, attrs: Attrs) -> Window:
        kernel = cast("tuple[int, int]", attrs["kernel"])
        padding = same_padding(kernel, 1) if attrs["padding"] == "same" else (0, 0)
        return Window(kernel=kernel, stride=cast(int, attrs["stride"]), dilation=1, padding=padding)

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, height, width = require_map(self.name, inputs[0])
        return channels, *slide(self.name, self.window(attrs), height, width)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:  # noqa: ARG002
        return Channels.KEEPS

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:  # noqa: ARG002
        window = self.window(attrs)
        return Call(
            target=self.target,
            positional={"kernel_size": brief(window.kernel)},
            keywords={"stride": window.stride, "padding": brief(window.padding)},
            defaults={"padding": 0},
        )

    def label(self, attrs: Attrs) -> str:
        window = self.window(attrs)
        stride = f" stride {window.stride}" if window.stride > 1 else ""
        return f"{self.verb} pool {window.kernel[0]}×{window.kernel[1]}{stride}"
