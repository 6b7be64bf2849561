"""link_dot: the inner product of both nodes of a pair as logits of "no link", "link" (Kipf, Welling 2016, eq. 2)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.base import Attrs, Channels, Example, Shape
from space.operations.link_decoder import LinkDecoder
from space.operations.saved import FLOAT, Bytes, Saved

if TYPE_CHECKING:
    from torch import Tensor


class LinkDot(LinkDecoder):
    """Nodes (N, F), pairs (2, P) -> logits (P, 2): 0 and the product, so that softmax gives the product's sigmoid.

    See `LinkDecoder`.
    """

    name = "link_dot"
    examples: ClassVar[tuple[Example, ...]] = (Example(inputs=((12,),)),)

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        super().shape(attrs, inputs)
        return (2,)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.MIXES  # both nodes have their features in the same order, so the order does not matter

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        row = FLOAT * inputs[0][0]
        return Saved(own=Bytes(out=2 * row), forward=Bytes(out=row), to_inputs=Bytes(into=row))

    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        import torch.nn.functional as F

        x, pairs = tensors
        return F.pad((x[pairs[0]] * x[pairs[1]]).sum(dim=1, keepdim=True), (1, 0))

    def expression(self, names: Sequence[str]) -> str:
        x, pairs = names
        return f"F.pad(({x}[{pairs}[0]] * {x}[{pairs}[1]]).sum(dim=1, keepdim=True), (1, 0))"
