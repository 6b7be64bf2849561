"""residual: two convolutions and a shortcut around them (He et al. 2016, Deep Residual Learning, figure 5 left).

With `squeeze` the branch is gated before the sum (Hu et al. 2018, SE-ResNet, figure 3); with `drop_path` it is dropped
for a share of the samples in training (Huang et al. 2016, Stochastic Depth).
"""

from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, conv_norm_act
from space.blocks.pieces import residual_join, squeeze_excite


class Residual(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)): k · k · width · (C + width) weights without shortcut and gate.

    The shortcut is a 1×1 projection if channels or sides change, else the input.
    """

    name = "residual"
    fields: ClassVar[tuple[str, ...]] = ("kernel", "squeeze", "drop_path")
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        kernel, squeeze = cast(int, answers("kernel")), cast(int, answers("squeeze"))
        x = conv_norm_act(g, f"{place}.first", source, style, kernel=kernel, padding="same")
        x = conv_norm_act(g, f"{place}.second", x, style, kernel=kernel, stride=1, padding="same", activate=False)
        if squeeze:
            x = squeeze_excite(g, f"{place}.squeeze", x, squeeze, bias=style.bias != "never")
        return residual_join(g, place, source, x, style, cast(float, answers("drop_path")))
