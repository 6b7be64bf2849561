"""The contract of an operation: everything archsmith must know about one kind of node, in one file per kind.

Law, held to every registered operation by `tests/conformance/operations.py`:

1. `attributes` names every attribute with its rule. `check` fills defaults, refuses unknown or missing ones and returns
   the normal form: two ways to write the same layer (a 1×1 kernel needs no padding) come out equal.
2. Shapes are per sample, without the batch: a map is (C, H, W) or (C, D, H, W), a vector is (F,), of graph data a row
   of features is (F,) and an index (edges, graph numbers, pairs of nodes) is (). `shape` is what PyTorch would give, or
   `Misfit` with a sentence; a map that has become too small carries the sides left.
3. `params` is the number of trainable parameters, `macs` the multiply-accumulates of one sample's forward pass.
   Only convolutions and linear layers count MACs, as a forward hook on those layers would.
4. `window` says what part of its input one output position reads, for the receptive field. None: the operation leaves
   the map (global pooling, flatten, linear) or changes nothing.
5. `channels` says what a reordering of the input channels does, so that the canonical hash knows when the order of
   a concatenation is a matter of spelling: see `Channels`.
6. A `Layer` has a module of its own (`call` says which, for building and for generated code alike): a class of
   torch.nn or torch_geometric.nn, or one that the operation itself writes down in `define`. A `Function` has none and
   is an expression of its inputs (`apply` for tensors, `expression` for generated code).
7. `indices` names the indices of graph data that it reads, after its other inputs; `rows` says what a row of its output
   is, where that is not what a row of its input was.
8. `examples` shows it in use, at least once, on maps with two and with three sides where it reads both.
9. `vanishes` says when zeros come out because zeros came in, so that what they cancel can be left out
   (`space/simplify.py`).
10. `saved` says what it holds in memory during a training step, for the peak that constraints may speak of; what it
   leaves unsaid is taken for kept.

Instances hold no state; torch is imported only inside `define`, `module` and `apply`.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from space.operations.attributes import Attribute, Misfit, Value
from space.operations.saved import EVERYTHING, INPUTS, Saved

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, ...]
Attrs = Mapping[str, Value]
Argument = bool | int | float | str | tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What one output position reads: `kernel` taps per side, `dilation` apart, moved by `stride`, `padding` before.

    up: how often a resized map repeats each position; 1 for everything else.
    """

    kernel: tuple[int, ...]
    stride: int = 1
    dilation: int = 1
    padding: tuple[int, ...]
    up: int = 1


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
    """A constructor with its arguments.

    target: class name in `library` ("Conv2d" in torch.nn), or of the class that the operation defines.
    library: "torch.nn", "torch_geometric.nn", or "" for the operation's own class.
    positional, keywords: argument name -> value; positional ones have the name they would have as keywords.
    defaults: torch's own values of keywords, which generated code leaves out.
    """

    target: str
    library: str = "torch.nn"
    positional: Mapping[str, Argument] = field(default_factory=dict)
    keywords: Mapping[str, Argument] = field(default_factory=dict)
    defaults: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One use of an operation, which the conformance suite holds to the law.

    inputs: the shapes that come in; where the operation reads indices, those of the features alone.
    attrs: attributes as a user may give them.
    """

    inputs: tuple[Shape, ...] = ((4, 9, 7),)
    attrs: Mapping[str, Any] = field(default_factory=dict)


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
    indices: ClassVar[tuple[str, ...]] = ()
    """Which indices of graph data it reads, after its other inputs: "edges", "graph", "pairs"."""
    rows: ClassVar[str | None] = None
    """What a row of its output is, "graph" or "pair"; None: what a row of its input is."""
    colour: ClassVar[str] = "#8a94a6"
    """Of its box in the picture."""
    keeps_zero: ClassVar[bool] = False
    """Whether inputs of zeros give an output of zeros, whatever the weights; see `vanishes`."""
    examples: ClassVar[tuple[Example, ...]] = ()
    """Uses that the conformance suite goes through: every attribute, every rank of map, every number of inputs."""

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

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        """Trainable parameters."""
        return 0

    def macs(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        """Multiply-accumulates of one sample."""
        return 0

    def window(self, attrs: Attrs, inputs: Sequence[Shape]) -> Window | None:
        """What one output position reads; None for an operation that adds nothing to the receptive field."""
        return None

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """What it holds in memory during a training step. Unless said otherwise: inputs and output, until backward."""
        return EVERYTHING

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        """What a reordering of the input channels does."""
        return Channels.BINDS

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        """Whether the output is all zeros, whatever the weights, when the inputs marked in `zero` are."""
        return self.keeps_zero and all(zero)

    def label(self, attrs: Attrs) -> str:
        """A few words for the picture."""
        return self.name.replace("_", " ")


class Layer(Operation):
    """An operation with a module of its own."""

    @abstractmethod
    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        """The constructor that makes the module."""

    def define(self) -> "type[nn.Module]":
        """The class for a `call` without a library.

        The function imports what the class needs (torch, and nothing of archsmith), defines it and returns it; its text
        becomes a part of the generated code. Called once per process.
        """
        raise NotImplementedError(f"{self.name} calls a class of its own and must define it")

    def module(self, attrs: Attrs, inputs: Sequence[Shape]) -> "nn.Module":
        """The module, freshly initialised; it maps a batch of the input's shape to a batch of the output's."""
        call = self.call(attrs, inputs)
        target = getattr(importlib.import_module(call.library), call.target) if call.library else defined(self)
        module: nn.Module = target(*call.positional.values(), **call.keywords)
        return module


@cache
def defined(layer: Layer) -> "type[nn.Module]":
    """The class that a layer defines, always the same one."""
    return layer.define()


class Function(Operation):
    """An operation without parameters that is an expression of its inputs."""

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """Unless said otherwise: the inputs, as of a product."""
        return INPUTS

    @abstractmethod
    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        """The batch it makes of its inputs' batches."""

    @abstractmethod
    def expression(self, names: Sequence[str]) -> str:
        """The same as Python text, for inputs held in variables of these names."""


