"""blur_pool: pooling that changes little if the image is shifted (Zhang 2019, Making CNNs Shift-Invariant Again).

A 2×2 pooling with stride 1, then a blur with the binomial taps 1, 2, 1 along each side and stride 2 (section 3.2): the
blur removes what would be aliased before positions are dropped. After average pooling the two together are the binomial
taps 1, 3, 3, 1.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.attributes import Attribute, Choice
from space.operations.base import Argument, Attrs, Call, Channels, Example, Layer, Shape, Window, require_map, slide
from space.operations.saved import FLOAT, Bytes, Saved

if TYPE_CHECKING:
    from torch import nn


class BlurPool(Layer):
    """(B, C, sides) -> (B, C, floor(sides / 2)), without trainable weights. of: "max" or "average" pooling.

    The blur repeats the edge as its padding. Raises Misfit if a side is shorter than 2.
    """

    name = "blur_pool"
    attributes: ClassVar[Mapping[str, Attribute]] = {"of": Choice(options=("max", "average"), default="max")}
    keeps_zero = True
    colour = "#2f9e7f"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(),
        Example(attrs={"of": "average"}),
        Example(inputs=((4, 5, 4, 3),), attrs={"of": "max"}),
        Example(inputs=((4, 2, 5, 3),), attrs={"of": "average"}),
        Example(inputs=((4, 11),), attrs={"of": "max"}),
        Example(inputs=((4, 11),), attrs={"of": "average"}),
    )

    def window(self, attrs: Attrs, inputs: Sequence[Shape]) -> Window:
        rank = len(inputs[0]) - 1
        return Window(kernel=(4,) * rank, stride=2, padding=(1,) * rank)

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, *size = require_map(self.name, inputs[0])
        return channels, *slide(self.name, self.window(attrs, inputs), size)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        channels, *sides = inputs[0]
        pooled = channels * math.prod(side - 1 for side in sides)
        padded = channels * math.prod(side + 1 for side in sides)
        places = 8 * pooled if attrs["of"] == "max" else 0  # int64
        copies = Bytes(out=FLOAT * (pooled + padded))
        return Saved(inputs=True, own=Bytes(out=FLOAT * (pooled + padded) + places), to_inputs=copies)

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        positional: dict[str, Argument] = {"sides": len(inputs[0]) - 1, "of": str(attrs["of"])}
        return Call(target="BlurPool", library="", positional=positional)

    def define(self) -> "type[nn.Module]":
        import torch
        import torch.nn.functional as F
        from torch import Tensor, nn

        class BlurPool(nn.Module):
            """(B, C, sides) -> (B, C, sides / 2): 2×2 pooling at every position, a blur, every second position.

            sides: how many, 1 to 3. of: "max" or "average".
            """

            taps: Tensor

            def __init__(self, sides: int, of: str) -> None:
                super().__init__()
                pools = {
                    "max": (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
                    "average": (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
                }
                self.pool = pools[of][sides - 1](2, stride=1)
                self.edges = [1] * (2 * sides)
                taps = line = torch.tensor([0.25, 0.5, 0.25])
                for _ in range(sides - 1):
                    taps = taps[..., None] * line
                self.register_buffer("taps", taps[None, None], persistent=False)

            def forward(self, x: Tensor) -> Tensor:
                x = F.pad(self.pool(x), self.edges, mode="replicate")
                channels = x.shape[1]
                taps = self.taps.expand(channels, *self.taps.shape[1:])
                blur = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[x.dim()]
                return blur(x, taps, stride=2, groups=channels)

        return BlurPool

    def label(self, attrs: Attrs) -> str:
        return f"blur {attrs['of']} pool"
