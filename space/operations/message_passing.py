"""What layers share that pass messages along the edges of a graph: they read the edges and see one hop further."""

from collections.abc import Sequence
from typing import ClassVar

from space.operations.attributes import Misfit
from space.operations.base import Attrs, Layer, Shape, Window


class MessagePassing(Layer):
    """Nodes (N, F) and edges (2, E), from node edges[0] to node edges[1] -> nodes (N, …).

    torch_geometric passes the messages. Measured on Cora against plain `index_add` (benchmarks/graphs.py), a graph
    convolution and its gradient take 10 to 25 % longer on the 1,433 features, where most of the time goes into the
    linear layer, and half a millisecond longer on 16. In return the layers are widely used and well tested.

    Raises Misfit for anything but features of nodes and an index.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)
    indices: ClassVar[tuple[str, ...]] = ("edges",)
    colour = "#3b6fb6"

    def window(self, attrs: Attrs, inputs: Sequence[Shape]) -> Window:
        """One hop."""
        return Window(kernel=(2,), padding=(0,))


def require_node(operation: str, inputs: Sequence[Shape]) -> int:
    """The number F of a node's features. inputs: shapes (F,) and (). Raises Misfit for anything else."""
    features, index = inputs
    if len(features) != 1 or index:
        raise Misfit(f"{operation} reads features of nodes (F,) and an index, got {features} and {index}")
    return features[0]
