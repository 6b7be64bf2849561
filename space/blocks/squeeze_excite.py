"""squeeze_excite: each channel weighted by a gate that sees the whole map (Hu et al. 2018, equations 2 to 4)."""

from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, conv_norm_act
from space.blocks.pieces import squeeze_excite


class SqueezeExcite(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)): 2 · width² / reduction weights in the gate.

    If the shape changes, a 1×1 convolution comes before the gate.
    """

    name = "squeeze_excite"
    fields: ClassVar[tuple[str, ...]] = ("reduction",)
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        x = source
        if g.shape(x)[0] != style.width or style.stride > 1:
            x = conv_norm_act(g, f"{place}.project", x, style, kernel=1, padding="same")
        return squeeze_excite(g, f"{place}.squeeze", x, cast(int, answers("reduction")), bias=style.bias != "never")
