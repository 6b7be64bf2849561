"""The contract of a block: a named piece of architecture that a stage repeats.

Law, held to every registered block by `tests/unit/space/test_blocks.py`:

1. `fields` names the document's fields whose options the block asks about, `questions` every question it may ask with
   the field that gives the options. Questions that only some paths reach (the kernel of branch 3) are asked there only.
2. `ask` asks through `pick` and never looks at the map: the space narrows the options to what fits before they are
   offered. It asks the same questions after the same answers, whatever the answers about kernels were.
3. `grow` adds the nodes below `place` and returns the last one. The map that leaves has `style.width` channels; its
   side is what `padding` gives for the kernel when `pads` is false, and ceil(side / stride) always when it is true.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from space.architecture import GraphBuilder
from space.decision import Option

Pick = Callable[..., Option]
"""`pick("kernel")` asks the question of that name; `pick("branch0.kernel", "kernel")` takes the options of a field.

`among` leaves only those of the field's options that it holds; a block that gives it must see to it, by `clashes`, that
some are always left.
"""

Answers = Callable[[str], Option]
"""`answers("kernel")`: what was picked for the question of that name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """What the stage has decided for all of its blocks.

    stride: of this block: 1 but for the first. bias: "auto" (where no norm follows), "always", "never".
    before: the node that the block before this one read, the input at the beginning.
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
        """Whether convolutions have a bias: a norm subtracts the mean, so a bias before it has no effect."""
        return self.bias == "always" or (self.bias == "auto" and self.norm == "none")


@dataclass(frozen=True, kw_only=True, slots=True)
class Clash:
    """Why a field's options will not do. field: its name; rule: of the fault; allowed: what would do."""

    field: str
    detail: str
    rule: str = "out_of_range"
    allowed: Any = None


class Block(ABC):
    """See the module's text for the law."""

    name: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ("kernel",)
    structural: ClassVar[tuple[str, ...]] = ()
    """Those of its fields on whose answers its later questions depend."""
    looks_back: ClassVar[bool] = False
    """Whether it reads `Style.before`."""
    family: ClassVar[str] = "map"
    """What it reads: "map" (images and volumes) or "nodes" (features of a graph's nodes)."""
    pads: ClassVar[bool] = False
    """Whether it pads its convolutions to "same" whatever the document says, because paths must meet at one size."""

    def questions(self, options: Mapping[str, tuple[Option, ...]]) -> dict[str, str]:
        """Every question it may ask of a stage with these options: name -> field."""
        return {name: name for name in self.fields}

    def ask(self, pick: Pick) -> None:
        """Ask what must be known before it can grow."""
        for name in self.fields:
            pick(name)

    def clashes(
        self,
        options: Mapping[str, tuple[Option, ...]],
        widths: tuple[int, ...],
    ) -> Iterator["Clash"]:
        """Options of a stage that cannot stand together. widths: every width the stage may have, multiplied."""
        return iter(())

    def most_nodes(self, options: Mapping[str, tuple[Option, ...]]) -> int:
        """How many nodes one block of a stage with these options adds at most, for the limit of a document."""
        return 24

    @abstractmethod
    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        """Add the nodes, reading (C, H, W) from node `source`; return the name of the last one."""


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
    """The convolution of the map's rank as node `place`."""
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
    """Convolution, normalisation, activation as `place`.conv, .norm, .act; what is not given comes from the style."""
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
    """The norm as node `place`, or the source itself for "none" and where there is nothing to normalise.

    layer and instance are group norms with one group and with one for each channel: over all values of a sample, over
    one channel of it. Of a vector each channel is one value, so instance is layer there.
    """
    if norm == "none":
        return source
    if norm == "batch":
        return g.add(place, "batch_norm", {}, source)
    channels, *size = g.shape(source)
    single = math.prod(size) == 1
    groups = {"layer": 1, "instance": 1 if single else channels}.get(norm) or group_count(channels)
    if channels // groups * math.prod(size) > 1:  # a single value has no spread to normalise
        return g.add(place, "group_norm", {"groups": groups}, source)
    return source


def project(g: GraphBuilder, place: str, source: str, target: tuple[int, ...]) -> str:
    """The source brought to the shape of `target`: average pooling while it is larger, then a 1×1 convolution.

    Of nodes: a linear layer. The source itself where it has the shape already.
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
    """At most 8 groups, of 4 channels or more where there are that many, that divide the channels."""
    return next(n for n in range(max(1, min(8, channels // 4)), 0, -1) if channels % n == 0)
