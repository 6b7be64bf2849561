"""conv2d: convolution over a map; plain, k×l, strided, dilated, grouped, depthwise (groups = input channels)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Choice, Flag, Misfit, Pair, Value, Whole
from space.operations.base import (
    Argument,
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

DEFAULTS: dict[str, Argument] = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}


class Conv2d(Layer):
    """(C, H, W) -> (out, H', W'). Padding "same" keeps ceil(H / stride) pixels of odd kernels, "valid" pads nothing."""

    name = "conv2d"
    attributes: ClassVar[Mapping[str, Attribute]] = {
        "out": Whole(low=1, high=65_536),
        "kernel": Pair(low=1, high=255),
        "stride": Whole(low=1, high=64, default=1),
        "dilation": Whole(low=1, high=64, default=1),
        "padding": Choice(options=("same", "valid"), default="same"),
        "groups": Whole(low=1, high=65_536, default=1),
        "bias": Flag(default=True),
    }
    weighted = True
    colour = "#3b6fb6"

    def normal(self, attrs: dict[str, Value]) -> dict[str, Value]:
        if attrs["kernel"] == (1, 1):
            attrs["dilation"], attrs["padding"] = 1, "same"
        return attrs

    def window(self, attrs: Attrs) -> Window:
        kernel = cast("tuple[int, int]", attrs["kernel"])
        dilation = cast(int, attrs["dilation"])
        padding = same_padding(kernel, dilation) if attrs["padding"] == "same" else (0, 0)
        return Window(kernel=kernel, stride=cast(int, attrs["stride"]), dilation=dilation, padding=padding)

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, height, width = require_map(self.name, inputs[0])
        out, groups = cast(int, attrs["out"]), cast(int, attrs["groups"])
        if channels % groups or out % groups:
            raise Misfit(f"conv2d groups {groups} must divide both the {channels} channels in and the {out} out")
        return out, *slide(self.name, self.window(attrs), height, width)

    def _weights(self, attrs: Attrs, channels: int) -> int:
        kernel = cast("tuple[int, int]", attrs["kernel"])
        return cast(int, attrs["out"]) * (channels // cast(int, attrs["groups"])) * kernel[0] * kernel[1]

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        return self._weights(attrs, inputs[0][0]) + (cast(int, attrs["out"]) if attrs["bias"] else 0)

    def macs(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        _, height, width = self.shape(attrs, inputs)
        return self._weights(attrs, inputs[0][0]) * height * width

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        if attrs["groups"] == 1:
            return Channels.MIXES
        return Channels.KEEPS if attrs["groups"] == inputs[0][0] == attrs["out"] else Channels.BINDS

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        window = self.window(attrs)
        keywords: dict[str, Argument] = {
            "kernel_size": brief(window.kernel),
            "stride": window.stride,
            "padding": brief(window.padding),
            "dilation": window.dilation,
            "groups": cast(int, attrs["groups"]),
            "bias": cast(bool, attrs["bias"]),
        }
        positional: dict[str, Argument] = {"in_channels": inputs[0][0], "out_channels": cast(int, attrs["out"])}
        return Call(target="Conv2d", positional=positional, keywords=keywords, defaults=DEFAULTS)

    def label(self, attrs: Attrs) -> str:
        window = self.window(attrs)
        words = [f"conv {window.kernel[0]}×{window.kernel[1]}"]
        if attrs["groups"] != 1:
            words.append("depthwise" if attrs["groups"] == attrs["out"] else f"groups {attrs['groups']}")
        if window.stride > 1:
            words.append(f"stride {window.stride}")
        if window.dilation > 1:
            words.append(f"dilation {window.dilation}")
        return " ".join(words)
