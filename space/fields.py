"""The vocabulary of a space document: every field of a stage, the stem and the head, with its limits.

One table feeds the parser, the published JSON Schema and the reference in docs/spaces.md. A new block that needs a new
field adds one entry here.
"""

from dataclasses import dataclass
from typing import Literal

from space.blocks import BLOCKS
from space.decision import Option

ACTIVATIONS = ("relu", "leaky_relu", "silu", "gelu", "hardswish")
NORMS = ("batch", "group", "none")
POOLS = ("none", "max", "average")

VERSION = 1
MAX_NAME = 100
MAX_CONSTRAINTS = 64
MAX_STAGES = 32
MAX_BLOCKS = 128
"""Of all stages together at their deepest: 128 branching blocks of 8 branches are 3,200 nodes of the 4,096 allowed."""
MAX_OPTIONS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field, written as a value (fixed) or a list of options (a decision).

    kind: what an option is: a whole number, a number, or one of `names`.
    low, high: limits of a number, both inside. odd: whether only odd numbers will do.
    default: when the field is left out (always fixed).
    ordered: whether its options stand on a scale, see `space.decision.Decision`.
    says: one line for people.
    """

    kind: Literal["integer", "number", "name"]
    default: Option
    says: str
    low: float = 0
    high: float = 0
    odd: bool = False
    names: tuple[str, ...] = ()

    @property
    def ordered(self) -> bool:
        return self.kind != "name"

    @property
    def law(self) -> str:
        """The rule in words, to follow "must be"."""
        if self.kind == "name":
            return f"one of {', '.join(self.names)}"
        odd = "an odd whole number" if self.odd else "a whole number"
        return f"{odd if self.kind == 'integer' else 'a number'} from {self.low:g} to {self.high:g}"


def _integer(low: int, high: int, default: int, says: str, *, odd: bool = False) -> Field:
    return Field(kind="integer", low=low, high=high, default=default, says=says, odd=odd)


def _name(names: tuple[str, ...], says: str, default: str | None = None) -> Field:
    return Field(kind="name", names=names, default=default or names[0], says=says)


_KERNEL = _integer(1, 31, 3, "side of the square convolution kernel, odd", odd=True)
_STRIDE = _integer(1, 8, 1, "stride of the first block; the map shrinks by it")
_PADDING = _name(("same", "valid"), "same keeps the map (divided by the stride), valid shrinks it by kernel - 1")
_WIDTH = _integer(1, 4096, 32, "channels that leave")
_NORM = _name(NORMS, "normalisation after each convolution")
_ACTIVATION = _name(ACTIVATIONS, "activation after each normalisation")
_POOL = _name(POOLS, "2×2 pooling, stride 2, at the end")
_DROPOUT = Field(kind="number", low=0, high=0.9, default=0.0, says="share of values dropped in training at the end")

STAGE_FIELDS: dict[str, Field] = {
    "depth": _integer(0, 64, 1, "number of blocks; 0 leaves the stage out, with its stride and pooling"),
    "operation": _name(tuple(BLOCKS), "what a block is", "conv"),
    "kernel": _KERNEL,
    "stride": _STRIDE,
    "padding": _PADDING,
    "width": _WIDTH,
    "norm": _NORM,
    "activation": _ACTIVATION,
    "pool": _POOL,
    "dropout": _DROPOUT,
    "branches": _integer(2, 8, 2, "branches of a branching block"),
    "merge": _name(("concat", "add"), "how a branching block joins its branches"),
}

STEM_FIELDS: dict[str, Field] = {
    name: STAGE_FIELDS[name] for name in ("kernel", "stride", "padding", "width", "norm", "activation", "pool")
}

HEAD_FIELDS: dict[str, Field] = {
    "pool": _name(("global", "flatten"), "global averages each channel, flatten keeps every pixel"),
    "hidden": _integer(0, 4096, 0, "units of a hidden linear layer, 0 for none"),
    "activation": _name(ACTIVATIONS, "activation after the hidden layer"),
    "dropout": Field(kind="number", low=0, high=0.9, default=0.0, says="share of values dropped before the last layer"),
}
