"""separable: a depthwise convolution per channel, then a 1×1 one across channels (Howard et al. 2017, MobileNets)."""

from typing import cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, conv_norm_act


class Separable(Block):
    """(C, H, W) -> (width, H', W'): k²·C + C·width weights instead of k²·C·width."""

    name = "separable"

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        kernel = cast(int, answers("kernel"))
        x = conv_norm_act(g, f"{place}.depthwise", source, style, kernel=kernel, depthwise=True)
        return conv_norm_act(g, f"{place}.pointwise", x, style, kernel=1, stride=1)
