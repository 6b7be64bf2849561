"""pointwise: a 1×1 convolution, a linear layer at each position (Lin, Chen, Yan 2013, section 3.1)."""

from typing import ClassVar

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, conv_norm_act


class Pointwise(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)): C · width weights. It has no decisions of its own."""

    name = "pointwise"
    fields: ClassVar[tuple[str, ...]] = ()
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        return conv_norm_act(g, place, source, style, kernel=1, padding="same")
