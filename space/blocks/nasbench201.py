"""nasbench201: the cell of NAS-Bench-201 (Dong, Yang 2020, section 2.1), and the block between its stages."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Pick, Style
from space.blocks.edges import fitted, grow_edge, matched, pre_activated
from space.decision import Option

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to) of the six edges, in the published order."""


class NasBench201(Block):
    """(B, width, sides) -> the same shape: node 0 is the input, each further node the sum of the edges that lead to it.

    If channels or sides differ, which never happens in the published network, a 1×1 convolution adapts the input first:
    (B, C, sides) -> (B, width, ceil(sides / stride)).
    """

    name = "nasbench201"
    fields: ClassVar[tuple[str, ...]] = ("edge_operation",)
    pads = True

    def questions(self, options: Mapping[str, tuple[Option, ...]]) -> dict[str, str]:
        return {f"edge{start}_{end}": "edge_operation" for start, end in EDGES}

    def ask(self, pick: Pick) -> None:
        for start, end in EDGES:
            pick(f"edge{start}_{end}", "edge_operation")

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        target = (style.width, *(-(-side // style.stride) for side in g.shape(source)[1:]))
        nodes = [source if g.shape(source) == target else fitted(g, f"{place}.fit", source, target, style)]
        inside = replace(style, stride=1)
        for number in (1, 2, 3):
            ends = [
                grow_edge(g, str(answers(f"edge{start}_{end}")), f"{place}.edge{start}_{end}", nodes[start], inside)
                for start, end in EDGES
                if end == number
            ]
            nodes.append(ends[0] if len(ends) == 1 else g.add(f"{place}.node{number}", "add", {}, *ends))
        return nodes[3]


class NasBench201Reduction(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)): the residual block between the stages of NAS-Bench-201.

    Twice activation, 3×3 convolution, norm. The shortcut is 2×2 average pooling and a 1×1 convolution without a norm;
    nothing follows the sum. For other strides than 2 the pooling window is as wide as the stride.
    """

    name = "nasbench201_reduction"
    fields: ClassVar[tuple[str, ...]] = ()
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        x = pre_activated(g, f"{place}.first", source, style, kernel=3)
        x = pre_activated(g, f"{place}.second", x, replace(style, stride=1), kernel=3)
        shortcut = source
        if g.shape(source) != g.shape(x):
            shortcut = matched(g, f"{place}.shortcut", source, g.shape(x), style)
        return g.add(f"{place}.add", "add", {}, x, shortcut)
