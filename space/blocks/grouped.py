"""grouped: a convolution in groups of channels, then a shuffle across them (Zhang et al. 2018, section 3.1).

Without the shuffle each group of outputs would depend on one group of inputs only, however many blocks follow.
"""

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Style, conv_norm_act
from space.blocks.pieces import dividing_groups, shuffle
from space.decision import Option


class Grouped(Block):
    """(B, C, sides) -> (B, width, sides'): k · k · C · width / groups weights.

    If the groups do not divide the C input channels, the greatest common divisor of both is used: an image of 3
    channels is read in 1 or in 3 groups.
    """

    name = "grouped"
    fields: ClassVar[tuple[str, ...]] = ("kernel", "groups")

    def clashes(self, options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
        yield from dividing_groups(options, widths)

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        groups = math.gcd(cast(int, answers("groups")), g.shape(source)[0])
        x = conv_norm_act(g, place, source, style, kernel=cast(int, answers("kernel")), groups=groups)
        return shuffle(g, f"{place}.shuffle", x, groups)
