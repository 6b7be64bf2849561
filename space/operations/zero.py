"""zero: zeros in the shape of its input, the "none" of cell spaces (Dong, Yang 2020, NAS-Bench-201, section 2.1)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.base import Attrs, Channels, Example, Function, Shape, require_features
from space.operations.saved import Saved

if TYPE_CHECKING:
    from torch import Tensor


class Zero(Function):
    """(B, C, sides) or (B, F) -> zeros of the same shape; no gradient passes it."""

    name = "zero"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(),
        Example(inputs=((2, 3, 5, 4),)),
        Example(inputs=((4, 11),)),
        Example(inputs=((12,),)),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return require_features(self.name, inputs[0])

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        return Saved(cuts=True)

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        return True

    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        import torch

        return torch.zeros_like(tensors[0])

    def expression(self, names: Sequence[str]) -> str:
        return f"torch.zeros_like({names[0]})"
