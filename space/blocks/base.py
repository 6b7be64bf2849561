"""The contract of a block: a named piece of architecture that a stage repeats.

`tests/unit/space/test_blocks.py` checks every registered block against it:

1. `fields` lists the document's fields that give the block's decisions their options; `questions` lists every decision
   it may ask for, with its field. Decisions that only some paths reach (the kernel of branch 3) are asked only there.
2. `ask` asks through `pick` and never looks at the map: the space narrows the options to what fits before they are
   offered. The same answers lead to the same further decisions, whatever the answers about kernels.
3. `grow` adds the nodes below `place` and returns the last one. The map that leaves has `style.width` channels. If
   `pads` is true its sides are ceil(sides / stride), else what `padding` leaves for the kernel.

In the docstrings of the classes B is the batch, C the channels and N the nodes of a graph; "sides" stands for H, W of
images, D, H, W of volumes and T of series; k is the kernel. `clashes` reports options that a block cannot take; `grow`
raises what `GraphBuilder.add` raises.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from space.architecture import GraphBuilder
from space.decision import Option

Pick = Callable[..., Option]
"""`pick("kernel")` asks for the decision of that name; `pick("branch0.kernel", "kernel")` with the options of a field.

`among` leaves only those of the field's options that are in it. A block that uses it must make sure, by `clashes`, that
at least one is always left.
"""

Answers = Callable[[str], Option]
"""`answers("kernel")`: the answer to the decision of that name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """What the stage has decided for all of its blocks.

    width: output channels. stride: of this block; above 1 only for the first of a stage.
    padding, norm, activation: as in the document. bias: "auto" (where no norm follows), "always", "never".
    before: the node that the block before this one read; the input for the first block.
    """

    width: int
    stride: int
    padding: str
    norm: str
    activation: str
    bias: str = "auto"
    before: str = ""

    @property
    def biased(self) -> bool:
        """Whether convolutions have a bias. A norm subtracts the mean, so a bias before it would have no effect."""
        return self.bias == "always" or (self.bias == "auto" and self.norm == "none")


@dataclass(frozen=True, kw_only=True, slots=True)
class Clash:
    """Why the options of a field are not possible. field: its name. detail, rule, allowed: of the fault."""

    field: str
    detail: str
    rule: str = "out_of_range"
    allowed: Any = None


class Block(ABC):
    """One kind of block; the module's docstring is the contract."""

    name: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ("kernel",)
    structural: ClassVar[tuple[str, ...]] = ()
    """Those of its decisions on whose answers later ones depend."""
    looks_back: ClassVar[bool] = False
    """Whether it reads `Style.before`."""
    family: ClassVar[str] = "map"
    """What it reads: "map" (images, volumes, series) or "nodes" (features of a graph's nodes)."""
    pads: ClassVar[bool] = False
    """Whether it pads its convolutions to "same" whatever the document says, because paths must meet at one size."""

    def questions(self, options: Mapping[str, tuple[Option, ...]]) -> dict[str, str]:
        """Every decision it may ask for in a stage with these options: name -> field."""
        return {name: name for name in self.fields}

    def ask(self, pick: Pick) -> None:
        """Ask for all decisions that `grow` needs."""
        for name in self.fields:
            pick(name)

    def clashes(
        self,
        options: Mapping[str, tuple[Option, ...]],
        widths: tuple[int, ...],
    ) -> Iterator["Clash"]:
        """Options of a stage that are not possible together. widths: all widths of the stage, ascending, multiplied."""
        return iter(())

    def most_nodes(self, options: Mapping[str, tuple[Option, ...]]) -> int:
        """The most nodes that one block of a stage with these options adds; a document has a limit for all blocks."""
        return 24

    @abstractmethod
    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        """Add the nodes of the block below `place`, reading node `source`; returns the name of the last one.

        The source is a map (C, H, W), (C, D, H, W) or (C, T), or features (F,) of the nodes of a graph.
        """


