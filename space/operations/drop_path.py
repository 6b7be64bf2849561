"""drop_path: drops a residual branch for a share of the samples in training.

Stochastic depth (Huang et al. 2016, Deep Networks with Stochastic Depth, section 3), drawn for each sample of a batch.
What is kept is divided by the share that is kept, so that nothing has to change in evaluation.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from space.operations.attributes import Attribute, Fraction
from space.operations.base import Attrs, Call, Channels, Example, Layer, Shape, require_features
from space.operations.saved import FLOAT, SAME_MEMORY, Bytes, Saved

if TYPE_CHECKING:
    from torch import nn


class DropPath(Layer):
    """(B, C, sides) or (B, F) -> the same shape. rate: share of samples that are set to zero in training."""

    name = "drop_path"
    attributes: ClassVar[Mapping[str, Attribute]] = {"rate": Fraction()}
    keeps_zero = True
    colour = "#868e96"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(attrs={"rate": 0.25}),
        Example(inputs=((4, 5, 4, 3),), attrs={"rate": 0}),
        Example(inputs=((4, 11),), attrs={"rate": 0.5}),
        Example(inputs=((12,),), attrs={"rate": 0.5}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return require_features(self.name, inputs[0])

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        copy = Bytes(out=FLOAT * math.prod(output))
        return Saved(forward=copy, to_inputs=copy) if attrs["rate"] else SAME_MEMORY

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        return Call(target="DropPath", library="", positional={"rate": cast(float, attrs["rate"])})

    def define(self) -> "type[nn.Module]":
        import torch
        from torch import Tensor, nn

        class DropPath(nn.Module):
            """In training, sets a share of `rate` samples to zero and divides the others by the share kept."""

            def __init__(self, rate: float) -> None:
                super().__init__()
                self.rate = rate

            def forward(self, x: Tensor) -> Tensor:
                if not self.training or self.rate == 0:
                    return x
                kept = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) >= self.rate
                return x * kept / (1 - self.rate)

        return DropPath

    def label(self, attrs: Attrs) -> str:
        return f"drop path {attrs['rate']:g}"
