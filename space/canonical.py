"""The canonical hash: one text for all ways to write the same network.

Two architectures have the same hash exactly when one can be turned into the other by renaming nodes, reordering the
node list, adding or dropping dead nodes, identities and zeros (`space/simplify.py`), writing a sum of sums as one, and
reordering inputs where the order is a matter of spelling: always for add and multiply, and for concat when everything
that reads the concatenation does so through weights of its own (`Channels.MIXES`), because those weights then differ by
a permutation only, and are drawn alike and learned. A concat that reaches an add, a grouped convolution, a layer that
shares its weights or the output unmixed keeps its order.

The hash is of a full description of the graph in a canonical order (each node: operation, attributes, numbers of its
inputs), so a node used twice never equals two copies of it, and different graphs never share a text. Weights that
several nodes share are a node of their own there, which all of them read. The order comes from a walk from the output;
inputs that may be swapped are visited by colour. A colour starts as a bottom-up hash and is refined with the colours of
the readers where siblings tie (Weisfeiler, Leman 1968). Siblings that tie even then and are no plain twins are told
apart by choosing one and refining again. In graphs of real spaces they are mirror images, so that any choice gives the
same text; in contrived, highly regular graphs they need not be, and two spellings may keep two hashes: a repeat trained
twice, never two networks taken for one.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from space.node import Node
from space.operations.base import Channels, Shape
from space.simplify import Simple, joined_sums, simplify

MAX_ROUNDS = 256
"""Of refinement in one graph. Two or three settle those of real spaces; hostile ones of 4,096 nodes end in seconds."""


def canonical_hash(nodes: Sequence[Node], output: str, header: tuple[object, ...]) -> str:
    """32 hex digits. nodes: topological, none dead. header: what else belongs to the network (input shape, classes)."""
    graph = _Graph(simplify(nodes, output))
    return blake2b(f"{header!r}{graph.text()}".encode(), digest_size=16).hexdigest()


def _colour(content: bytes) -> bytes:
    return blake2b(content, digest_size=8).digest()


class _Graph:
    """The simplified graph, with numbers for names.

    kinds: what stands in the text for each node. marks: the same as 8 bytes. inputs, readers: numbers of nodes.
    swappable: whether the order of the inputs is a matter of spelling.
    """

    def __init__(self, simple: Simple) -> None:
        self.kinds: list[str] = []
        self.marks: list[bytes] = []
        self.inputs: list[list[int]] = []
        self.swappable: list[bool] = []
        effects: list[Channels] = []
        zeros: dict[Shape, int] = {}
        alive = _alive(simple)
        shared = _shared(simple, alive)
        sums = joined_sums(simple, alive)
        pools: dict[str, int] = {}
        places: dict[int, int] = {}
        for number in alive:
            node = simple.nodes[number]
            use = node.use
            if node.op == "add" and number not in sums:
                continue
            if simple.zero[number]:  # of one shape all are the same, whatever they were made of
                if use.shape not in zeros:
                    zeros[use.shape] = self._append(f"zero{use.shape}", None, [])
                    effects.append(Channels.BINDS)
                places[number] = zeros[use.shape]
                continue
            inputs = [places[source] for source in sums.get(number, simple.inputs[number])]
            effect = use.channels
            owner = node.weights or node.name
            if shared and use.params and shared[owner] > 1:
                if owner not in pools:
                    pools[owner] = self._append("weights", None, [])
                    effects.append(Channels.BINDS)
                inputs.append(pools[owner])
                effect = Channels.BINDS  # a permutation of its weights would be one of the others' as well
            places[number] = self._append(use.text, use.mark, inputs, swappable=use.operation.commutative)
            effects.append(effect)
        self.output = places[simple.output]
        self.readers: list[list[int]] = [[] for _ in self.kinds]
        for number, inputs in enumerate(self.inputs):
            for source in inputs:
                self.readers[source].append(number)
        self._free_concats(effects)
        self.rounds = MAX_ROUNDS
        self.colours = self._first_colours()

    def _append(self, kind: str, mark: bytes | None, inputs: list[int], *, swappable: bool = False) -> int:
        self.kinds.append(kind)
        self.marks.append(mark or _colour(kind.encode()))
        self.inputs.append(inputs)
        self.swappable.append(swappable)
        return len(self.kinds) - 1

    def _free_concats(self, effects: Sequence[Channels]) -> None:
        """Mark each concat as swappable whose channels everything that reads them mixes with weights of its own."""
        if "concat()" not in self.kinds:
            return
        free = [False] * len(self.kinds)
        for number in reversed(range(len(self.kinds))):
            free[number] = number != self.output and all(
                effects[reader] is Channels.MIXES or (effects[reader] is Channels.KEEPS and free[reader])
                for reader in self.readers[number]
            )
            if self.kinds[number] == "concat()":
                self.swappable[number] = free[number]

    def text(self) -> str:
        """The description of the graph in canonical order."""
        numbers: dict[int, int] = {}
        lines: list[str] = []
        stack: list[tuple[int, list[int] | None]] = [(self.output, None)]
        while stack:
            node, order = stack.pop()
            if node in numbers:
                continue
            if order is None and self.inputs[node]:
                order = self._order(node, numbers)
                stack.append((node, order))
                stack.extend([(source, None) for source in reversed(order)])
                continue
            sources = [numbers[source] for source in self.inputs[node]]
            if self.swappable[node]:
                sources.sort()
            numbers[node] = len(numbers)
            lines.append(f"{self.kinds[node]}{sources}")
        return "\n".join(lines)

    def _order(self, node: int, numbers: dict[int, int]) -> list[int]:
        """The inputs of a node in the order to visit them."""
        inputs = self.inputs[node]
        if not self.swappable[node] or len(set(inputs)) == 1:
            return inputs
        while self.rounds and (tied := self._tie(set(inputs))):
            chosen = min(tied, key=lambda source: numbers.get(source, len(self.kinds)))
            self.colours[chosen] = _colour(b"chosen" + self.colours[chosen])
            self.colours = self._refined(self.colours)
        return sorted(inputs, key=lambda source: self.colours[source])

    def _tie(self, inputs: set[int]) -> list[int]:
        """Inputs of one colour between which the choice may matter elsewhere; empty if there are none."""
        groups: dict[bytes, list[int]] = {}
        for source in inputs:
            groups.setdefault(self.colours[source], []).append(source)
        if len(groups) == len(inputs):
            return []
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
        colours = self._upward(self.marks)
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
        """start: a colour of each node that tells apart what it does."""
        colours: list[bytes] = []
        for own, inputs, swappable in zip(start, self.inputs, self.swappable, strict=True):
            below = [colours[source] for source in inputs]
            if swappable:
                below.sort()
            colours.append(_colour(own + b"".join(below)))
        return colours

    def _downward(self, start: list[bytes]) -> list[bytes]:
        colours = [b""] * len(start)
        for number in reversed(range(len(start))):
            above = sorted(
                colours[reader] + (b"" if self.swappable[reader] else bytes([self.inputs[reader].index(number)]))
                for reader in self.readers[number]
            )
            mark = b"output" if number == self.output else b""
            colours[number] = _colour(start[number] + mark + b"".join(above))
        return colours


def _alive(simple: Simple) -> Sequence[int]:
    """The numbers of the nodes that the output depends on, in order; it does not on what zeros were made of."""
    if not any(simple.zero):
        return range(len(simple.nodes))
    alive = [False] * len(simple.nodes)
    alive[simple.output] = True
    for number in reversed(range(len(simple.nodes))):
        if alive[number] and not simple.zero[number]:
            for source in simple.inputs[number]:
                alive[source] = True
    return [number for number, lives in enumerate(alive) if lives]


def _shared(simple: Simple, alive: Sequence[int]) -> Counter[str]:
    """How many living layers use the weights of each owner; empty where all have their own."""
    if not any(node.weights for node in simple.nodes):
        return Counter()
    layers = (simple.nodes[number] for number in alive if not simple.zero[number])
    return Counter(node.weights or node.name for node in layers)
