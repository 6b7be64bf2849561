"""conv: one convolution, norm, activation; square, k×l or d×k×l, with or without dilation.

A dilated kernel reaches dilation · (k - 1) + 1 pixels with the weights of k (Yu, Koltun 2016, Multi-Scale Context
Aggregation by Dilated Convolutions, section 2).
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Style, conv_norm_act
from space.blocks.pieces import kernel_of, square_when_valid
from space.decision import Option


class Conv(Block):
    """(B, C, sides) -> (B, width, sides'): k · l · C · width weights (times d on volumes, without l on series)."""

    name = "conv"
    fields: ClassVar[tuple[str, ...]] = ("kernel", "kernel_width", "kernel_depth", "dilation")

    def clashes(self, options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
        yield from square_when_valid(self, options)

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        kernel = kernel_of(answers, rank=len(g.shape(source)) - 1)
        return conv_norm_act(g, place, source, style, kernel=kernel, dilation=cast(int, answers("dilation")))
