"""What layers that pass messages along the edges of a graph share: they read the edges, and see one hop further."""

from collections.abc import Sequence
from typing import ClassVar

from space.operations.attributes import Misfit
from space.operations.base import Attrs, Layer, Shape, Window


class MessagePassing(Layer):
    """Rows of nodes (N, F) and edges (2, E), from node edges[0] to node edges[1] -> rows of nodes.

    torch_geometric passes the messages. Measured on Cora beside plain `index_add` (benchmarks/graphs.py), a graph
    convolution and its gradient take 10 to 25 % longer on the 1,433 features, where the linear layer is most of it, and
    half a millisecond longer on 16. That buys layers that are known and checked far beyond this repository.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)
    indices: ClassVar[tuple[str, ...]] = ("edges",)
    colour = "#3b6fb6"

    def window(self, attrs: Attrs, inputs: Sequence[Shape]) -> Window:
        """One hop."""
        return Window(kernel=(2,), padding=(0,))


def require_node(operation: str, inputs: Sequence[Shape]) -> int:
    """The features F of a node, of the inputs features and index. Raises Misfit for anything else."""
    features, index = inputs
    if len(features) != 1 or index:
        raise Misfit(f"{operation} reads features of nodes (F,) and an index, got {features} and {index}")
    return features[0]
