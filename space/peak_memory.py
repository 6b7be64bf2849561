"""Peak memory of a training step, found by going through the graph and counting what torch would allocate and free.

Forward pass: a tensor lives until its last reader has run, or until the backward pass if an operation keeps it
(`Operation.saved` says what is kept). Backward pass, in reverse order: gradients flow along the edges, and what was
kept is freed. In addition there are the parameters, AdamW's two moments, and the gradients of the parameters: those of
the previous step until the backward pass begins, then those of this step as they are computed.
"""

import math

from space.architecture import Architecture
from space.kinds import KINDS
from space.node import row_kinds
from space.operations.saved import FLOAT, INDEX, NOTHING, Bytes, Saved

BATCH = 128
"""Samples in the step, or graphs where the data are whole graphs."""

NODES = 4_096
EDGES = 16_384
PAIRS = 4_096
"""Of graph data: one graph, or 128 graphs of 32 nodes each, with 4 edges for each node."""

MIB = 2**20


def peak_memory(architecture: Architecture, *, batch: int = BATCH) -> int:
    """Bytes at the peak of one step of AdamW in float32 on `batch` samples; for graph data all sizes scale with it.

    It counts tensors. Not in it are the program, what a library allocates for itself, and half-used pages.
    """
    return _Step(architecture, batch / BATCH).peak


class _Heap:
    """Blocks of memory by number, each with a count of its holders; a block is freed when the count falls to 0.

    taken: bytes allocated now. peak: the most there have been.
    """

    def __init__(self, taken: int) -> None:
        self.taken = self.peak = taken
        self.sizes: list[int] = []
        self.holders: list[int] = []

    def take(self, size: int) -> int:
        """Allocate a block of `size` bytes with one holder; returns its number."""
        self.sizes.append(size)
        self.holders.append(1)
        self.taken += size
        if self.taken > self.peak:
            self.peak = self.taken
        return len(self.sizes) - 1

    def drop(self, block: int) -> None:
        """One holder less."""
        left = self.holders[block] - 1
        self.holders[block] = left
        if not left:
            self.taken -= self.sizes[block]

    def busy(self, scratch: int) -> None:
        """`scratch` bytes are allocated and freed again at once."""
        self.peak = max(self.peak, self.taken + scratch)


