"""The contract of an operation: everything archsmith must know about one kind of node, in one file per kind.

Law, held to every registered operation by `tests/conformance/operations.py`:

1. `attributes` names every attribute with its rule. `check` fills defaults, refuses unknown or missing ones and returns
   the normal form: two ways to write the same layer (a 1×1 kernel needs no padding) come out equal.
2. Shapes are per sample, without the batch: a map is (C, H, W), a vector is (F,). `shape` is what PyTorch would give,
   or `Misfit` with a sentence; a map that has become too small carries the (H, W) left.
3. `params` is the number of trainable parameters, `macs` the multiply-accumulates of one sample's forward pass.
   Only convolutions and linear layers count MACs, as a forward hook on those layers would.
4. `window` says what part of its input one output position reads, for the receptive field. None: the operation leaves
   the map (global pooling, flatten, linear) or changes nothing.
5. `channels` says what a reordering of the input channels does, so that the canonical hash knows when the order of
   a concatenation is a matter of spelling: see `Channels`.
6. A `Layer` has a module of its own (`call` says which, for building and for generated code alike); a `Function` has
   none and is an expression of its inputs (`apply` for tensors, `expression` for generated code).

Instances hold no state; torch is imported only inside `module` and `apply`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from space.operations.attributes import Attribute, Misfit, Value

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, ...]
Attrs = Mapping[str, Value]
Argument = bool | int | float | tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What one output position reads: `kernel` taps per axis, `dilation` apart, moved by `stride`, `padding` before."""

    kernel: tuple[int, int]
    stride: int
    dilation: int
    padding: tuple[int, int]


class Channels(Enum):
    """What an operation does with the order of its input channels.

    MIXES: reads all of them through weights of its own, so any order is as good (conv with one group, linear).
    KEEPS: treats each alike and hands the order on (pooling, activation, batch norm, depthwise conv).
    BINDS: the order matters (grouped convolution, group norm, element-wise sums of two maps).
    """

    MIXES = "mixes"
    KEEPS = "keeps"
    BINDS = "binds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A constructor of `torch.nn` with its arguments.

    target: class name in torch.nn ("Conv2d").
    positional, keywords: argument name -> value; positional ones have the name they would have as keywords.
    defaults: torch's own values of keywords, which generated code leaves out.
    """

    target: str
    positional: Mapping[str, Argument] = field(default_factory=dict)
    keywords: Mapping[str, Argument] = field(default_factory=dict)
    defaults: Mapping[str, Argument] = field(default_factory=dict)


class Operation(ABC):
    """See the module's text for the law."""

    name: ClassVar[str]
    attributes: ClassVar[Mapping[str, Attribute]] = {}
    arity: ClassVar[tuple[int, int]] = (1, 1)
    """Fewest and most inputs."""
    commutative: ClassVar[bool] = False
    """Whether the order of the inputs never matters. (For concat it may; see `Channels`.)"""
    weighted: ClassVar[bool] = False
    """Whether it counts as a layer of depth: convolutions and linear layers."""
    colour: ClassVar[str] = "#8a94a6"
    """Of its box in the picture."""

    def check(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Attributes as given -> complete and in normal form. Raises Misfit."""
        attributes = self.attributes
        for key in given:
            if key not in attributes:
                known = ", ".join(attributes) or "none"
                raise Misfit(f"{self.name} has no attribute {str(key)[:40]!r}, only {known}")
        attrs: dict[str, Value] = {}
        for key, rule in attributes.items():
            if key in given:
                attrs[key] = rule.check(f"{self.name} {key}", given[key])
            elif rule.default is None:
                raise Misfit(f"{self.name} needs the attribute {key!r}")
            else:
                attrs[key] = rule.default
        return self.normal(attrs)

    def normal(self, attrs: dict[str, Value]) -> dict[str, Value]:
        """Rewrite attributes that make no difference to one spelling."""
        return attrs

    @abstractmethod
    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        """Output shape of one sample. Raises Misfit when the inputs do not fit."""

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:  # noqa: ARG002
        """Trainable parameters."""
        return 0

    def macs(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:  # noqa: ARG002
        """Multiply-accumulates of one sample."""
        return 0

    def window(self, attrs: Attrs) -> Window | None:  # noqa: ARG002
        """What one output position reads; None for an operation that adds nothing to the receptive field."""
        return None

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:  # noqa: ARG002
        """What a reordering of the input channels does."""
        return Channels.BINDS

    def label(self, attrs: Attrs) -> str:  # noqa: ARG002
        """A few words for the picture."""
        return self.name.replace("_", " ")


class Layer(Operation):
    """An operation with a module of its own."""

    @abstractmethod
    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        """The constructor in torch.nn that makes the module."""

    def module(self, attrs: Attrs, inputs: Sequence[Shape]) -> "nn.Module":
        """The module, freshly initialised; it maps a batch of the input's shape to a batch of the output's."""
        from torch import nn

        call = self.call(attrs, inputs)
        target: type[nn.Module] = getattr(nn, call.target)
        return target(*call.positional.values(), **call.keywords)


class Function(Operation):
    """An operation without parameters that is an expression of its inputs."""

    @abstractmethod
    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        """The batch it makes of its inputs' batches."""

    @abstractmethod
    def expression(self, names: Sequence[str]) -> str:
        """The same as Python text, for inputs held in variables of these names."""


def require_map(operation: str, shape: Shape) -> tuple[int, int, int]:
    """The shape as (C, H, W). Raises Misfit for a vector."""
    if len(shape) != 3:
        raise Misfit(f"{operation} reads a map (C, H, W), got a vector of {shape[0]}")
    return shape[0], shape[1], shape[2]


def same_padding(kernel: tuple[int, int], dilation: int) -> tuple[int, int]:
    """Padding on each side that keeps ceil(size / stride) pixels for an odd kernel (an even one loses one)."""
    return dilation * (kernel[0] - 1) // 2, dilation * (kernel[1] - 1) // 2


def slide(operation: str, window: Window, height: int, width: int) -> tuple[int, int]:
    """(H, W) after a window has slid over a map: torch's rule with floor. Raises Misfit when it does not fit once."""
    sizes = []
    for axis, size in enumerate((height, width)):
        reach = window.dilation * (window.kernel[axis] - 1) + 1
        padded = size + 2 * window.padding[axis]
        if reach > padded:
            shown = f"{window.kernel[0]}×{window.kernel[1]}"
            spread = f" with dilation {window.dilation}" if window.dilation > 1 else ""
            raise Misfit(f"{operation} {shown}{spread} does not fit in the {height}×{width} left", (height, width))
        sizes.append((padded - reach) // window.stride + 1)
    return sizes[0], sizes[1]


def brief(pair: tuple[int, int]) -> int | tuple[int, int]:
    """(3, 3) as 3, as a person would write it."""
    return pair[0] if pair[0] == pair[1] else pair
