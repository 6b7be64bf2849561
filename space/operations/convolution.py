"""What conv1d, conv2d and conv3d share: convolution over a map; plain, k×l, strided, dilated, grouped, depthwise."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Choice, Extent, Flag, Misfit, Value, Whole, sides
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
    times,
)
from space.operations.saved import FLOAT, Bytes, Saved

DEFAULTS: dict[str, Argument] = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
BLOCK = 16
"""Channels in a block of oneDNN's own memory layout with AVX-512. With AVX2 it is 8, and narrow maps take less; one
value is used for all machines, so that a constraint on memory allows the same networks everywhere."""


class Convolution(Layer):
    """(B, C, sides) -> (B, out, sides'), with out · C / groups · k · l weights, and `out` biases.

    k · l is the kernel of images; it is k of series and k · l · d of volumes.
    Padding "same" gives sides' = ceil(sides / stride) for odd kernels, "valid" does not pad. A depthwise convolution
    has `groups` = C. Raises Misfit if the map has another number of sides, if the groups do not divide both C and
    `out`, or if the kernel does not fit into the map.
    """

    rank: ClassVar[int]
    target: ClassVar[str]
    attributes: ClassVar[Mapping[str, Attribute]] = {
        "out": Whole(low=1, high=65_536),
        "kernel": Extent(low=1, high=255),
        "stride": Whole(low=1, high=64, default=1),
        "dilation": Whole(low=1, high=64, default=1),
        "padding": Choice(options=("same", "valid"), default="same"),
        "groups": Whole(low=1, high=65_536, default=1),
        "bias": Flag(default=True),
    }
    weighted = True
    colour = "#3b6fb6"

    def normal(self, attrs: dict[str, Value]) -> dict[str, Value]:
        if attrs["kernel"] == 1:
            attrs["dilation"], attrs["padding"] = 1, "same"
        return attrs

    def window(self, attrs: Attrs, inputs: Sequence[Shape]) -> Window:
        kernel = sides(f"{self.name} kernel", attrs["kernel"], self.rank)
        dilation = cast(int, attrs["dilation"])
        padding = same_padding(kernel, dilation) if attrs["padding"] == "same" else (0,) * self.rank
        return Window(kernel=kernel, stride=cast(int, attrs["stride"]), dilation=dilation, padding=padding)

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, *size = require_map(self.name, inputs[0])
        if len(size) != self.rank:
            raise Misfit(f"{self.name} reads maps with {self.rank} sides, got {inputs[0]}")
        out, groups = cast(int, attrs["out"]), cast(int, attrs["groups"])
        if channels % groups or out % groups:
            raise Misfit(f"{self.name} groups {groups} must divide both the {channels} channels in and the {out} out")
        return out, *slide(self.name, self.window(attrs, inputs), size)

    def _weights(self, attrs: Attrs, channels: int) -> int:
        taps = math.prod(sides(self.name, attrs["kernel"], self.rank))
        return cast(int, attrs["out"]) * (channels // cast(int, attrs["groups"])) * taps

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        return self._weights(attrs, inputs[0][0]) + (cast(int, attrs["out"]) if attrs["bias"] else 0)

    def macs(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        return self._weights(attrs, inputs[0][0]) * math.prod(self.shape(attrs, inputs)[1:])

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        if attrs["groups"] == 1:
            return Channels.MIXES
        return Channels.KEEPS if attrs["groups"] == inputs[0][0] == attrs["out"] else Channels.BINDS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """The copies that oneDNN makes in its own layout, with channels in blocks of 16.

        Measured on a CPU with AVX-512, for images and volumes, 1 to 64 channels, grouped and depthwise. Groups that do
        not fill whole blocks are computed without it. Up to 8 channels are read as they are, unless the kernel is 1.
        """
        channels, out, groups = inputs[0][0], cast(int, attrs["out"]), cast(int, attrs["groups"])
        before, after = (FLOAT * math.prod(shape[1:]) for shape in (inputs[0], output))
        read, written, weights = channels * before, out * after, FLOAT * self._weights(attrs, channels)
        if groups not in (1, channels) and channels // groups % BLOCK:
            plain = Bytes(out=written, once=weights)
            return Saved(inputs=True, forward=plain, backward=Bytes(once=weights), to_inputs=plain)
        blocked_in, blocked_out = _blocked(channels) * before, _blocked(out) * after
        if channels <= BLOCK // 2 and attrs["kernel"] != 1:
            forward = backward = Bytes(out=blocked_out, once=weights)
            to_inputs = Bytes(out=blocked_in + blocked_out - read, once=weights)
        else:
            forward = Bytes(out=blocked_out + max(0, blocked_in - written), once=weights)
            backward = to_inputs = Bytes(out=blocked_in + blocked_out, once=weights)
        return Saved(inputs=True, forward=forward, backward=backward, to_inputs=to_inputs)

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        return all(zero) and not attrs["bias"]

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        window = self.window(attrs, inputs)
        keywords: dict[str, Argument] = {
            "kernel_size": brief(window.kernel),
            "stride": window.stride,
            "padding": brief(window.padding),
            "dilation": window.dilation,
            "groups": cast(int, attrs["groups"]),
            "bias": cast(bool, attrs["bias"]),
        }
        positional: dict[str, Argument] = {"in_channels": inputs[0][0], "out_channels": cast(int, attrs["out"])}
        return Call(target=self.target, positional=positional, keywords=keywords, defaults=DEFAULTS)

    def label(self, attrs: Attrs) -> str:
        words = [f"conv {times(sides(self.name, attrs['kernel'], self.rank))}"]
        if attrs["groups"] != 1:
            words.append("depthwise" if attrs["groups"] == attrs["out"] else f"groups {attrs['groups']}")
        if cast(int, attrs["stride"]) > 1:
            words.append(f"stride {attrs['stride']}")
        if cast(int, attrs["dilation"]) > 1:
            words.append(f"dilation {attrs['dilation']}")
        return " ".join(words)


def _blocked(channels: int) -> int:
    """The number of channels, rounded up to whole blocks."""
    return -(-channels // BLOCK) * BLOCK
