"""bottleneck: 1×1, k×k, 1×1 convolutions that narrow and widen the map, and a shortcut (He et al. 2016, figure 5)."""

from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, conv_norm_act
from space.blocks.pieces import residual_join, squeeze_excite


class Bottleneck(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)); width / reduction channels inside, a quarter in the paper.

    The k×k convolution has the stride, so that every pixel is read (the paper's own code has it in the first one;
    Gross, Wilber 2016). Optional: a squeeze-and-excitation gate before the sum, stochastic depth.
    """

    name = "bottleneck"
    fields: ClassVar[tuple[str, ...]] = ("kernel", "reduction", "squeeze", "drop_path")
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        inner = max(1, style.width // cast(int, answers("reduction")))
        return narrow_and_widen(g, place, source, answers, style, inner=inner, groups=1)


def narrow_and_widen(
    g: GraphBuilder, place: str, source: str, answers: Answers, style: Style, *, inner: int, groups: int
) -> str:
    """1×1 to `inner` channels, k×k in `groups` groups, 1×1 to the width, the gate if there is one, the shortcut.

    (B, C, sides) -> (B, width, ceil(sides / stride)); returns the last node.
    """
    kernel, squeeze = cast(int, answers("kernel")), cast(int, answers("squeeze"))
    x = conv_norm_act(g, f"{place}.reduce", source, style, kernel=1, width=inner, stride=1)
    x = conv_norm_act(g, f"{place}.middle", x, style, kernel=kernel, width=inner, padding="same", groups=groups)
    x = conv_norm_act(g, f"{place}.expand", x, style, kernel=1, stride=1, activate=False)
    if squeeze:
        x = squeeze_excite(g, f"{place}.squeeze", x, squeeze)
    return residual_join(g, place, source, x, style, cast(float, answers("drop_path")))
