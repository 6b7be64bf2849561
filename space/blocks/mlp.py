"""mlp: one linear layer for each node alone, norm, activation. It reads no edges: the baseline for graph blocks."""

from typing import ClassVar

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Style
from space.blocks.pieces import norm_act


class MLP(Block):
    """Nodes (N, F) -> (N, width): F · width weights."""

    name = "mlp"
    fields: ClassVar[tuple[str, ...]] = ()
    family = "nodes"
    pads = True

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        x = g.add(f"{place}.linear", "linear", {"out": style.width, "bias": style.biased}, source)
        return norm_act(g, place, x, style)
