"""sage: a node and the aggregate of its neighbours, each through weights of its own (Hamilton et al. 2017, GraphSAGE).

The weights of the neighbours are applied before the aggregation. For mean and sum that is algorithm 1 of the paper with
the matrix moved into the sum, and for wide features it is much cheaper: see benchmarks/graphs.py. For max it is the
paper's pooling (equation 3) without its inner activation.
"""

from typing import ClassVar

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style
from space.blocks.pieces import norm_act


class SAGE(Block):
    """Nodes (N, F) -> (N, width): 2 · F · width weights."""

    name = "sage"
    fields: ClassVar[tuple[str, ...]] = ("aggregation",)
    family = "nodes"
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        own = g.add(f"{place}.own", "linear", {"out": style.width, "bias": style.biased}, source)
        sent = g.add(f"{place}.message", "linear", {"out": style.width, "bias": False}, source)
        sent = g.add(f"{place}.neighbours", "neighbours", {"aggregation": answers("aggregation")}, sent)
        return norm_act(g, place, g.add(f"{place}.add", "add", {}, own, sent), style)
