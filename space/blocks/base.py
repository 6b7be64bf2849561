"""The contract of a block: a named piece of architecture that a stage repeats.

Law, held to every registered block by `tests/unit/space/test_blocks.py`:

1. `fields` names the document's fields whose options the block asks about, `questions` every question it may ask with
   the field that gives the options. Questions that only some paths reach (the kernel of branch 3) are asked there only.
2. `ask` asks through `pick` and never looks at the map: the space narrows the options to what fits before they are
   offered. It asks the same questions after the same answers, whatever the answers about kernels were.
3. `grow` adds the nodes below `place` and returns the last one. The map that leaves has `style.width` channels; its
   side is what `padding` gives for the kernel when `pads` is false, and ceil(side / stride) always when it is true.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from space.architecture import GraphBuilder
from space.decision import Option

Pick = Callable[..., Option]
"""`pick("kernel")` asks the question of that name; `pick("branch0.kernel", "kernel")` takes the options of a field."""

Answers = Callable[[str], Option]
"""`answers("kernel")`: what was picked for the question of that name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """What the stage has decided for all of its blocks. stride is that of this block: 1 but for the first."""

    width: int
    stride: int
    padding: str
    norm: str
    activation: str


class Block(ABC):
    """See the module's text for the law."""

    fields: ClassVar[tuple[str, ...]] = ("kernel",)
    pads: ClassVar[bool] = False
    """Whether it pads its convolutions to "same" whatever the document says, because paths must meet at one size."""

    def questions(self, options: Mapping[str, tuple[Option, ...]]) -> dict[str, str]:  # noqa: ARG002
        """Every question it may ask of a stage with these options: name -> field."""
        return {name: name for name in self.fields}

    def ask(self, pick: Pick) -> None:
        """Ask what must be known before it can grow."""
        for name in self.fields:
            pick(name)

    @abstractmethod
    def grow(self, g: GraphBuilder, place: str, source: str, answers: Answers, style: Style) -> str:
        """Add the nodes, reading (C, H, W) from node `source`; return the name of the last one."""


def conv_norm_act(
    g: GraphBuilder,
    place: str,
    source: str,
    style: Style,
    *,
    kernel: int,
    width: int | None = None,
    stride: int | None = None,
    padding: str | None = None,
    depthwise: bool = False,
    activate: bool = True,
) -> str:
    """Convolution, normalisation, activation as `place`.conv, .norm, .act; what is not given comes from the style."""
    channels = g.shape(source)[0]
    attrs = {
        "out": channels if depthwise else width or style.width,
        "kernel": [kernel, kernel],
        "stride": stride or style.stride,
        "padding": padding or style.padding,
        "groups": channels if depthwise else 1,
        # a norm subtracts the mean, so a bias before it has no effect
        "bias": style.norm == "none",
    }
    x = normalise(g, f"{place}.norm", g.add(f"{place}.conv", "conv2d", attrs, source), style)
    return g.add(f"{place}.act", "activation", {"kind": style.activation}, x) if activate else x


def normalise(g: GraphBuilder, place: str, source: str, style: Style) -> str:
    """The style's norm as node `place`, or the source itself for "none"."""
    if style.norm == "batch":
        return g.add(place, "batch_norm", {}, source)
    if style.norm == "group":
        channels, height, width = g.shape(source)
        groups = group_count(channels)
        if channels // groups * height * width > 1:  # a single value has no spread to normalise
            return g.add(place, "group_norm", {"groups": groups}, source)
    return source


def group_count(channels: int) -> int:
    """At most 8 groups, of 4 channels or more where there are that many, that divide the channels."""
    return next(n for n in range(max(1, min(8, channels // 4)), 0, -1) if channels % n == 0)
