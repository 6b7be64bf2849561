"""darts: the cell of DARTS (Liu, Simonyan, Yang 2019, section 2.1), a small graph over the outputs of two cells.

Each intermediate node is the sum of two operations on two of its predecessors: the cell before the last (0), the last
cell (1) and the nodes before it (2, 3 …). The output is the concatenation of the nodes. A stage with a stride begins
with a reduction cell, where the operations on 0 and 1 have the stride. Give it a `cell` of its own for decisions of its
own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Pick, Style
from space.blocks.edges import fitted, grow_edge, matched, pairs
from space.decision import Option


class Darts(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)).

    Every node has floor(width / nodes) channels; if that leaves a remainder, a 1×1 convolution at the end gives the
    width. Both inputs pass a 1×1 convolution first; the cell before the last is also pooled to the sides of the last.
    """

    name = "darts"
    fields: ClassVar[tuple[str, ...]] = ("nodes", "node_inputs", "node_operation")
    structural: ClassVar[tuple[str, ...]] = ("nodes",)
    pads = True

    def questions(self, options: Mapping[str, tuple[Option, ...]]) -> dict[str, str]:
        found = {"nodes": "nodes"}
        for node in range(cast(int, options["nodes"][-1])):
            found[f"node{node}.inputs"] = "node_inputs"
            found |= {f"node{node}.{which}": "node_operation" for which in ("first", "second")}
        return found

    def ask(self, pick: Pick) -> None:
        for node in range(cast(int, pick("nodes"))):
            pick(f"node{node}.inputs", "node_inputs", among=pairs(node))
            pick(f"node{node}.first", "node_operation")
            pick(f"node{node}.second", "node_operation")

    def clashes(self, options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
        most = cast(int, options["nodes"][-1])
        if widths[0] < most:
            detail = f"a cell of {most} nodes needs a width of at least {most}, got {widths[0]}"
            yield Clash(field="width", detail=detail, allowed={"minimum": most})
        if "0+1" not in options["node_inputs"]:
            detail = "node_inputs must have 0+1 among its options: the first node has nothing else to read"
            yield Clash(field="node_inputs", detail=detail, rule="combination_unsupported", allowed=["0+1"])

    def most_nodes(self, options: Mapping[str, tuple[Option, ...]]) -> int:
        return 18 * cast(int, options["nodes"][-1]) + 10

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        count = cast(int, answers("nodes"))
        inside = replace(style, width=style.width // count)
        before = source if style.before in ("", g.input) else style.before  # the first cell reads the last map twice
        sides = g.shape(source)[1:]
        states = [
            fitted(g, f"{place}.{name}", state, (inside.width, *sides), style)
            for name, state in (("before", before), ("last", source))
        ]
        for number in range(count):
            read = [int(state) for state in str(answers(f"node{number}.inputs")).split("+")]
            ends = []
            for which, state in zip(("first", "second"), read, strict=True):
                edge = inside if state < 2 else replace(inside, stride=1)  # the stride is taken on the cells' outputs
                word = str(answers(f"node{number}.{which}"))
                ends.append(grow_edge(g, word, f"{place}.node{number}.{which}", states[state], edge))
            states.append(g.add(f"{place}.node{number}.add", "add", {}, *ends))
        x = g.add(f"{place}.concat", "concat", {}, *states[2:])
        target = (style.width, *g.shape(x)[1:])
        return x if g.shape(x) == target else matched(g, f"{place}.project", x, target, style)
