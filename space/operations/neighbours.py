"""neighbours: the mean, sum or maximum over the neighbours of each node, without weights."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from space.operations.attributes import Attribute, Choice, Flag
from space.operations.base import Argument, Attrs, Call, Channels, Example, Shape
from space.operations.message_passing import MessagePassing, require_node
from space.operations.saved import FLOAT, Bytes, Saved


class Neighbours(MessagePassing):
    """Nodes (N, F), edges (2, E) -> (N, F). A node without neighbours gets zeros; `own` adds its own features.

    With linear layers around it, this is the aggregation of GraphSAGE (Hamilton et al. 2017, algorithm 1, line 4) and
    of GIN (Xu et al. 2019, equation 4.1).
    """

    name = "neighbours"
    attributes: ClassVar[Mapping[str, Attribute]] = {
        "aggregation": Choice(options=("mean", "sum", "max"), default="mean"),
        "own": Flag(default=False),
    }
    keeps_zero = True
    colour = "#2f9e7f"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((12,),)),
        Example(inputs=((12,),), attrs={"aggregation": "sum", "own": True}),
        Example(inputs=((3,),), attrs={"aggregation": "max"}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return (require_node(self.name, inputs),)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """A maximum keeps every message, because its gradient goes to the node where the maximum came from."""
        row = FLOAT * inputs[0][0]
        if attrs["aggregation"] == "max":
            messages = Bytes(edge=row, into=row)
            return Saved(output=True, own=messages, to_inputs=Bytes(edge=5 * row, into=4 * row))
        share = Bytes(edge=row, into=row if attrs["aggregation"] == "mean" else 0)
        return Saved(forward=share, to_inputs=share)

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        keywords: dict[str, Argument] = {"combine_root": "sum"} if attrs["own"] else {}
        return Call(
            target="SimpleConv",
            library="torch_geometric.nn",
            positional={"aggr": cast(str, attrs["aggregation"])},
            keywords=keywords,
        )

    def label(self, attrs: Attrs) -> str:
        return f"{attrs['aggregation']} of neighbours{', and own' if attrs['own'] else ''}"
