"""conv_transpose2d: transposed convolution, which enlarges a map by its stride with learned weights."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Extent, Flag, Misfit, Whole, sides
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
from space.operations.resize import LIMIT, too_large
from space.operations.saved import FLOAT, Bytes, Saved

RANK = 2
DEFAULTS: dict[str, Argument] = {"stride": 1, "padding": 0, "output_padding": 0, "bias": True}


class ConvTranspose2d(Layer):
    """(B, C, H, W) -> (B, out, H', W') with H' = (H - 1) · stride - 2 · padding + kernel + output_padding.

    C · out · k · l weights and `out` biases: the transpose of a convolution of the same kernel, stride and padding, so
    each position adds its weighted kernel to the output (Long et al. 2015, Fully Convolutional Networks, section 3.3;
    Zeiler et al. 2010, Deconvolutional Networks). padding positions are cut from both ends of the sides that come out,
    output_padding are added at their far ends. Raises Misfit if output_padding is not below the stride, if nothing is
    left, or if the result exceeds the limits of a resized map.
    """

    name = "conv_transpose2d"
    attributes: ClassVar[Mapping[str, Attribute]] = {
        "out": Whole(low=1, high=65_536),
        "kernel": Extent(low=1, high=255),
        "stride": Whole(low=1, high=64, default=1),
        "padding": Extent(low=0, high=254, default=0),
        "output_padding": Extent(low=0, high=63, default=0),
        "bias": Flag(default=True),
    }
    weighted = True
    colour = "#3b6fb6"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"out": 6, "kernel": 2, "stride": 2}),
        Example(attrs={"out": 3, "kernel": 4, "stride": 2, "padding": 1, "bias": False}),
        Example(attrs={"out": 5, "kernel": [3, 5], "stride": 2, "padding": [1, 2], "output_padding": [1, 0]}),
        Example(attrs={"out": 4, "kernel": 3, "padding": 1}),
        Example(attrs={"out": 2, "kernel": 8, "stride": 4, "padding": 2}),
        Example(inputs=((4, 5, 3),), attrs={"out": 2, "kernel": [2, 3], "stride": 3, "output_padding": [0, 2]}),
    )

    def _sides(self, attrs: Attrs) -> list[tuple[int, int, int]]:
        """(kernel, padding, output_padding) of each side."""
        names = ("kernel", "padding", "output_padding")
        kernel, padding, extra = (sides(f"{self.name} {key}", attrs[key], RANK) for key in names)
        return list(zip(kernel, padding, extra, strict=True))

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        _, *size = require_map(self.name, inputs[0])
        stride = cast(int, attrs["stride"])
        if len(size) != RANK:
            raise Misfit(f"{self.name} reads maps with {RANK} sides, got {inputs[0]}")
        after = []
        for side, (kernel, padding, extra) in zip(size, self._sides(attrs), strict=True):
            if extra >= stride:
                raise Misfit(f"{self.name} output_padding {extra} must be below the stride of {stride}")
            after.append((side - 1) * stride - 2 * padding + kernel + extra)
        if min(after) < 1:
            raise Misfit(f"{self.name} cuts away all that it makes of the {times(size)} left", tuple(size))
        if too_large(after):
            raise Misfit(f"{self.name} to {times(after)}: {LIMIT}")
        return cast(int, attrs["out"]), *after

    def _weights(self, attrs: Attrs, channels: int) -> int:
        return channels * cast(int, attrs["out"]) * math.prod(kernel for kernel, _, _ in self._sides(attrs))

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        return self._weights(attrs, inputs[0][0]) + (cast(int, attrs["out"]) if attrs["bias"] else 0)

    def macs(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        """Every weight once for each position that comes in, those included that padding cuts away."""
        return self._weights(attrs, inputs[0][0]) * math.prod(inputs[0][1:])

    def window(self, attrs: Attrs, inputs: Sequence[Shape]) -> Window:
        """What a group of `stride` positions beside each other reads: position o comes from those inputs i for which
        o + padding - i · stride is from 0 to below the kernel."""
        stride = cast(int, attrs["stride"])
        before, after = [], []
        for kernel, padding, _ in self._sides(attrs):
            before.append((kernel - 1 - padding) // stride)
            after.append((stride - 1 + padding) // stride)
        taps = tuple(low + high + 1 for low, high in zip(before, after, strict=True))
        return Window(kernel=taps, padding=tuple(before), up=stride)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.MIXES

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """A copy of what it reads and of what it writes. Seen on a CPU with AVX-512: the peak of a network that is
        hardly more than this operation is 0.71 (narrow) to 1.0 times (32 channels and more) what the allocator saw."""
        read, written = (FLOAT * math.prod(shape) for shape in (inputs[0], output))
        weights = FLOAT * self._weights(attrs, inputs[0][0])
        copies = Bytes(out=read + written, once=weights)
        return Saved(inputs=True, forward=Bytes(out=written, once=weights), backward=copies, to_inputs=copies)

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        return all(zero) and not attrs["bias"]

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        kernel, padding, extra = (tuple(column) for column in zip(*self._sides(attrs), strict=True))
        keywords: dict[str, Argument] = {
            "kernel_size": brief(kernel),
            "stride": cast(int, attrs["stride"]),
            "padding": brief(padding),
            "output_padding": brief(extra),
            "bias": cast(bool, attrs["bias"]),
        }
        positional: dict[str, Argument] = {"in_channels": inputs[0][0], "out_channels": cast(int, attrs["out"])}
        return Call(target="ConvTranspose2d", positional=positional, keywords=keywords, defaults=DEFAULTS)

    def label(self, attrs: Attrs) -> str:
        words = f"conv transposed {times(sides(self.name, attrs['kernel'], RANK))}"
        return words + (f" stride {attrs['stride']}" if cast(int, attrs["stride"]) > 1 else "")
