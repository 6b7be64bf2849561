"""separable: a depthwise convolution, then a 1×1 one across channels (Howard et al. 2017, MobileNets, section 3.1)."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Style, conv_norm_act
from space.blocks.pieces import square_when_valid
from space.decision import Option


class Separable(Block):
    """(B, C, sides) -> (B, width, sides'): k · k · C + C · width weights instead of k · k · C · width."""

    name = "separable"
    fields: ClassVar[tuple[str, ...]] = ("kernel", "dilation")

    def clashes(self, options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
        yield from square_when_valid(self, options)

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        kernel, dilation = cast(int, answers("kernel")), cast(int, answers("dilation"))
        x = conv_norm_act(g, f"{place}.depthwise", source, style, kernel=kernel, dilation=dilation, depthwise=True)
        return conv_norm_act(g, f"{place}.pointwise", x, style, kernel=1, stride=1)
