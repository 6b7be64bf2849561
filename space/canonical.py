"""The canonical hash: one text for all ways to write the same network.

Two architectures have the same hash exactly when one can be turned into the other by renaming nodes, reordering the
node list, adding or dropping dead nodes and identities, and reordering inputs where the order is a matter of spelling:
always for add, and for concat when everything that reads the concatenation does so through weights of its own
(`Channels.MIXES`), because those weights then differ by a permutation only, and are drawn alike and learned. A concat
that reaches an add, a grouped convolution or the output unmixed keeps its order.

The hash is of a full description of the graph in a canonical order (each node: operation, attributes, numbers of its
inputs), so a node used twice never equals two copies of it, and different graphs never share a text. The order comes
from a walk from the output; inputs that may be swapped are visited by colour. A colour starts as a bottom-up hash and
is refined with the colours of the readers where siblings tie (Weisfeiler, Leman 1968). Siblings that still tie are
equal in every way colours can see; whichever goes first, the text is the same, except for contrived highly regular
graphs that colour refinement cannot tell apart. For those two spellings may keep two hashes: a repeat trained twice,
never two networks taken for one.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Protocol

from space.operations import OPERATIONS
from space.operations.base import Attrs, Channels, Shape

MAX_ROUNDS = 64
"""Of refinement. Two or three settle the graphs of real spaces; the bound keeps hostile ones from taking minutes."""


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
        self.inputs: list[list[int]] = []
        kept: list[NodeLike] = []
        for node in nodes:
            if node.op == "identity":
                index[node.name] = index[node.inputs[0]]
                continue
            index[node.name] = len(kept)
            kept.append(node)
            self.kinds.append(f"{node.op}{tuple(node.attrs.items())!r}")
            self.inputs.append([index[name] for name in node.inputs])
        self.output = index[output]
        self.readers: list[list[int]] = [[] for _ in kept]
        for number, inputs in enumerate(self.inputs):
            for source in inputs:
                self.readers[source].append(number)
        self.swappable = self._swappable(kept, shapes)

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
        colours = self._colours()
        numbers: dict[int, int] = {}
        lines: list[str] = []
        stack: list[tuple[int, list[int] | None]] = [(self.output, None)]
        while stack:
            node, order = stack.pop()
            if order is None and node not in numbers:
                order = self._order(node, colours, numbers)
                stack.append((node, order))
                stack.extend((source, None) for source in reversed(order))
            elif order is not None and node not in numbers:
                sources = [numbers[source] for source in self.inputs[node]]
                if self.swappable[node]:
                    sources.sort()
                numbers[node] = len(numbers)
                lines.append(f"{self.kinds[node]}{sources}")
        return "\n".join(lines)

    def _order(self, node: int, colours: list[bytes], numbers: dict[int, int]) -> list[int]:
        """The inputs of a node in the order to visit them."""
        inputs = self.inputs[node]
        if not self.swappable[node] or len(set(inputs)) == 1:
            return inputs
        if len({colours[source] for source in inputs}) == len(set(inputs)):
            return sorted(inputs, key=lambda source: colours[source])
        return sorted(inputs, key=lambda source: (colours[source], self._footing(source, numbers)))

    def _footing(self, node: int, numbers: dict[int, int]) -> tuple[bool, list[int]]:
        """The numbers given so far that a node stands on: earlier choices between ties decide later ones."""
        found: set[int] = set()
        seen = {node}
        stack = [node]
        while stack:
            here = stack.pop()
            if here in numbers:
                found.add(numbers[here])
                continue
            fresh = [source for source in self.inputs[here] if source not in seen]
            seen.update(fresh)
            stack.extend(fresh)
        return node not in numbers, sorted(found)

    def _colours(self) -> list[bytes]:
        """Bottom-up hashes; refined with the readers' side until nothing splits, but only where siblings tie."""
        colours = self._upward([b""] * len(self.kinds))
        classes = len(set(colours))
        for _ in range(MAX_ROUNDS):
            if not any(self._tied(number, colours) for number, swap in enumerate(self.swappable) if swap):
                break
            colours = self._upward(self._downward(colours))
            if len(set(colours)) == classes:
                break
            classes = len(set(colours))
        return colours

    def _tied(self, node: int, colours: list[bytes]) -> bool:
        inputs = set(self.inputs[node])
        return len({colours[source] for source in inputs}) < len(inputs)

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
