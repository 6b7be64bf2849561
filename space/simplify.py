"""The parts of a graph that change nothing: identities, sums with zeros, and operations on zeros.

    identity(x) = x                      add(x, zeros) = x                add(zeros, zeros) = zeros
    f(zeros) = zeros, where the operation says so (`Operation.vanishes`): pooling, most activations, dropout,
    convolutions and linear layers without bias, a product with zeros

All of it holds exactly, for any weights, in training and in evaluation. A norm of zeros is therefore *not* dead: its
shift is learned, so it is a constant for each channel. (NAS-Bench-201 counts such an edge as "none"; see
docs/spaces.md.)
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from space.node import Node, node_of
from space.operations.base import Shape
from space.operations.use import use


@dataclass(slots=True)
class Simple:
    """The simplified graph, with numbers in place of names.

    nodes: in topological order. inputs: the numbers of the nodes that each one reads now.
    zero: whether all values of a node's output are zero. Such nodes stay only where something still reads them.
    output: number of the output.
    """

    nodes: list[Node] = field(default_factory=list)
    inputs: list[list[int]] = field(default_factory=list)
    zero: list[bool] = field(default_factory=list)
    output: int = -1


def simplify(nodes: Sequence[Node], output: str) -> Simple:
    """The graph without identities and without what zeros make redundant. nodes: in topological order.

    Nodes that the output no longer depends on afterwards are still there.
    """
    simple = Simple()
    places: dict[str, int] = {}  # name -> number of the node that gives the same value
    zeros = _Zeros(simple) if any(node.op == "zero" for node in nodes) else None
    for node in nodes:
        inputs = [places[source] for source in node.inputs]
        if node.op == "identity":
            places[node.name] = inputs[0]
            continue
        zero = False
        if zeros is not None and inputs:
            same, inputs, zero = zeros.through(node, inputs)
            if same is not None:
                places[node.name] = same
                continue
        places[node.name] = len(simple.nodes)
        simple.nodes.append(node)
        simple.inputs.append(inputs)
        simple.zero.append(zero)
    simple.output = places[output]
    return simple


def joined_sums(simple: Simple, alive: Sequence[int]) -> dict[int, list[int]]:
    """The terms of each sum among the live nodes, by its number: add(add(a, b), c) becomes a, b, c.

    A sum is written out in the sum that reads it only if nothing else reads it; it then has no entry of its own.
    alive: numbers in topological order.
    """
    readers = Counter(source for number in alive if not simple.zero[number] for source in simple.inputs[number])
    sums: dict[int, list[int]] = {}
    for number in alive:
        if simple.nodes[number].op == "add":
            terms: list[int] = []
            for source in simple.inputs[number]:
                terms += sums.pop(source) if readers[source] == 1 and source in sums else [source]
            sums[number] = terms
    return sums


class _Zeros:
    """Follows zeros through a graph.

    firsts: for each node `_first` of it. made: the zero node that reads a node, by the number of that node.
    """

    def __init__(self, simple: Simple) -> None:
        self.simple = simple
        self.firsts: list[int] = []
        self.made: dict[int, int] = {}

    def through(self, node: Node, inputs: list[int]) -> tuple[int | None, list[int], bool]:
        """What becomes of the next node: (the number of a node equal to it or None, its inputs, whether it is zero).

        inputs: numbers of the simplified nodes it reads.
        """
        zero = self.simple.zero
        if node.op == "zero":
            # a zero reads its input for the shape alone, so it may read the first node of that shape instead: what
            # lies between becomes dead, and all zeros of one shape behind one node become one
            first = self._first(inputs[0])
            same = self.made.get(first)
            self.made.setdefault(first, len(zero))
            return same, [first], True
        if node.op == "add":
            # without the terms that are zero; of zeros alone the first one is the sum
            inputs = [source for source in inputs if not zero[source]] or inputs[:1]
            return (inputs[0] if len(inputs) == 1 else None), inputs, False
        features = inputs[: len(inputs) - len(node.use.operation.indices)]
        if not node.use.operation.vanishes(node.attrs, [zero[source] for source in features]):
            return None, inputs, False
        # the output is zeros: an input of zeros in the same shape, and with the same rows, is the same tensor
        alike = (source for source in features if zero[source] and self._shape(source) == node.use.shape)
        return next(alike, None) if node.use.operation.rows is None else None, inputs, True

    def _shape(self, number: int) -> Shape:
        return self.simple.nodes[number].use.shape

    def _first(self, number: int) -> int:
        """The earliest node, going back along first inputs, whose output has the same shape and the same rows.

        Filled in order, so that each node needs a look at its first input only.
        """
        for known in range(len(self.firsts), number + 1):
            inputs, rows = self.simple.inputs[known], self.simple.nodes[known].use.operation.rows
            alike = bool(inputs) and rows is None and self._shape(inputs[0]) == self._shape(known)
            self.firsts.append(self.firsts[inputs[0]] if alike else known)
        return self.firsts[number]


def without_zeros(nodes: Sequence[Node], output: str) -> tuple[list[Node], str]:
    """The same network without what zeros make redundant: its nodes and its output. Nodes keep their names.

    Nodes that the output no longer depends on are still there; `GraphBuilder.finish` drops them.
    """
    if not any(node.op == "zero" for node in nodes):
        return list(nodes), output
    simple = simplify(nodes, output)
    names = [node.name for node in simple.nodes]
    left: list[Node] = []
    for node, numbers in zip(simple.nodes, simple.inputs, strict=True):
        inputs = tuple(names[number] for number in numbers)
        shapes = tuple(simple.nodes[number].use.shape for number in numbers)
        new_use = node.use if inputs == node.inputs or not inputs else use(node.use.operation, node.attrs, shapes)
        left.append(node if inputs == node.inputs else node_of(node.name, new_use, inputs, node.weights))
    return left, names[simple.output]
