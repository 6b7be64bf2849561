"""branching: parallel paths of their own kinds, kernels and lengths, joined again (Szegedy et al. 2015, Going Deeper).

The decisions are: how many branches there are; the operation, kernel and depth of each; and whether they are
concatenated (each gives its share of the width) or added (each gives the whole width). Those of a branch are asked for
only where the branch exists.

    conv        k×k
    separable   k×k on each channel, then 1×1 (Chollet 2017, Xception: an extreme inception)
    factorised  1×k, then k×1; on volumes one along each of three axes (Szegedy et al. 2016, Rethinking, section 3.2)
    dilated     k×k with taps 2 apart (Yu, Koltun 2016)
    maxpool, avgpool   k×k pooling, after the last one a 1×1 convolution: the paper's pool projection

branch_reduction: a 1×1 convolution to C / branch_reduction channels before the first k×k one (figure 2b of the paper).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import ClassVar, cast

from space.architecture import GraphBuilder
from space.blocks.base import Answers, Block, Clash, Pick, Style, conv_norm_act
from space.decision import Option

Step = Callable[[GraphBuilder, str, str], str]
"""(graph, place, source) -> last node: adds one layer of a branch below `place`."""

POOLS = ("maxpool", "avgpool")
NODES = {"conv": 3, "separable": 6, "factorised": 9, "dilated": 3, "maxpool": 1, "avgpool": 1}
"""Nodes of one operation of a branch, with its norm and activation, but without the 1×1 convolution before or after."""


class Branching(Block):
    """(B, C, sides) -> (B, width, ceil(sides / stride)); the first operation of each branch has the stride."""

    name = "branching"
    fields: ClassVar[tuple[str, ...]] = (
        "branches",
        "merge",
        "branch_reduction",
        "branch_operation",
        "kernel",
        "branch_depth",
    )
    structural: ClassVar[tuple[str, ...]] = ("branches",)
    pads = True

    def questions(self, options: Mapping[str, tuple[Option, ...]]) -> dict[str, str]:
        named = {name: name for name in ("branches", "merge", "branch_reduction")}
        for i in range(cast(int, options["branches"][-1])):
            own = {"operation": "branch_operation", "kernel": "kernel", "depth": "branch_depth"}
            named |= {f"branch{i}.{name}": source for name, source in own.items()}
        if options["branches"] == (1,):
            del named["merge"]
        return named

    def ask(self, pick: Pick) -> None:
        branches = cast(int, pick("branches"))
        if branches > 1:
            pick("merge")
        pick("branch_reduction")
        for i in range(branches):
            pick(f"branch{i}.operation", "branch_operation")
            pick(f"branch{i}.kernel", "kernel")
            pick(f"branch{i}.depth", "branch_depth")

    def clashes(self, options: Mapping[str, tuple[Option, ...]], widths: tuple[int, ...]) -> Iterator[Clash]:
        narrow, many = widths[0], cast(int, options["branches"][-1])
        if "concat" in options["merge"] and many > narrow:
            detail = f"joining {many} branches by concat needs a width of at least {many}, got {narrow}"
            yield Clash(field="width", detail=detail, allowed={"minimum": many})

    def most_nodes(self, options: Mapping[str, tuple[Option, ...]]) -> int:
        depth = cast(int, options["branch_depth"][-1])
        before = 0 if options["branch_reduction"] == (1,) else 3
        operations = [str(operation) for operation in options["branch_operation"]]
        longest = max(NODES[operation] * depth + (3 if operation in POOLS else before) for operation in operations)
        return cast(int, options["branches"][-1]) * longest + 1

    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        branches = cast(int, answers("branches"))
        merge = str(answers("merge")) if branches > 1 else "add"
        share, rest = divmod(style.width, branches)
        ends = []
        for i in range(branches):
            width = style.width if merge == "add" else share + (i < rest)
            narrow = max(1, g.shape(source)[0] // cast(int, answers("branch_reduction")))
            own = partial(_own, answers, i)
            steps = _steps(own, style, rank=len(g.shape(source)) - 1, width=width)
            if narrow < g.shape(source)[0] and _wide(own):
                steps.insert(0, _convolution(style, narrow, 1))
            ends.append(_row(g, f"{place}.branch{i}", source, steps))
        return g.add(f"{place}.{merge}", merge, {}, *ends) if branches > 1 else ends[0]


def _row(g: GraphBuilder, place: str, source: str, steps: list[Step]) -> str:
    """The steps one after the other, as 0, 1, 2 … below the place; a single step is the place itself."""
    x = source
    for number, step in enumerate(steps):
        x = step(g, f"{place}.{number}" if len(steps) > 1 else place, x)
    return x


def _own(answers: Answers, branch: int, name: str) -> Option:
    """The answer to a decision of one branch."""
    return answers(f"branch{branch}.{name}")


def _wide(own: Answers) -> bool:
    """Whether a branch begins with a convolution above 1×1, which a reduction before it makes cheaper."""
    return own("operation") not in POOLS and own("kernel") != 1


def _steps(own: Answers, style: Style, *, rank: int, width: int) -> list[Step]:
    """The layers of a branch, in order. rank: number of sides of the map. width: output channels of the branch."""
    operation, kernel = str(own("operation")), cast(int, own("kernel"))
    strides = [style.stride] + [1] * (cast(int, own("depth")) - 1)
    convolve = partial(_convolution, style, width)
    if operation in POOLS:
        pools: list[Step] = [partial(_pool, operation, kernel, stride) for stride in strides]
        return [*pools, convolve(1)]
    if operation == "separable":
        pairs = [(_convolution(style, None, kernel, stride), convolve(1)) for stride in strides]
        return [step for pair in pairs for step in pair]
    if operation == "factorised":
        lines = [tuple(kernel if axis == i else 1 for axis in range(rank)) for i in range(rank if kernel > 1 else 1)]
        return [convolve(line, stride if i == 0 else 1) for stride in strides for i, line in enumerate(lines)]
    return [convolve(kernel, stride, 2 if operation == "dilated" else 1) for stride in strides]


def _convolution(
    style: Style, width: int | None, kernel: int | tuple[int, ...], stride: int = 1, dilation: int = 1
) -> Step:
    """A layer of convolution, norm, activation. width: output channels, None for a depthwise convolution."""

    def step(g: GraphBuilder, place: str, source: str) -> str:
        return conv_norm_act(
            g,
            place,
            source,
            style,
            kernel=kernel,
            width=width,
            stride=stride,
            dilation=dilation,
            padding="same",
            depthwise=width is None,
        )

    return step


def _pool(operation: str, kernel: int, stride: int, g: GraphBuilder, place: str, source: str) -> str:
    return g.add(place, operation, {"kernel": kernel, "stride": stride, "padding": "same"}, source)
