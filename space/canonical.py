"""The canonical hash: one text for all ways to write the same network.

Two architectures have the same hash exactly when one can be turned into the other by these steps:

- renaming nodes, or reordering the node list;
- adding or dropping dead nodes, identities and zeros (`space/simplify.py`);
- writing a sum of sums as one sum;
- reordering inputs where the order makes no difference. For add and multiply it never does. For concat it makes none
  when everything that reads the concatenation does so through weights of its own (`Channels.MIXES`): those weights then
  differ by a permutation only, and they are initialised alike and learned. A concat keeps its order if it reaches an
  add, a grouped convolution, a layer with shared weights or the output unmixed.

The text describes the whole graph, one line for each node: operation, attributes, numbers of the inputs. So a node that
is read twice never equals two copies of it, and different graphs never share a text. Weights that several nodes share
are a node of their own, which all of them read.

The nodes are numbered depth first from the output. Inputs that may be swapped are visited in the order of their
colours. A colour is a hash of everything below the node; where siblings have the same colour, it is refined with the
colours of the readers until no class splits any more (Weisfeiler, Leman 1968). Siblings that tie even then, and are not
plain twins, are told apart by marking one and refining again (individualisation-refinement; McKay, Piperno 2014,
Practical Graph Isomorphism II), without the search over all marks that a proof would need. In graphs of real spaces
they are mirror images, so that any mark gives the same text. In contrived, highly regular graphs they need not be, and
two spellings may get two hashes: such a network may be trained twice, but two networks are never taken for one.
"""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from space.node import Node
from space.operations.base import Channels, Shape
from space.simplify import Simple, joined_sums, simplify

MAX_ROUNDS = 256
"""Rounds of refinement in one graph. Real spaces need two or three; hostile graphs of 4,096 nodes end in seconds."""


def canonical_hash(nodes: Sequence[Node], output: str, header: tuple[object, ...]) -> str:
    """The hash, 32 hex digits (128 bits of BLAKE2b).

    nodes: in topological order, none of them dead. header: what else belongs to the network (input shape, classes).
    """
    graph = _Graph(simplify(nodes, output))
    return blake2b(f"{header!r}{graph.text()}".encode(), digest_size=16).hexdigest()


def _colour(content: bytes) -> bytes:
    """8 bytes, so that concatenated colours stay unambiguous."""
    return blake2b(content, digest_size=8).digest()


