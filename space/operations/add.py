"""add: the element-wise sum of maps or vectors of one shape."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.attributes import Misfit
from space.operations.base import Attrs, Example, Function, Shape, require_features
from space.operations.saved import FLOAT, Bytes, Saved

if TYPE_CHECKING:
    from torch import Tensor


class Add(Function):
    """2 to 64 inputs (B, C, sides) or (B, F) -> the same shape: their sum. Raises Misfit if the shapes differ."""

    name = "add"
    arity: ClassVar[tuple[int, int]] = (2, 64)
    commutative = True
    keeps_zero = True
    colour = "#7a4fa3"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((4, 9, 7), (4, 9, 7))),
        Example(inputs=((2, 3, 5, 4), (2, 3, 5, 4))),
        Example(inputs=((4, 11), (4, 11))),
        Example(inputs=((12,), (12,), (12,))),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        if any(shape != inputs[0] for shape in inputs):
            raise Misfit(f"add expects equal shapes, got {' and '.join(str(shape) for shape in inputs[:8])}")
        return require_features(self.name, inputs[0])

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        value = FLOAT * math.prod(inputs[0])
        return Saved(passes=True, forward=Bytes(out=value if len(inputs) > 2 else 0))  # the sum so far

    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        total = tensors[0]
        for tensor in tensors[1:]:
            total = total + tensor
        return total

    def expression(self, names: Sequence[str]) -> str:
        return " + ".join(names)
