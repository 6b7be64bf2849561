"""gin: a node plus the sum of its neighbours, through two linear layers (Xu et al. 2019, equation 4.1, GIN-0).

Norm and activation follow each of the two. If the features are wider than the block and there is no bias in between,
the first linear layer comes before the sum: the same function, with fewer numbers to add up along the edges.
"""

from typing import ClassVar

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style, activation, normalise
from space.blocks.pieces import norm_act


class GIN(Block):
    """Nodes (N, F) -> (N, width)."""

    name = "gin"
    fields: ClassVar[tuple[str, ...]] = ()
    family = "nodes"
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        linear = {"out": style.width, "bias": style.biased}
        total = {"aggregation": "sum", "own": True}
        if g.shape(source)[0] > style.width and not style.biased:
            x = g.add(f"{place}.hidden", "linear", linear, source)
            x = g.add(f"{place}.neighbours", "neighbours", total, x)
        else:
            x = g.add(f"{place}.neighbours", "neighbours", total, source)
            x = g.add(f"{place}.hidden", "linear", linear, x)
        x = normalise(g, f"{place}.hidden_norm", x, style.norm)
        x = activation(g, f"{place}.hidden_act", x, style.activation)
        return norm_act(g, place, g.add(f"{place}.linear", "linear", linear, x), style)
