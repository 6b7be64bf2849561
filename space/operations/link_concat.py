"""link_concat: the features of both nodes of a pair, concatenated."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.base import Attrs, Example, Shape
from space.operations.link_decoder import LinkDecoder
from space.operations.saved import FLOAT, Bytes, Saved

if TYPE_CHECKING:
    from torch import Tensor


class LinkConcat(LinkDecoder):
    """Nodes (N, F), pairs (2, P) -> (P, 2 · F), the features of the first node first; see `LinkDecoder`."""

    name = "link_concat"
    examples: ClassVar[tuple[Example, ...]] = (Example(inputs=((12,),)),)

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return (2 * super().shape(attrs, inputs)[0],)

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        row = FLOAT * inputs[0][0]
        return Saved(forward=Bytes(out=2 * row), to_inputs=Bytes(into=row))

    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        import torch

        x, pairs = tensors
        return torch.cat([x[pairs[0]], x[pairs[1]]], dim=1)

    def expression(self, names: Sequence[str]) -> str:
        x, pairs = names
        return f"torch.cat([{x}[{pairs}[0]], {x}[{pairs}[1]]], dim=1)"
