"""link_hadamard: the element-wise product of the features of both nodes of a pair (Grover, Leskovec 2016, table 1)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.base import Attrs, Channels, Example, Shape
from space.operations.link_decoder import LinkDecoder
from space.operations.saved import FLOAT, Bytes, Saved

if TYPE_CHECKING:
    from torch import Tensor


class LinkHadamard(LinkDecoder):
    """Nodes (N, F), pairs (2, P) -> (P, F), the same for (a, b) and (b, a); see `LinkDecoder`."""

    name = "link_hadamard"
    examples: ClassVar[tuple[Example, ...]] = (Example(inputs=((12,),)),)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        row = FLOAT * inputs[0][0]
        return Saved(own=Bytes(out=2 * row), to_inputs=Bytes(into=row))  # the features of both nodes

    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        x, pairs = tensors
        return x[pairs[0]] * x[pairs[1]]

    def expression(self, names: Sequence[str]) -> str:
        x, pairs = names
        return f"{x}[{pairs}[0]] * {x}[{pairs}[1]]"
