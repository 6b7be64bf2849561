"""What the link decoders share: they read the features of both nodes of each pair."""

from collections.abc import Sequence
from typing import ClassVar

from space.operations.base import Attrs, Function, Shape
from space.operations.message_passing import require_node


class LinkDecoder(Function):
    """Nodes (N, F) and pairs (2, P) -> pairs (P, …). Raises Misfit for anything but features of nodes and an index."""

    arity: ClassVar[tuple[int, int]] = (2, 2)
    indices: ClassVar[tuple[str, ...]] = ("pairs",)
    rows = "pair"
    keeps_zero = True
    colour = "#7a4fa3"

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return (require_node(self.name, inputs),)
