"""resnext: a bottleneck whose k×k convolution is `cardinality` parallel narrow ones (Xie et al. 2017, figure 3c)."""

import itertools
from collections.abc import Iterator, Mapping
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Style
from space.blocks.bottleneck import narrow_and_widen
from space.decision import Option


class ResNeXt(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)); the paths share width / reduction channels (2 in the paper).

    Each cardinality must divide width / reduction for every width and reduction of the stage, because they are separate
    decisions.
    """

    name = "resnext"
    fields: ClassVar[tuple[str, ...]] = ("kernel", "cardinality", "reduction", "squeeze", "drop_path")
    pads = True

    def clashes(self, options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
        reductions, cardinalities = (cast("tuple[int, ...]", options[name]) for name in ("reduction", "cardinality"))
        for width, reduction, cardinality in itertools.product(widths, reductions, cardinalities):
            inner = width // reduction
            inside = f"the {inner} channels inside (width {width} / reduction {reduction})"
            if cardinality > inner:
                detail = f"a cardinality of {cardinality} is over {inside}"
                yield Clash(field="cardinality", detail=detail, allowed={"maximum": inner})
                return
            if inner % cardinality:
                detail = f"a cardinality of {cardinality} does not divide {inside}"
                allowed = [paths for paths in range(1, min(inner, 64) + 1) if inner % paths == 0]
                yield Clash(field="cardinality", detail=detail, rule="combination_unsupported", allowed=allowed)
                return

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        inner = style.width // cast(int, answers("reduction"))
        return narrow_and_widen(g, place, source, answers, style, inner=inner, groups=cast(int, answers("cardinality")))
