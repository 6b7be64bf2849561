"""graph_pool: the mean, sum or maximum over the nodes of each graph, the readout (Xu et al. 2019, section 4.2)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from space.operations.attributes import Attribute, Choice
from space.operations.base import Attrs, Call, Channels, Example, Layer, Shape
from space.operations.message_passing import require_node
from space.operations.saved import FLOAT, Bytes, Saved

if TYPE_CHECKING:
    from torch import nn


class GraphPool(Layer):
    """Nodes (N, F), graph (N,), the number of each node's graph, ascending -> graphs (G, F).

    It has a class of its own because torch_geometric's reads the number of graphs back from the device, which
    torch.export cannot follow.
    """

    name = "graph_pool"
    attributes: ClassVar[Mapping[str, Attribute]] = {
        "how": Choice(options=("mean", "sum", "max"), default="mean"),
    }
    arity: ClassVar[tuple[int, int]] = (2, 2)
    indices: ClassVar[tuple[str, ...]] = ("graph",)
    rows = "graph"
    keeps_zero = True
    colour = "#2f9e7f"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((12,),)),
        Example(inputs=((12,),), attrs={"how": "sum"}),
        Example(inputs=((1,),), attrs={"how": "max"}),
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return (require_node(self.name, inputs),)

    def channels(self, attrs: Attrs, inputs: Sequence[Shape]) -> Channels:
        return Channels.KEEPS

    def saved(self, attrs: Attrs, inputs: Sequence[Shape], output: Shape) -> Saved:
        """Until the end there are as many rows as nodes, since there could be as many graphs; a maximum keeps them."""
        row = FLOAT * inputs[0][0]
        if attrs["how"] == "max":
            return Saved(inputs=True, own=Bytes(into=2 * row), to_inputs=Bytes(into=9 * row))
        return Saved(forward=Bytes(into=row), to_inputs=Bytes(into=row))

    def call(self, attrs: Attrs, inputs: Sequence[Shape]) -> Call:
        return Call(target="GraphPool", library="", positional={"how": cast(str, attrs["how"])})

    def define(self) -> "type[nn.Module]":
        import torch
        from torch import Tensor, nn

        class GraphPool(nn.Module):
            """(N, F) of nodes, (N,) number of each node's graph, ascending -> (G, F) of graphs."""

            def __init__(self, how: str) -> None:
                super().__init__()
                self.how = how

            def forward(self, x: Tensor, graph: Tensor) -> Tensor:
                index = graph.unsqueeze(1).expand_as(x)
                pooled = torch.zeros_like(x)  # a row for as many graphs as there could be
                if self.how == "max":
                    pooled = pooled.scatter_reduce(0, index, x, "amax", include_self=False)
                else:
                    pooled = pooled.scatter_add(0, index, x)
                if self.how == "mean":
                    nodes = x.new_zeros(x.shape[0]).scatter_add(0, graph, x.new_ones(x.shape[0]))
                    pooled = pooled / nodes.clamp(min=1).unsqueeze(1)
                return pooled[torch.unique_consecutive(graph)]

        return GraphPool

    def label(self, attrs: Attrs) -> str:
        return f"{attrs['how']} of each graph's nodes"