class _Graph:
    """The simplified graph, with numbers in place of names; all lists are indexed by the node's number.

    kinds: what the text says of each node (operation and attributes). marks: the same as 8 bytes.
    inputs, readers: numbers of the nodes it reads, and of those that read it.
    swappable: whether the order of its inputs makes no difference.
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
                continue  # written out in the sum that reads it
            if simple.zero[number]:  # zeros of one shape are one node, whatever they were made of
                if use.shape not in zeros:
                    zeros[use.shape] = self._append(f"zero{use.shape}", None, [])
                    effects.append(Channels.BINDS)
                places[number] = zeros[use.shape]
                continue
            inputs = [places[source] for source in sums.get(number, simple.inputs[number])]
            effect = use.channels
            owner = node.weights or node.name
            if shared and use.params and shared[owner] > 1:  # one more input: the node of the shared weights
                if owner not in pools:
                    pools[owner] = self._append("weights", None, [])
                    effects.append(Channels.BINDS)
                inputs.append(pools[owner])
                effect = Channels.BINDS  # permuting its weights would permute those of the other layers as well
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
        """Mark a concat as swappable when everything that reads its channels mixes them with weights of its own."""
        if "concat()" not in self.kinds:
            return
        # free: whether the channels of a node may be permuted. From the last node to the first, so that all readers
        # of a node are known: each must mix the channels, or hand their order on to readers that are free themselves.
        free = [False] * len(self.kinds)
        for number in reversed(range(len(self.kinds))):
            free[number] = number != self.output and all(
                effects[reader] is Channels.MIXES or (effects[reader] is Channels.KEEPS and free[reader])
                for reader in self.readers[number]
            )
            if self.kinds[number] == "concat()":
                self.swappable[number] = free[number]

    def text(self) -> str:
        """The description of the graph in canonical order: post-order from the output, one line for each node."""
        numbers: dict[int, int] = {}  # node -> its number in the text
        lines: list[str] = []
        # a stack in place of recursion, since graphs are up to 4,096 nodes deep; order None: inputs not visited yet
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
                sources.sort()  # by their numbers in the text, which do not depend on the spelling
            numbers[node] = len(numbers)
            lines.append(f"{self.kinds[node]}{sources}")
        return "\n".join(lines)

    def _order(self, node: int, numbers: dict[int, int]) -> list[int]:
        """The inputs of a node in the order to visit them: as they stand, or by colour where they may be swapped.

        numbers: of the nodes visited so far. Marks change the colours of the whole graph, and stay for later nodes.
        """
        inputs = self.inputs[node]
        if not self.swappable[node] or len(set(inputs)) == 1:
            return inputs
        # As long as inputs tie, give one of them a colour of its own and let the refinement carry that through the
        # graph. A source that was visited before comes first, by its number, which is the same for every spelling.
        # Among those not visited yet `min` takes any: mirror images, or the tie that the module's text speaks of.
        while self.rounds and (tied := self._tie(set(inputs))):
            chosen = min(tied, key=lambda source: numbers.get(source, len(self.kinds)))
            self.colours[chosen] = _colour(b"chosen" + self.colours[chosen])
            self.colours = self._refined(self.colours)
        return sorted(inputs, key=lambda source: self.colours[source])  # stable: twins stay as they stand

    def _tie(self, inputs: set[int]) -> list[int]:
        """The first class of inputs that share a colour and are not twins; empty if there is none.

        Swapping twins changes nothing anywhere else in the graph, so they need no mark.
        """
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
        """The node where the unbranched chain that ends in this node begins.

        Chains of one colour that begin at one root are twins.
        """
        while len(self.readers[node]) == 1 and len(self.inputs[node]) == 1:
            node = self.inputs[node][0]
        return node

    def _first_colours(self) -> list[bytes]:
        """Hashes from the inputs up; refined only if siblings tie somewhere, which is rare."""
        colours = self._upward(self.marks)
        tied = any(
            len({colours[source] for source in self.inputs[node]}) < len(set(self.inputs[node]))
            for node, swappable in enumerate(self.swappable)
            if swappable
        )
        return self._refined(colours) if tied else colours

    def _refined(self, colours: list[bytes]) -> list[bytes]:
        """Colours that also tell the readers of each node apart, repeated until the number of classes stays.

        A round goes down and up once, so that a difference anywhere reaches every node it bears on.
        """
        classes = 0
        while self.rounds:
            self.rounds -= 1
            colours = self._upward(self._downward(colours))
            if len(set(colours)) == classes:
                break
            classes = len(set(colours))
        return colours

    def _upward(self, start: list[bytes]) -> list[bytes]:
        """From the inputs to the output: each node's start colour, hashed with the colours of its inputs."""
        colours: list[bytes] = []
        for own, inputs, swappable in zip(start, self.inputs, self.swappable, strict=True):
            below = [colours[source] for source in inputs]
            if swappable:
                below.sort()
            colours.append(_colour(own + b"".join(below)))
        return colours

    def _downward(self, start: list[bytes]) -> list[bytes]:
        """From the output to the inputs: each node's start colour, hashed with the colours of its readers.

        A reader whose inputs may not be swapped adds the position at which it reads the node.
        """
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
    """The numbers of the nodes that the output depends on, in order. It does not depend on the inputs of a zero."""
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
    """How many live layers use the weights of each owner; empty if every layer has its own."""
    if not any(node.weights for node in simple.nodes):
        return Counter()
    layers = (simple.nodes[number] for number in alive if not simple.zero[number])
    return Counter(node.weights or node.name for node in layers)
