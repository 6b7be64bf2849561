"""index: an index of graph data, an input of the network. There is one node for each that the kind of data has."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from space.operations.attributes import Attribute, Choice
from space.operations.base import Attrs, Example, Function, Shape

if TYPE_CHECKING:
    from torch import Tensor


class Index(Function):
    """The int64 tensor "edges" (2, E), "graph" (N,) or "pairs" (2, P); its shape in the graph is ()."""

    name = "index"
    attributes: ClassVar[Mapping[str, Attribute]] = {"of": Choice(options=("edges", "graph", "pairs"))}
    arity: ClassVar[tuple[int, int]] = (0, 0)
    colour = "#495057"
    examples: ClassVar[tuple[Example, ...]] = tuple(
        Example(inputs=(), attrs={"of": of}) for of in ("edges", "graph", "pairs")
    )

    def shape(self, attrs: Attrs, inputs: Sequence[Shape]) -> Shape:
        return ()

    def apply(self, tensors: Sequence["Tensor"]) -> "Tensor":
        return tensors[0]

    def expression(self, names: Sequence[str]) -> str:
        return names[0]

    def label(self, attrs: Attrs) -> str:
        return str(attrs["of"])
