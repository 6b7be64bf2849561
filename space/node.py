"""The node of an architecture's graph."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from space.operations.base import Attrs
from space.operations.use import Use


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One operation of the graph.

    name: dotted path ("stages.0.blocks.1.conv"); the tree of paths is the module tree, so a layer's weight is
        `f"{name}.weight"` in the state dict of the built module and of the generated code.
    op: name of the operation. attrs: its attributes in normal form.
    inputs: names of the nodes it reads, in order.
    weights: name of the node whose layer it uses, weights included, instead of one of its own.
    use: the operation with these attributes on inputs of these shapes.
    """

    name: str
    op: str
    attrs: Attrs
    inputs: tuple[str, ...]
    weights: str | None = None
    use: Use = field(repr=False, compare=False)


def node_of(name: str, use: Use, inputs: tuple[str, ...], weights: str | None = None) -> Node:
    """A node of this use of an operation."""
    return Node(name=name, op=use.operation.name, attrs=use.attrs, inputs=inputs, weights=weights, use=use)


def row_kinds(nodes: Sequence[Node]) -> dict[str, str]:
    """What a row of each node's output is, by the node's name: "sample", "node", "graph" or "pair".

    For the node of an index it is the index: "edges", "graph" or "pairs".
    """
    graph = any(node.op == "index" for node in nodes)
    rows: dict[str, str] = {}
    for node in nodes:
        if node.op == "index":
            rows[node.name] = str(node.attrs["of"])
        elif node.op == "input":
            rows[node.name] = "node" if graph else "sample"
        else:
            rows[node.name] = node.use.operation.rows or rows[node.inputs[0]]
    return rows
