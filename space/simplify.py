"""What a graph says in more words than it needs: identities, sums with zeros, and what comes of zeros.

    identity(x) = x                      add(x, zeros) = x                add(zeros, zeros) = zeros
    f(zeros) = zeros, where the operation says so (`Operation.vanishes`): pooling, most activations, dropout,
    convolutions and linear layers without bias, a product with zeros

All of it holds exactly, for any weights, in training as in use. So a norm of zeros is *not* dead: its shift is learned,
and it remains as a constant for each channel. (NAS-Bench-201 counts such an edge as none; see docs/spaces.md.)
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from space.node import Node, node_of
from space.operations.base import Shape
from space.operations.use import use


@dataclass(slots=True)
class Simple:
    """The graph that is left, with numbers for names.

    nodes: in topological order. inputs: of each, the numbers of what it reads now. zero: whether all it gives is zeros;
    those that something still reads are left, as few as possible. output: number of the output.
    """

    nodes: list[Node] = field(default_factory=list)
    inputs: list[list[int]] = field(default_factory=list)
    zero: list[bool] = field(default_factory=list)
    output: int = -1


def simplify(nodes: Sequence[Node], output: str) -> Simple:
    """nodes: in topological order. What nothing leads on from after this is still there."""
    simple = Simple()
    places: dict[str, int] = {}
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
    """What each sum among the living nodes adds up, by its number, with the sums that nothing else reads written out.

    A sum that has been written out in another is left out itself.
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
    """Follows zeros through a graph."""

    def __init__(self, simple: Simple) -> None:
        self.simple = simple
        self.firsts: list[int] = []
        self.made: dict[int, int] = {}

    def through(self, node: Node, inputs: list[int]) -> tuple[int | None, list[int], bool]:
        """The node that this one is equal to, if there is one; else what it needs to read, and whether it is zeros."""
        zero = self.simple.zero
        if node.op == "zero":
            # any tensor of this shape will do to read: the first one, so that what lies between can be left out
            first = self._first(inputs[0])
            same = self.made.get(first)
            self.made.setdefault(first, len(zero))
            return same, [first], True
        if node.op == "add":
            inputs = [source for source in inputs if not zero[source]] or inputs[:1]
            return (inputs[0] if len(inputs) == 1 else None), inputs, False
        features = inputs[: len(inputs) - len(node.use.operation.indices)]
        if not node.use.operation.vanishes(node.attrs, [zero[source] for source in features]):
            return None, inputs, False
        alike = (source for source in features if zero[source] and self._shape(source) == node.use.shape)
        return next(alike, None) if node.use.operation.rows is None else None, inputs, True

    def _shape(self, number: int) -> Shape:
        return self.simple.nodes[number].use.shape

    def _first(self, number: int) -> int:
        """The earliest node, up along first inputs, whose output has this shape and the same rows."""
        for known in range(len(self.firsts), number + 1):
            inputs, rows = self.simple.inputs[known], self.simple.nodes[known].use.operation.rows
            alike = bool(inputs) and rows is None and self._shape(inputs[0]) == self._shape(known)
            self.firsts.append(self.firsts[inputs[0]] if alike else known)
        return self.firsts[number]


def without_zeros(nodes: Sequence[Node], output: str) -> tuple[list[Node], str]:
    """The same network without what zeros make superfluous; nodes keep their names. Some may lead nowhere now."""
    if not any(node.op == "zero" for node in nodes):
        return list(nodes), output
    simple = simplify(nodes, output)
    names = [node.name for node in simple.nodes]
    left: list[Node] = []
    for node, numbers in zip(simple.nodes, simple.inputs, strict=True):
        inputs = tuple(names[number] for number in numbers)
        shapes = tuple(simple.nodes[number].use.shape for number in numbers)
        kind = node.use if inputs == node.inputs or not inputs else use(node.use.operation, node.attrs, shapes)
        left.append(node if inputs == node.inputs else node_of(node.name, kind, inputs, node.weights))
    return left, names[simple.output]
