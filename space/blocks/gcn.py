"""gcn: one graph convolution, norm, activation (Kipf, Welling 2017, Semi-Supervised Classification, equation 2)."""

from typing import ClassVar

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style
from space.blocks.pieces import norm_act


class GCN(Block):
    """Nodes (N, F) -> (N, width): a node and its neighbours, weighted by their degrees; see `gcn_conv`."""

    name = "gcn"
    fields: ClassVar[tuple[str, ...]] = ()
    family = "nodes"
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        x = g.add(f"{place}.conv", "gcn_conv", {"out": style.width, "bias": style.biased}, source)
        return norm_act(g, place, x, style)
