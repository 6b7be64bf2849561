"""highway: a learned gate mixes a convolution with its input (Srivastava et al. 2015, Highway Networks, equation 3)."""

from typing import cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, conv_norm_act


class Highway(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)): T · h + (1 - T) · x.

    h is a convolution with norm and activation, T the sigmoid of another. x is the input, or a 1×1 projection of it if
    channels or sides change. The operation `gate` holds the sigmoid and its negative bias.
    """

    name = "highway"
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        kernel = cast(int, answers("kernel"))
        new = conv_norm_act(g, f"{place}.transform", source, style, kernel=kernel, padding="same")
        gate = conv_norm_act(g, f"{place}.gate", source, style, kernel=kernel, padding="same", activate=False)
        old = source
        if g.shape(source) != g.shape(new):
            old = conv_norm_act(g, f"{place}.carry", source, style, kernel=1, padding="same", activate=False)
        return g.add(f"{place}.mix", "gate", {}, gate, new, old)