def require_map(operation: str, shape: Shape) -> Shape:
    """The shape, if it is that of a map: (C, H, W) or (C, D, H, W). Raises Misfit for a vector."""
    if len(shape) < 3:
        raise Misfit(f"{operation} reads a map (C, H, W), got {f'a vector of {shape[0]}' if shape else 'an index'}")
    return shape


def require_vector(operation: str, shape: Shape) -> int:
    """The length F of a vector (F,). Raises Misfit for a map."""
    if len(shape) != 1:
        raise Misfit(f"{operation} reads a vector, got {f'a map {shape}; flatten it first' if shape else 'an index'}")
    return shape[0]


def require_features(operation: str, shape: Shape) -> Shape:
    """The shape, if there are numbers to compute with. Raises Misfit for an index."""
    if not shape:
        raise Misfit(f"{operation} reads features, got an index")
    return shape


def same_padding(kernel: tuple[int, ...], dilation: int) -> tuple[int, ...]:
    """Padding on each side that keeps ceil(size / stride) pixels for an odd kernel (an even one loses one)."""
    return tuple(dilation * (taps - 1) // 2 for taps in kernel)


def slide(operation: str, window: Window, size: Sequence[int]) -> tuple[int, ...]:
    """The sides after a window has slid over a map, with floor as in torch. Raises Misfit when it does not fit once."""
    left = []
    for taps, padding, side in zip(window.kernel, window.padding, size, strict=True):
        reach = window.dilation * (taps - 1) + 1
        padded = side + 2 * padding
        if reach > padded:
            spread = f" with dilation {window.dilation}" if window.dilation > 1 else ""
            shown = f"{operation} {times(window.kernel)}{spread} does not fit in the {times(size)} left"
            raise Misfit(shown, tuple(size))
        left.append((padded - reach) // window.stride + 1)
    return tuple(left)


def times(lengths: Sequence[int]) -> str:
    """(3, 5) as 3×5."""
    return "×".join(map(str, lengths))


def brief(lengths: tuple[int, ...]) -> int | tuple[int, ...]:
    """(3, 3) as 3, as a person would write it."""
    return lengths[0] if len(set(lengths)) == 1 else lengths
