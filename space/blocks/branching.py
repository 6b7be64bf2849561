"""branching: parallel convolutions with kernels of their own, joined again (Szegedy et al. 2015, Going Deeper).

How many branches, the kernel of each, and whether they are concatenated (each gives its share of the width) or added
(each gives the whole width) are decisions; a branch's kernel is asked only when the branch is there.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Pick, Style, conv_norm_act
from space.decision import Option


class Branching(Block):
    """(C, H, W) -> (width, H', W')."""

    name = "branching"
    fields: ClassVar[tuple[str, ...]] = ("branches", "merge", "kernel")
    structural: ClassVar[tuple[str, ...]] = ("branches",)
    pads = True

    def questions(self, options: Mapping[str, tuple[Option, ...]]) -> dict[str, str]:
        most = cast(int, options["branches"][-1])
        kernels = {f"branch{i}.kernel": "kernel" for i in range(most)}
        return {"branches": "branches", "merge": "merge", **kernels}

    def ask(self, pick: Pick) -> None:
        branches = cast(int, pick("branches"))
        pick("merge")
        for i in range(branches):
            pick(f"branch{i}.kernel", "kernel")

    def clashes(self, options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
        narrow, many = widths[0], cast(int, options["branches"][-1])
        if "concat" in options["merge"] and many > narrow:
            detail = f"joining {many} branches by concat needs a width of at least {many}, got {narrow}"
            yield Clash(field="width", detail=detail, allowed={"minimum": many})

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        branches, merge = cast(int, answers("branches")), str(answers("merge"))
        share, rest = divmod(style.width, branches)
        ends = []
        for i in range(branches):
            width = style.width if merge == "add" else share + (i < rest)
            kernel = cast(int, answers(f"branch{i}.kernel"))
            branch = f"{place}.branch{i}"
            ends.append(conv_norm_act(g, branch, source, style, kernel=kernel, width=width, padding="same"))
        return g.add(f"{place}.{merge}", merge, {}, *ends)