class _Step:
    """One training step. A tensor has the number of the node that makes it.

    read: numbers of the nodes that each node reads. first: number of the first node after the input and the indices.
    rows: of each output. sizes: bytes of each output. params: bytes of each node's own parameters.
    learns: see `_learning`. kept: for each node, the blocks that wait for its backward pass.
    """

    def __init__(self, architecture: Architecture, scale: float) -> None:
        self.nodes = nodes = architecture.nodes
        self.edges = round(EDGES * scale)
        numbers = {node.name: number for number, node in enumerate(nodes)}
        self.read = [[numbers[source] for source in node.inputs] for node in nodes]
        self.first = 1 + len(KINDS[architecture.data].indices)
        self.rows = _rows(architecture, scale)
        self.sizes = [
            count * (INDEX if node.op == "index" else FLOAT * math.prod(node.use.shape))
            for node, count in zip(nodes, self.rows, strict=True)
        ]
        self.saved = [node.use.saved for node in nodes]
        self.params = [0 if node.weights else FLOAT * node.use.params for node in nodes]
        self.learns = self._learning()
        trained = sum(size for size, learns in zip(self.params, self.learns, strict=True) if learns)
        self.kept: list[list[int]] = [[] for _ in nodes]
        self.heap = _Heap(sum(self.params) + 3 * trained)  # two moments, and the gradients of the previous step
        self._forward()
        self.heap.taken -= trained  # zero_grad frees the gradients of the previous step
        self._backward()
        self.peak = self.heap.peak

    def _learning(self) -> list[bool]:
        """For each node, whether autograd computes a gradient of its output.

        It does where the gradient of the loss reaches the output, and where weights need it: the node's own, or those
        of a node before it.
        """
        reached = [False] * len(self.nodes)  # from the loss down: whether a gradient arrives
        reached[-1] = True
        for number in range(len(self.nodes) - 1, self.first - 1, -1):
            if reached[number] and not self.saved[number].cuts:
                for source in self.read[number]:
                    reached[source] = True
        weighted = [False] * len(self.nodes)  # from the input up: whether the output depends on weights
        for number in range(self.first, len(self.nodes)):
            before = not self.saved[number].cuts and any(weighted[source] for source in self.read[number])
            weighted[number] = before or self.params[number] > 0
        return [arrives and needed for arrives, needed in zip(reached, weighted, strict=True)]

    def _amount(self, node: int, amount: Bytes) -> int:
        """An amount of a node in bytes: what it is for each row of its output and input, for each edge, and once."""
        into = self.rows[self.read[node][0]]
        return amount.out * self.rows[node] + amount.into * into + amount.edge * self.edges + amount.once

    def _forward(self) -> None:
        """Node by node: allocate the output, hold what the backward pass needs, free what no later node reads."""
        last_reader = {source: number for number, sources in enumerate(self.read) for source in sources}
        heap = self.heap
        blocks = [heap.take(size) for size in self.sizes[: self.first]]  # the batch: held by the caller, never freed
        for number in range(self.first, len(self.nodes)):
            sources, saved = self.read[number], self.saved[number]
            if saved.shares:  # a view: one more holder of the input's block
                block = blocks[sources[0]]
                heap.holders[block] += 1
            else:
                block = heap.take(self.sizes[number])
            blocks.append(block)
            if self.learns[number]:
                self._keep(number, saved, blocks)
            # tensors that it would keep (a mask, statistics) are allocated even if no backward pass will need them
            own = NOTHING if self.learns[number] else saved.own
            if saved.forward is not NOTHING or own is not NOTHING:
                heap.busy(self._amount(number, saved.forward) + self._amount(number, own))
            for source in set(sources):
                if last_reader[source] == number and source >= self.first:
                    heap.drop(blocks[source])
        heap.busy(self.sizes[-1])  # cross entropy's log-probabilities, as large as the logits
        heap.drop(blocks[-1])

    def _keep(self, number: int, saved: Saved, blocks: list[int]) -> None:
        """Hold what a node's backward pass needs: inputs, output, and tensors of its own."""
        kept = self.kept[number]
        if saved.inputs:
            kept += [blocks[source] for source in self.read[number]]
        if saved.output:
            kept.append(blocks[number])
        for block in kept:
            self.heap.holders[block] += 1
        if saved.own is not NOTHING:
            kept.append(self.heap.take(self._amount(number, saved.own)))

    def _backward(self) -> None:
        """From the logits back: take the gradient of a node's output, make those of its weights and of its inputs.

        gradients: the block of the gradient of each output that has been reached and not used up yet.
        """
        heap = self.heap
        gradients: dict[int, int] = {len(self.nodes) - 1: heap.take(self.sizes[-1])}
        heap.busy(2 * self.sizes[-1])  # the log-probabilities and their gradient
        for number in range(len(self.nodes) - 1, self.first - 1, -1):
            if not self.learns[number]:
                continue
            gradient, saved = gradients.pop(number), self.saved[number]
            wanted = [] if saved.cuts else [source for source in self.read[number] if self.learns[source]]
            heap.taken += self.params[number]  # the gradients of its weights; they stay until the next step
            if saved.passes:  # the gradient goes on as it is: the same block for every input
                heap.holders[gradient] += len(wanted)
                made = [gradient] * len(wanted)
            else:
                made = [heap.take(self.sizes[source]) for source in wanted]
            heap.busy(0 if saved.backward is NOTHING else self._amount(number, saved.backward))
            if wanted and saved.to_inputs is not NOTHING:
                heap.busy(self._amount(number, saved.to_inputs))
            heap.drop(gradient)
            for block in self.kept[number]:
                heap.drop(block)
            for source, block in zip(wanted, made, strict=True):
                gradients[source] = self._sum(gradients[source], block) if source in gradients else block

    def _sum(self, first: int, second: int) -> int:
        """The block of the sum of two gradients of one tensor.

        Autograd adds in place where nothing else holds one of the two blocks, else into a new one.
        """
        heap = self.heap
        for place, added in ((first, second), (second, first)):
            if heap.holders[place] == 1:
                heap.drop(added)
                return place
        total = heap.take(max(heap.sizes[first], heap.sizes[second]))
        heap.drop(first)
        heap.drop(second)
        return total


def _rows(architecture: Architecture, scale: float) -> list[int]:
    """How many rows each node's output has; for an index, how many integers it holds."""
    nodes = architecture.nodes
    if not KINDS[architecture.data].is_graph:
        return [round(scale * BATCH)] * len(nodes)
    count = {"node": NODES, "graph": BATCH, "pair": PAIRS}
    indices = {"edges": 2 * EDGES, "graph": NODES, "pairs": 2 * PAIRS}
    kinds = row_kinds(nodes)
    return [round(scale * (indices if node.op == "index" else count)[kinds[node.name]]) for node in nodes]
