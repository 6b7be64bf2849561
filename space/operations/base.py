"""The contract of an operation: everything archsmith must know about one kind of node, in one file per kind.

`tests/conformance/operations.py` checks every registered operation against it:

1. `attributes` lists every attribute with its rule. `check` fills in defaults, refuses unknown or missing attributes
   and returns the normal form: two ways to write the same layer (a 1×1 kernel needs no padding) come out equal.
2. Shapes have no batch: a map is (C, H, W), (C, D, H, W) or (C, T), a vector is (F,); in graph data the features of a
   node are (F,) and an index (edges, graph numbers, pairs of nodes) is (). `shape` returns what PyTorch would return,
   or raises `Misfit`; if a map has become too small, the error carries the sides that are left.
3. `params` is the number of trainable parameters, `macs` the multiply-accumulates of one sample's forward pass.
   Only convolutions and linear layers count MACs, as a forward hook on those layers would.
4. `window` is the part of the input that one output position reads, for the receptive field. None: the operation leaves
   the map (global pooling, flatten, linear) or reads each position alone.
5. `channels` says what a reordering of the input channels does, so that the canonical hash knows when the order of
   a concatenation makes no difference: see `Channels`.
6. A `Layer` has a module of its own; `call` gives the constructor for building and for generated code. It is a class of
   torch.nn or torch_geometric.nn, or one that the operation itself defines in `define`. A `Function` has no module and
   is an expression of its inputs (`apply` for tensors, `expression` for generated code).
7. `indices` lists the indices of graph data that it reads, after its other inputs. `rows` says what a row of its output
   is, if that differs from a row of its input.
8. `examples` shows it in use at least once, and on maps with one, two and three sides if it reads them.
9. `vanishes` says when zeros come out because zeros came in, so that what they cancel can be left out
   (`space/simplify.py`).
10. `saved` says what it holds in memory during a training step (`space/peak_memory.py`). The default assumes that
   inputs and output are kept.

Instances hold no state; torch is imported only inside `define`, `module` and `apply`.

In the docstrings of the classes B is the batch, N the nodes, E the edges and P the pairs of graph data; "sides" stands
for H, W of images, D, H, W of volumes and T of series. A citation gives authors, year and place in the paper;
docs/spaces.md has the blocks.
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
    """What one output position reads, in positions of the input.

    kernel: taps along each side. stride: distance between the windows of neighbouring outputs. dilation: distance
    between taps. padding: positions before the first one of each side. up: by how much a resize enlarges a side.
    """

    kernel: tuple[int, ...]
    stride: int = 1
    dilation: int = 1
    padding: tuple[int, ...]
    up: int = 1


class Channels(Enum):
    """What the order of the input channels means to an operation.

    MIXES: it reads all of them through weights of its own, so any order is equally good (conv with one group, linear).
    KEEPS: it treats all channels alike and keeps their order (pooling, activation, batch norm, depthwise conv).
    BINDS: the order matters (grouped convolution, group norm, element-wise sum of two maps).
    """

    MIXES = "mixes"
    KEEPS = "keeps"
    BINDS = "binds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A constructor call.

    target: name of a class in `library` ("Conv2d" in torch.nn), or of the class that the operation defines.
    library: "torch.nn", "torch_geometric.nn", or "" for the operation's own class.
    positional, keywords: argument name -> value; positional arguments have the names of the constructor's parameters.
    defaults: the library's default values of keywords, which generated code leaves out.
    """

    target: str
    library: str = "torch.nn"
    positional: Mapping[str, Argument] = field(default_factory=dict)
    keywords: Mapping[str, Argument] = field(default_factory=dict)
    defaults: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One use of an operation, which the conformance suite checks.

    inputs: shapes of the inputs without the batch; if the operation reads indices, those of the features only.
    attrs: attributes as a user may give them.
    """

    inputs: tuple[Shape, ...] = ((4, 9, 7),)
    attrs: Mapping[str, Any] = field(default_factory=dict)


class Operation(ABC):
    """One kind of node; the module's docstring is the contract."""

    name: ClassVar[str]
    attributes: ClassVar[Mapping[str, Attribute]] = {}
    arity: ClassVar[tuple[int, int]] = (1, 1)
    """Fewest and most inputs."""
    commutative: ClassVar[bool] = False
    """Whether the order of the inputs never matters. (For concat it sometimes does not; see `Channels`.)"""
    weighted: ClassVar[bool] = False
    """Whether it counts as a layer of depth: convolutions and linear layers."""
    indices: ClassVar[tuple[str, ...]] = ()
    """The indices of graph data that it reads, after its other inputs: "edges", "graph", "pairs"."""
    rows: ClassVar[str | None] = None
    """What a row of its output is, "graph" or "pair"; None: the same as a row of its input."""
    colour: ClassVar[str] = "#8a94a6"
    """The colour of its box in the picture."""
    keeps_zero: ClassVar[bool] = False
    """Whether inputs that are all zeros give an output of zeros, whatever the weights; see `vanishes`."""
    examples: ClassVar[tuple[Example, ...]] = ()
    """What the conformance suite checks: every attribute, every rank of map, every number of inputs."""

    def check(self, given: Mapping[str, object]) -> dict[str, Value]:
        """The attributes, complete and in normal form. Raises Misfit if one is unknown, missing or out of range."""
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
        """Bring attributes that describe the same layer to one spelling; `attrs` may be changed in place."""
        return attrs

    @abstractmethod
    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        """Output shape of one sample. inputs: shapes of the inputs. Raises Misfit if they do not fit."""

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        """Number of trainable parameters."""
        return 0

    def macs(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        """Multiply-accumulates of one sample."""
        return 0

    def window(self, attrs: Attrs, inputs: Sequence[Shape]) -> Window | None:
        """What one output position reads; None for an operation that adds nothing to the receptive field."""
        return None

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """What it holds in memory during a training step. By default inputs and output, until the backward pass."""
        return EVERYTHING

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        """What a reordering of the input channels does."""
        return Channels.BINDS

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        """Whether the output is all zeros, whatever the weights, if the inputs marked in `zero` are all zeros."""
        return self.keeps_zero and all(zero)

    def label(self, attrs: Attrs) -> str:
        """A few words for the picture, under 40 characters."""
        return self.name.replace("_", " ")


class Layer(Operation):
    """An operation with a module of its own."""

    @abstractmethod
    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        """The constructor call of the module."""

    def define(self) -> "type[nn.Module]":
        """The class of a `call` that names no library.

        The function imports what the class needs (torch, nothing of archsmith), defines the class and returns it. Its
        source becomes part of the generated code. Called once per process.
        """
        raise NotImplementedError(f"{self.name} calls a class of its own and must define it")

    def module(self, attrs: Attrs, inputs: Sequence[Shape]) -> "nn.Module":
        """The module, freshly initialised; it maps batches of the input shapes to a batch of the output shape."""
        call = self.call(attrs, inputs)
        target = getattr(importlib.import_module(call.library), call.target) if call.library else defined(self)
        module: nn.Module = target(*call.positional.values(), **call.keywords)
        return module


@cache
def defined(layer: Layer) -> "type[nn.Module]":
    """The class that a layer defines; every call returns the same one."""
    return layer.define()


class Function(Operation):
    """An operation without parameters that is an expression of its inputs."""

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """By default the inputs, as a product needs them."""
        return INPUTS

    @abstractmethod
    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        """The output, a batch. tensors: the inputs, batches too."""

    @abstractmethod
    def expression(self, names: Sequence[str]) -> str:
        """The same as Python source. names: the variables that hold the inputs."""


def require_map(operation: str, shape: Shape) -> Shape:
    """The shape, if it is that of a map: (C, H, W), (C, D, H, W) or (C, T). Raises Misfit for a vector or an index."""
    if len(shape) < 2:
        raise Misfit(f"{operation} reads a map (C, H, W), got {f'a vector of {shape[0]}' if shape else 'an index'}")
    return shape


def require_vector(operation: str, shape: Shape) -> int:
    """The length F of a vector (F,). Raises Misfit for a map or an index."""
    if len(shape) != 1:
        raise Misfit(f"{operation} reads a vector, got {f'a map {shape}; flatten it first' if shape else 'an index'}")
    return shape[0]


def require_features(operation: str, shape: Shape) -> Shape:
    """The shape, if it is that of a map or a vector. Raises Misfit for an index."""
    if not shape:
        raise Misfit(f"{operation} reads features, got an index")
    return shape


def same_padding(kernel: tuple[int, ...], dilation: int) -> tuple[int, ...]:
    """Padding at both ends of each side that keeps ceil(side / stride) pixels; an even kernel loses one of them."""
    return tuple(dilation * (taps - 1) // 2 for taps in kernel)


def slide(operation: str, window: Window, size: Sequence[int]) -> tuple[int, ...]:
    """The sides after a window has moved over a map, rounded down as in torch. Raises Misfit if it does not fit."""
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
