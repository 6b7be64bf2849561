"""concat: maps of one size side by side along the channels, or vectors end to end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.attributes import Misfit
from space.operations.base import Attrs, Channels, Example, Function, Shape, require_features
from space.operations.saved import PASSED_ON, Saved

if TYPE_CHECKING:
    from torch import Tensor


class Concat(Function):
    """2 to 64 inputs (B, C1, sides), (B, C2, sides), … -> (B, C1 + C2 + …, sides); vectors (B, F1), (B, F2), … alike.

    Raises Misfit if the sides differ.
    """

    name = "concat"
    arity: ClassVar[tuple[int, int]] = (2, 64)
    keeps_zero = True
    colour = "#7a4fa3"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((4, 9, 7), (2, 9, 7))),
        Example(inputs=((2, 9, 7), (4, 9, 7), (4, 9, 7))),
        Example(inputs=((2, 3, 5, 4), (4, 3, 5, 4))),
        Example(inputs=((2, 11), (4, 11))),
        Example(inputs=((12,), (3,))),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        size = require_features(self.name, inputs[0])[1:]
        if any(not shape or shape[1:] != size for shape in inputs):
            raise Misfit(f"concat expects maps of one size, got {' and '.join(str(shape) for shape in inputs[:8])}")
        return sum(shape[0] for shape in inputs), *size

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return PASSED_ON

    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        import torch

        return torch.cat(list(tensors), dim=1)

    def expression(self, names: Sequence[str]) -> str:
        return f"torch.cat([{', '.join(names)}], dim=1)"