def conv(
    g: GraphBuilder,
    place: str,
    source: str,
    *,
    out: int,
    kernel: int | tuple[int, ...],
    stride: int = 1,
    dilation: int = 1,
    padding: str = "same",
    groups: int = 1,
    bias: bool = True,
) -> str:
    """A convolution (B, C, sides) -> (B, out, sides') as node `place`: conv1d, conv2d or conv3d, by its sides."""
    attrs: dict[str, object] = {
        "out": out,
        "kernel": list(kernel) if isinstance(kernel, tuple) else kernel,
        "stride": stride,
        "dilation": dilation,
        "padding": padding,
        "groups": groups,
        "bias": bias,
    }
    return g.add(place, f"conv{len(g.shape(source)) - 1}d", attrs, source)


def conv_norm_act(
    g: GraphBuilder,
    place: str,
    source: str,
    style: Style,
    *,
    kernel: int | tuple[int, ...],
    width: int | None = None,
    stride: int | None = None,
    dilation: int = 1,
    padding: str | None = None,
    groups: int = 1,
    depthwise: bool = False,
    activate: bool = True,
) -> str:
    """Convolution, norm, activation as `place`.conv, .norm, .act: (B, C, sides) -> (B, width, sides').

    Width, stride and padding are the style's unless given. depthwise: one filter for each channel, so the width is C.
    """
    channels = g.shape(source)[0]
    x = conv(
        g,
        f"{place}.conv",
        source,
        out=channels if depthwise else width or style.width,
        kernel=kernel,
        stride=stride or style.stride,
        dilation=dilation,
        padding=padding or style.padding,
        groups=channels if depthwise else groups,
        bias=style.biased,
    )
    x = normalise(g, f"{place}.norm", x, style.norm)
    return activation(g, f"{place}.act", x, style.activation) if activate else x


def activation(g: GraphBuilder, place: str, source: str, kind: str) -> str:
    """The activation as node `place`, or the source itself for "none"."""
    return source if kind == "none" else g.add(place, "activation", {"kind": kind}, source)


def normalise(g: GraphBuilder, place: str, source: str, norm: str) -> str:
    """The norm as node `place`, or the source itself for "none" and if there is nothing to normalise; keeps the shape.

    layer is a group norm with one group: over all values of a sample. instance is one with a group for each channel. On
    vectors and maps of a single position a channel has only one value, so instance is layer there.
    """
    if norm == "none":
        return source
    if norm == "batch":
        return g.add(place, "batch_norm", {}, source)
    channels, *size = g.shape(source)
    single = math.prod(size) == 1
    groups = {"layer": 1, "instance": 1 if single else channels}.get(norm) or group_count(channels)
    if channels // groups * math.prod(size) > 1:  # a single value has no variance
        return g.add(place, "group_norm", {"groups": groups}, source)
    return source


def project(g: GraphBuilder, place: str, source: str, target: tuple[int, ...]) -> str:
    """The source brought to the shape `target`, without batch: average pooling of the sides, then a 1×1 convolution.

    For features of nodes it is a linear layer. Steps that are not needed are left out. Sides cannot grow.
    """
    if g.shape(source) == target:
        return source
    if len(target) == 1:
        return g.add(place, "linear", {"out": target[0], "bias": False}, source)
    x = source
    if g.shape(x)[1:] != target[1:]:
        x = g.add(f"{place}.pool", "adaptive_avg_pool", {"size": list(target[1:])}, x)
    return x if g.shape(x)[0] == target[0] else conv(g, f"{place}.conv", x, out=target[0], kernel=1, bias=False)


def group_count(channels: int) -> int:
    """The largest number of groups up to 8 that divides the channels and leaves each at least 4 of them, else 1."""
    return next(n for n in range(max(1, min(8, channels // 4)), 0, -1) if channels % n == 0)
