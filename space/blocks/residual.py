"""residual: two convolutions and a shortcut around them (He et al. 2016, Deep Residual Learning, the basic block)."""

from typing import cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, activation, conv_norm_act


class Residual(Block):
    """(C, H, W) -> (width, H', W'). The shortcut is a 1×1 projection when channels or size change, else the input."""

    name = "residual"
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        kernel = cast(int, answers("kernel"))
        x = conv_norm_act(g, f"{place}.first", source, style, kernel=kernel, padding="same")
        x = conv_norm_act(g, f"{place}.second", x, style, kernel=kernel, stride=1, padding="same", activate=False)
        shortcut = source
        if g.shape(source) != g.shape(x):
            shortcut = conv_norm_act(g, f"{place}.shortcut", source, style, kernel=1, padding="same", activate=False)
        x = g.add(f"{place}.add", "add", {}, x, shortcut)
        return activation(g, f"{place}.act", x, style.activation)
