"""multiply: the element-wise product of maps or vectors, such as a map and the gate of its channels."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.attributes import Misfit
from space.operations.base import Attrs, Example, Function, Shape, require_features
from space.operations.saved import FLOAT, Bytes, Saved

if TYPE_CHECKING:
    from torch import Tensor


class Multiply(Function):
    """2 to 64 inputs, each (B, C, sides) or (B, C, 1, …) -> (B, C, sides); vectors (B, F) -> (B, F).

    Raises Misfit if the channels differ, or if sides differ that are not all 1.
    """

    name = "multiply"
    arity: ClassVar[tuple[int, int]] = (2, 64)
    commutative = True
    colour = "#7a4fa3"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((4, 9, 7), (4, 9, 7))),
        Example(inputs=((4, 9, 7), (4, 1, 1))),
        Example(inputs=((4, 1, 1, 1), (4, 5, 4, 3))),
        Example(inputs=((4, 11), (4, 1))),
        Example(inputs=((12,), (12,), (12,))),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        channels, *size = require_features(self.name, max(inputs))
        alike = all(shape in (max(inputs), (channels, *(1 for _ in size))) for shape in inputs)
        if not alike:
            shown = " and ".join(str(shape) for shape in inputs[:8])
            raise Misfit(f"multiply expects equal shapes, or sides of 1 beside a whole map, got {shown}")
        return max(inputs)

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        return any(zero)

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        spread = len(set(inputs)) > 1  # the gradient of a broadcast input is summed over a tensor as large as the map
        return Saved(inputs=True, to_inputs=Bytes(out=FLOAT * math.prod(output) if spread else 0))

    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        product = tensors[0]
        for tensor in tensors[1:]:
            product = product * tensor
        return product

    def expression(self, names: Sequence[str]) -> str:
        return " * ".join(names)
