"""gate: a mixture of two maps, with a weight for each value (Srivastava et al. 2015, Highway Networks, equation 3)."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.attributes import Misfit
from space.operations.base import Attrs, Example, Function, Shape, require_features
from space.operations.saved import FLOAT, Bytes, Saved

if TYPE_CHECKING:
    from torch import Tensor


class Gate(Function):
    """Gate z, new h and old x, all (B, C, sides) or (B, F) -> T · h + (1 - T) · x with T = sigmoid(z - 2), same shape.

    The 2 is the negative bias with which the paper initialises its gates (section 2.2): an untrained gate passes 88 %
    of x on. It is a constant here and not a weight, because weight decay would reduce it and open the gates. Raises
    Misfit if the shapes differ.
    """

    name = "gate"
    arity: ClassVar[tuple[int, int]] = (3, 3)
    colour = "#7a4fa3"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((4, 9, 7),) * 3),
        Example(inputs=((4, 5, 4, 3),) * 3),
        Example(inputs=((4, 11),) * 3),
        Example(inputs=((12,),) * 3),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        if any(shape != inputs[0] for shape in inputs):
            raise Misfit(f"gate expects three equal shapes, got {' and '.join(str(shape) for shape in inputs)}")
        return require_features(self.name, inputs[0])

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """Kept: T and h - x."""
        size = FLOAT * math.prod(output)
        return Saved(own=Bytes(out=2 * size), forward=Bytes(out=size), backward=Bytes(out=size))

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        return zero[1] and zero[2]

    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        import torch

        gate, new, old = tensors
        return old + torch.sigmoid(gate - 2) * (new - old)

    def expression(self, names: Sequence[str]) -> str:
        gate, new, old = names
        return f"{old} + torch.sigmoid({gate} - 2) * ({new} - {old})"
