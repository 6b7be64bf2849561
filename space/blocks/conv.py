"""conv: one convolution, norm, activation."""

from typing import cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, conv_norm_act


class Conv(Block):
    """(C, H, W) -> (width, H', W')."""

    name = "conv"

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        return conv_norm_act(g, place, source, style, kernel=cast(int, answers("kernel")))
