"""shuffle_unit: a bottleneck of grouped convolutions with a shuffle (Zhang et al. 2018, ShuffleNet, figure 2)."""

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Style, activation, conv_norm_act
from space.blocks.pieces import dividing_groups, residual_join, shuffle
from space.decision import Option


class ShuffleUnit(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)).

    The branch is a grouped 1×1 convolution to width / reduction channels (rounded up to whole groups), a shuffle, a
    depthwise k×k without activation, and a grouped 1×1. If the shape stays, input and branch are added. If the map gets
    wider, its C channels are kept, average-pooled if there is a stride, and the branch gives the others. If the shape
    changes but the map gets no wider, which the paper does not have, the input is projected and added.

    If the groups do not divide the input channels, the greatest common divisor of both is used; the paper's first unit
    has one group as well.
    """

    name = "shuffle_unit"
    fields: ClassVar[tuple[str, ...]] = ("kernel", "groups", "reduction")
    pads = True

    def clashes(self, options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
        yield from dividing_groups(options, widths)

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        kernel, groups, reduction = (cast(int, answers(name)) for name in ("kernel", "groups", "reduction"))
        channels = g.shape(source)[0]
        joined = channels < style.width
        inner = groups * math.ceil(style.width / (reduction * groups))
        out = style.width - channels if joined else style.width
        first, last = math.gcd(groups, channels), math.gcd(groups, out)
        x = conv_norm_act(
            g, f"{place}.reduce", source, style, kernel=1, width=inner, stride=1, padding="same", groups=first
        )
        x = shuffle(g, f"{place}.shuffle", x, first)
        x = conv_norm_act(
            g, f"{place}.depthwise", x, style, kernel=kernel, padding="same", depthwise=True, activate=False
        )
        x = conv_norm_act(
            g, f"{place}.expand", x, style, kernel=1, width=out, stride=1, padding="same", groups=last, activate=False
        )
        if not joined:
            return residual_join(g, place, source, x, style)
        x = g.add(f"{place}.concat", "concat", {}, _averaged(g, f"{place}.pool", source, style.stride), x)
        return activation(g, f"{place}.act", x, style.activation)


def _averaged(g: GraphBuilder, place: str, source: str, stride: int) -> str:
    """The paper's 3×3 average pooling, wider for strides above 3 so that it reads every pixel; nothing for stride 1."""
    if stride == 1:
        return source
    window = {"kernel": max(3, stride | 1), "stride": stride, "padding": "same"}
    return g.add(place, "avgpool", window, source)
