"""gat: attention over the neighbours, norm, activation (Veličković et al. 2018, section 2.1)."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Style
from space.blocks.pieces import norm_act
from space.decision import Option


class GAT(Block):
    """Nodes (N, F) -> (N, width): `heads` attention heads of width / heads features each; see `gat_conv`."""

    name = "gat"
    fields: ClassVar[tuple[str, ...]] = ("heads",)
    family = "nodes"
    pads = True

    def clashes(self, options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
        for heads in cast("tuple[int, ...]", options["heads"]):
            odd = [width for width in widths if width % heads]
            if odd:
                detail = f"heads must divide every width of the stage, {heads} does not divide {odd[0]}"
                yield Clash(field="heads", detail=detail)

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        attrs = {"out": style.width, "heads": answers("heads"), "bias": style.biased}
        return norm_act(g, place, g.add(f"{place}.conv", "gat_conv", attrs, source), style)
