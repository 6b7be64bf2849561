"""The operations on the edges of a cell, by their names in NAS-Bench-201 and DARTS.

Convolutions come as activation, convolution, norm (Dong, Yang 2020, NAS-Bench-201, section 2.1; Liu, Simonyan, Yang
2019, DARTS, section 3.1). Pooling has no norm. "none" is a node of zeros, so that the operations whose result it
discards can still be counted; `space/simplify.py` drops it.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

from space.architecture import GraphBuilder
from space.blocks.base import Style, activation, conv, normalise

NASBENCH201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""In the order of the published numbering."""

DARTS = (
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
)

MAX_NODES = 6
PAIRS = tuple(f"{first}+{second}" for second in range(1, MAX_NODES + 1) for first in range(second))
"""Two different inputs of a node of a DARTS cell. Node j may read the first (j + 1)(j + 2) / 2 of these pairs."""

Edge = Callable[[GraphBuilder, str, str, Style], str]
"""(graph, place, source, style) -> last node. Width and stride are the style's."""


def grow_edge(g: GraphBuilder, word: str, place: str, source: str, style: Style) -> str:
    """Add the operation `word` of one edge below `place`: (B, width, sides) -> (B, width, ceil(sides / stride))."""
    return EDGES[word](g, place, source, style)


def pre_activated(
    g: GraphBuilder, place: str, source: str, style: Style, *, kernel: int, dilation: int = 1, separable: bool = False
) -> str:
    """Activation, convolution, norm: (B, C, sides) -> (B, width, ceil(sides / stride)).

    separable: a depthwise convolution, then a 1×1 one across channels.
    """
    x = activation(g, f"{place}.act", source, style.activation)
    stride = style.stride
    if separable:
        channels = g.shape(x)[0]
        x = conv(
            g,
            f"{place}.depthwise",
            x,
            out=channels,
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            groups=channels,
            bias=style.biased,
        )
        kernel, stride, dilation = 1, 1, 1
    x = conv(g, f"{place}.conv", x, out=style.width, kernel=kernel, stride=stride, dilation=dilation, bias=style.biased)
    return normalise(g, f"{place}.norm", x, style.norm)


def fitted(g: GraphBuilder, place: str, source: str, target: tuple[int, ...], style: Style) -> str:
    """Activation, average pooling, 1×1 convolution, norm: the source brought to the shape `target`, without batch.

    The pooling replaces the factorized reduction of DARTS, two strided 1×1 convolutions that read half of the pixels.
    """
    x = activation(g, f"{place}.act", source, style.activation)
    return normalise(g, f"{place}.norm", matched(g, place, x, target, style), style.norm)


def matched(g: GraphBuilder, place: str, source: str, target: tuple[int, ...], style: Style) -> str:
    """Average pooling, if the sides differ, and a 1×1 convolution: the source brought to the shape `target`."""
    x = source
    if g.shape(x)[1:] != target[1:]:
        x = g.add(f"{place}.pool", "adaptive_avg_pool", {"size": list(target[1:])}, x)
    return conv(g, f"{place}.conv", x, out=target[0], kernel=1, bias=style.biased)


def _none(g: GraphBuilder, place: str, source: str, style: Style) -> str:  # noqa: ARG001
    return g.add(f"{place}.zero", "zero", {}, source)


def _skip(g: GraphBuilder, place: str, source: str, style: Style) -> str:
    if style.stride == 1:
        return source
    channels, *size = g.shape(source)
    return fitted(g, place, source, (channels, *(-(-side // style.stride) for side in size)), style)


def _pool(op: str) -> Edge:
    def grow(g: GraphBuilder, place: str, source: str, style: Style) -> str:
        attrs = {"kernel": 3, "stride": style.stride, "padding": "same"}
        return g.add(f"{place}.pool", op, attrs, source)

    return grow


def _conv(kernel: int) -> Edge:
    def grow(g: GraphBuilder, place: str, source: str, style: Style) -> str:
        return pre_activated(g, place, source, style, kernel=kernel)

    return grow


def _separable(kernel: int) -> Edge:
    def grow(g: GraphBuilder, place: str, source: str, style: Style) -> str:
        """Twice, the second time without the stride (as in DARTS)."""
        x = pre_activated(g, f"{place}.first", source, style, kernel=kernel, separable=True)
        return pre_activated(g, f"{place}.second", x, replace(style, stride=1), kernel=kernel, separable=True)

    return grow


def _dilated(kernel: int) -> Edge:
    def grow(g: GraphBuilder, place: str, source: str, style: Style) -> str:
        return pre_activated(g, place, source, style, kernel=kernel, dilation=2, separable=True)

    return grow


EDGES: dict[str, Edge] = {
    "none": _none,
    "skip_connect": _skip,
    "nor_conv_1x1": _conv(1),
    "nor_conv_3x3": _conv(3),
    "avg_pool_3x3": _pool("avgpool"),
    "max_pool_3x3": _pool("maxpool"),
    "sep_conv_3x3": _separable(3),
    "sep_conv_5x5": _separable(5),
    "dil_conv_3x3": _dilated(3),
    "dil_conv_5x5": _dilated(5),
}


def pairs(node: int) -> tuple[str, ...]:
    """The pairs that node number `node` of a DARTS cell may read: two of the two cells and the nodes before it."""
    return tuple(f"{first}+{second}" for first, second in combinations(range(node + 2), 2))
