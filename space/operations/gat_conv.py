"""gat_conv: each node weights its neighbours by attention (Veličković et al. 2018, equations 1 to 5)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Flag, Misfit, Whole
from space.operations.base import Argument, Attrs, Call, Channels, Example, Shape
from space.operations.message_passing import MessagePassing, require_node
from space.operations.saved import FLOAT, INDEX, Bytes, Saved


class GATConv(MessagePassing):
    """Nodes (N, F), edges (2, E) -> (N, out): `heads` attention heads of out / heads features each, concatenated.

    A node attends to itself as well. Raises Misfit if the heads do not divide `out`.
    """

    name = "gat_conv"
    attributes: ClassVar[Mapping[str, Attribute]] = {
        "out": Whole(low=1, high=65_536),
        "heads": Whole(low=1, high=256, default=1),
        "bias": Flag(default=True),
    }
    weighted = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((12,),), attrs={"out": 6}),
        Example(inputs=((5,),), attrs={"out": 8, "heads": 4}),
        Example(inputs=((5,),), attrs={"out": 4, "heads": 2, "bias": False}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        require_node(self.name, inputs)
        out, heads = cast(int, attrs["out"]), cast(int, attrs["heads"])
        if out % heads:
            raise Misfit(f"gat_conv heads {heads} must divide the {out} features")
        return (out,)

    def params(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        """The linear layer, two attention weights for each output feature (sender and receiver), the bias."""
        return self.macs(attrs, inputs) + cast(int, attrs["out"]) * (3 if attrs["bias"] else 2)

    def macs(self, attrs: Attrs, inputs: Sequence[Shape]) -> int:
        """Of the linear layer, for one node. The attention is a sum over edges and depends on the graph."""
        return inputs[0][0] * cast(int, attrs["out"])

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.MIXES

    def vanishes(self, attrs: Attrs, zero: Sequence[bool]) -> bool:
        return all(zero) and not attrs["bias"]

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """Kept: every message, and the steps of the softmax of each head."""
        row, weights = FLOAT * cast(int, attrs["out"]), FLOAT * cast(int, attrs["heads"])
        kept = row + 5 * weights + 2 * INDEX
        return Saved(
            inputs=True,
            own=Bytes(edge=kept, into=kept + row),
            forward=Bytes(edge=row, into=row),
            backward=Bytes(edge=3 * row, into=3 * row),
        )

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        heads = cast(int, attrs["heads"])
        keywords: dict[str, Argument] = {"heads": heads, "bias": cast(bool, attrs["bias"])}
        return Call(
            target="GATConv",
            library="torch_geometric.nn",
            positional={"in_channels": inputs[0][0], "out_channels": cast(int, attrs["out"]) // heads},
            keywords=keywords,
            defaults={"heads": 1, "bias": True},
        )

    def label(self, attrs: Attrs) -> str:
        return f"GAT conv {attrs['out']}, {attrs['heads']} heads"
