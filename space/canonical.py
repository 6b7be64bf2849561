"""The canonical hash: one text for all ways to write the same network.

Two architectures have the same hash exactly when one can be turned into the other by renaming nodes, reordering the
node list, adding or dropping dead nodes and identities, and reordering inputs where the order is a matter of spelling:
always for add, and for concat when everything that reads the concatenation does so through weights of its own
(`Channels.MIXES`), because those weights then differ by a permutation only, and are drawn alike and learned. A concat
that reaches an add, a grouped convolution or the output unmixed keeps its order.

The hash is of a full description of the graph in a canonical order (each node: operation, attributes, numbers of its
inputs), so a node used twice never equals two copies of it, and different graphs never share a text. The order comes
from a walk from the output; inputs that may be swapped are visited by colour. A colour starts as a bottom-up hash and
is refined with the colours of the readers where siblings tie (Weisfeiler, Leman 1968). Siblings that tie even then
and are no plain twins are told apart by choosing one and refining again. In graphs of real spaces they are mirror
images, so that any choice gives the same text; in contrived, highly regular graphs they need not be, and two spellings
may keep two hashes: a repeat trained twice, never two networks taken for one.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Protocol

from space.operations import OPERATIONS
from space.operations.base import Attrs, Channels, Shape

MAX_ROUNDS = 256
"""Of refinement in one graph. Two or three settle those of real spaces; hostile ones of 4,096 nodes end in seconds."""


class NodeLike(Protocol):
    """What is read of a node."""

    @property
    def name(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def attrs(self) -> Attrs: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def weights(self) -> str | None: ...


def canonical_hash(
    nodes: Sequence[NodeLike], shapes: Mapping[str, Shape], output: str, header: tuple[object, ...]
) -> str:
    """32 hex digits. nodes: topological, none dead. header: what else belongs to the network (input shape, classes)."""
    graph = _Graph(nodes, shapes, output)
    return blake2b(f"{header!r}{graph.text()}".encode(), digest_size=16).hexdigest()


def _colour(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()


class _Graph:
    """The graph with numbers for names and without identities."""

    def __init__(self, nodes: Sequence[NodeLike], shapes: Mapping[str, Shape], output: str) -> None:
        index: dict[str, int] = {}
        self.kinds: list[str] = []
        self.again: list[tuple[int, int]] = []
        self.inputs: list[list[int]] = []
        kept: list[NodeLike] = []
        for node in nodes:
            if node.op == "identity":
                index[node.name] = index[node.inputs[0]]
                continue
            index[node.name] = len(kept)
            kept.append(node)
            self.kinds.append(f"{node.op}{tuple(node.attrs.items())!r}{' again' if node.weights else ''}")
            if node.weights:
                self.again.append((index[node.name], index[node.weights]))
            self.inputs.append([index[name] for name in node.inputs])
        self.output = index[output]
        self.readers: list[list[int]] = [[] for _ in kept]
        for number, inputs in enumerate(self.inputs):
            for source in inputs:
                self.readers[source].append(number)
        self.swappable = self._swappable(kept, shapes)
        self.rounds = MAX_ROUNDS
        self.colours = self._first_colours()

    def _swappable(self, kept: Sequence[NodeLike], shapes: Mapping[str, Shape]) -> list[bool]:
        """Per node: whether the order of its inputs is a matter of spelling."""
        swappable = [OPERATIONS[node.op].commutative for node in kept]
        if not any(node.op == "concat" for node in kept):
            return swappable
        free = [False] * len(kept)
        for number in reversed(range(len(kept))):
            free[number] = number != self.output
            for reader in self.readers[number]:
                node = kept[reader]
                effect = OPERATIONS[node.op].channels(node.attrs, [shapes[name] for name in node.inputs])
                passes = effect is Channels.MIXES or (effect is Channels.KEEPS and free[reader])
                free[number] = free[number] and passes
            if kept[number].op == "concat":
                swappable[number] = free[number]
        return swappable

    def text(self) -> str:
        """The description of the graph in canonical order."""
        numbers: dict[int, int] = {}
        lines: list[str] = []
        stack: list[tuple[int, list[int] | None]] = [(self.output, None)]
        while stack:
            node, order = stack.pop()
            if order is None and node not in numbers:
                order = self._order(node, numbers)
                stack.append((node, order))
                stack.extend((source, None) for source in reversed(order))
            elif order is not None and node not in numbers:
                sources = [numbers[source] for source in self.inputs[node]]
                if self.swappable[node]:
                    sources.sort()
                numbers[node] = len(numbers)
                lines.append(f"{self.kinds[node]}{sources}")
        # told at the end, when all have numbers: which nodes use which others' weights
        lines += sorted(f"{numbers[node]}={numbers[owner]}" for node, owner in self.again)
        return "\n".join(lines)

    def _order(self, node: int, numbers: dict[int, int]) -> list[int]:
        """The inputs of a node in the order to visit them."""
        inputs = self.inputs[node]
        if not self.swappable[node] or len(set(inputs)) == 1:
            return inputs
        while self.rounds and (tied := self._tie(set(inputs))):
            chosen = min(tied, key=lambda source: numbers.get(source, len(self.kinds)))
            self.colours[chosen] = _colour(f"chosen {self.colours[chosen].hex()}")
            self.colours = self._refined(self.colours)
        return sorted(inputs, key=lambda source: self.colours[source])

    def _tie(self, inputs: set[int]) -> list[int]:
        """Inputs of one colour between which the choice may matter elsewhere; empty if there are none."""
        groups: dict[bytes, list[int]] = {}
        for source in inputs:
            groups.setdefault(self.colours[source], []).append(source)
        for colour in sorted(groups):
            if len(groups[colour]) > 1 and len({self._root(source) for source in groups[colour]}) > 1:
                return groups[colour]
        return []

    def _root(self, node: int) -> int:
        """Where the unbranched row that ends in this node begins: rows of one colour from one root are twins."""
        while len(self.readers[node]) == 1 and len(self.inputs[node]) == 1:
            node = self.inputs[node][0]
        return node

    def _first_colours(self) -> list[bytes]:
        """Bottom-up hashes; refined only where siblings tie, which is seldom."""
        colours = self._upward([b""] * len(self.kinds))
        tied = any(
            len({colours[source] for source in self.inputs[node]}) < len(set(self.inputs[node]))
            for node, swappable in enumerate(self.swappable)
            if swappable
        )
        return self._refined(colours) if tied else colours

    def _refined(self, colours: list[bytes]) -> list[bytes]:
        """Colours with what the readers of each node know, again until nothing splits any more."""
        classes = 0
        while self.rounds:
            self.rounds -= 1
            colours = self._upward(self._downward(colours))
            if len(set(colours)) == classes:
                break
            classes = len(set(colours))
        return colours

    def _upward(self, start: list[bytes]) -> list[bytes]:
        colours: list[bytes] = []
        for number, inputs in enumerate(self.inputs):
            below = [colours[source] for source in inputs]
            if self.swappable[number]:
                below.sort()
            colours.append(_colour(f"{self.kinds[number]}{start[number].hex()}{b''.join(below).hex()}"))
        return colours

    def _downward(self, start: list[bytes]) -> list[bytes]:
        colours = [b""] * len(start)
        for number in reversed(range(len(start))):
            above = sorted(
                colours[reader] + (b"" if self.swappable[reader] else bytes([self.inputs[reader].index(number)]))
                for reader in self.readers[number]
            )
            mark = "output" if number == self.output else ""
            colours[number] = _colour(f"{start[number].hex()}{mark}{b''.join(above).hex()}")
        return colours
