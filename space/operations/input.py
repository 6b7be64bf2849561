"""input: the features, an input of the network; the first node of every architecture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.base import Attrs, Example, Function, Shape

if TYPE_CHECKING:
    from torch import Tensor


class Input(Function):
    """The batch itself: (B, C, sides) or (N, F). `shape` is given the architecture's input shape."""

    name = "input"
    arity: ClassVar[tuple[int, int]] = (0, 0)
    colour = "#495057"
    examples: ClassVar[tuple[Example, ...]] = (Example(), Example(inputs=((4, 3, 5, 4),)), Example(inputs=((4, 11),)))

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return inputs[0]

    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        return tensors[0]

    def expression(self, names: Sequence[str]) -> str:
        return names[0]
