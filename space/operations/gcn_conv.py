"""gcn_conv: a linear layer, then the normalised sum of a node and its neighbours (Kipf, Welling 2017, equation 2)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Flag, Whole
from space.operations.base import Attrs, Call, Channels, Example, Shape
from space.operations.message_passing import MessagePassing, require_node
from space.operations.saved import FLOAT, INDEX, Bytes, Saved


class GCNConv(MessagePassing):
    """Nodes (N, F), edges (2, E) -> (N, out): D^-1/2 (A + I) D^-1/2 X W + b.

    A is the adjacency matrix; D counts the neighbours of each node and the node itself.
    """

    name = "gcn_conv"
    attributes: ClassVar[Mapping[str, Attribute]] = {"out": Whole(low=1, high=65_536), "bias": Flag(default=True)}
    weighted = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((12,),), attrs={"out": 5}),
        Example(inputs=((3,),), attrs={"out": 8, "bias": False}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        require_node(self.name, inputs)
        return (cast(int, attrs["out"]),)

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        return self.macs(attrs, inputs) + (cast(int, attrs["out"]) if attrs["bias"] else 0)

    def macs(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        """Of the linear layer, for one node. The sum over neighbours has no weights and depends on the graph."""
        return inputs[0][0] * cast(int, attrs["out"])

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.MIXES

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        return all(zero) and not attrs["bias"]

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """Kept: edges and loops with their weights. In passing: every message, before and after it is weighted."""
        row = FLOAT * cast(int, attrs["out"])
        looped = 2 * INDEX + FLOAT
        return Saved(
            inputs=True,
            own=Bytes(edge=looped, into=looped),
            forward=Bytes(edge=2 * row, into=3 * row),
            backward=Bytes(edge=2 * row, into=3 * row),
        )

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        return Call(
            target="GCNConv",
            library="torch_geometric.nn",
            positional={"in_channels": inputs[0][0], "out_channels": cast(int, attrs["out"])},
            keywords={"bias": cast(bool, attrs["bias"])},
            defaults={"bias": True},
        )

    def label(self, attrs: Attrs) -> str:
        return f"GCN conv {attrs['out']}"
