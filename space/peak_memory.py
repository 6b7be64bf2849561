"""Peak memory of a training step: a walk through the graph that takes and frees what torch's allocator would.

Forward, a tensor lives until its last reader has run, and longer if an operation keeps it for the backward pass (what
is kept, `Operation.saved` says). Backward, in reverse order, gradients flow along the edges and what was kept is freed.
Beside that stand the parameters, AdamW's two moments, and their gradients: the last step's until the backward pass
begins, then this step's as they are made.
"""

import math

from space.architecture import Architecture
from space.kinds import KINDS
from space.node import row_kinds
from space.operations.saved import FLOAT, INDEX, NOTHING, Bytes, Saved

BATCH = 128
"""Samples in the step that is accounted for, and graphs of graph data."""

NODES = 4_096
EDGES = 16_384
PAIRS = 4_096
"""Of the graph data accounted for: one graph, or 128 of 32 nodes each, with 4 edges to a node."""

MIB = 2**20


def peak_memory(architecture: Architecture, *, batch: int = BATCH) -> int:
    """Bytes at the peak of one step of AdamW in float32 on `batch` samples; of graph data all sizes go with it.

    It counts tensors: what a library takes for itself, a page that is only half used, and the program are not in it.
    """
    return _Step(architecture, batch / BATCH).peak


class _Heap:
    """Blocks of memory by number, each with its holders; freed when the last one lets go."""

    def __init__(self, taken: int) -> None:
        self.taken = self.peak = taken
        self.sizes: list[int] = []
        self.holders: list[int] = []

    def take(self, size: int) -> int:
        self.sizes.append(size)
        self.holders.append(1)
        self.taken += size
        if self.taken > self.peak:
            self.peak = self.taken
        return len(self.sizes) - 1

    def drop(self, block: int) -> None:
        left = self.holders[block] - 1
        self.holders[block] = left
        if not left:
            self.taken -= self.sizes[block]

    def busy(self, scratch: int) -> None:
        """Something is there only for this moment."""
        self.peak = max(self.peak, self.taken + scratch)


class _Step:
    """One training step. Tensors are numbered as the nodes that make them; `kept` blocks wait for the backward pass."""

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
        self.heap = _Heap(sum(self.params) + 3 * trained)
        self._forward()
        self.heap.taken -= trained  # the last step's gradients
        self._backward()
        self.peak = self.heap.peak

    def _learning(self) -> list[bool]:
        """Of each node, whether a gradient comes to its output and goes on to weights, its own or some before it."""
        reached = [False] * len(self.nodes)
        reached[-1] = True
        for number in range(len(self.nodes) - 1, self.first - 1, -1):
            if reached[number] and not self.saved[number].cuts:
                for source in self.read[number]:
                    reached[source] = True
        weighted = [False] * len(self.nodes)
        for number in range(self.first, len(self.nodes)):
            before = not self.saved[number].cuts and any(weighted[source] for source in self.read[number])
            weighted[number] = before or self.params[number] > 0
        return [one and other for one, other in zip(reached, weighted, strict=True)]

    def _amount(self, node: int, amount: Bytes) -> int:
        into = self.rows[self.read[node][0]]
        return amount.out * self.rows[node] + amount.into * into + amount.edge * self.edges + amount.once

    def _forward(self) -> None:
        last_reader = {source: number for number, sources in enumerate(self.read) for source in sources}
        heap = self.heap
        blocks = [heap.take(size) for size in self.sizes[: self.first]]  # the batch is held by who calls
        for number in range(self.first, len(self.nodes)):
            sources, saved = self.read[number], self.saved[number]
            if saved.shares:
                block = blocks[sources[0]]
                heap.holders[block] += 1
            else:
                block = heap.take(self.sizes[number])
            blocks.append(block)
            if self.learns[number]:
                self._keep(number, saved, blocks)
            own = NOTHING if self.learns[number] else saved.own  # what it would keep is made all the same
            if saved.forward is not NOTHING or own is not NOTHING:
                heap.busy(self._amount(number, saved.forward) + self._amount(number, own))
            for source in set(sources):
                if last_reader[source] == number and source >= self.first:
                    heap.drop(blocks[source])
        heap.busy(self.sizes[-1])  # the logarithms of the probabilities
        heap.drop(blocks[-1])

    def _keep(self, number: int, saved: Saved, blocks: list[int]) -> None:
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
        heap = self.heap
        gradients: dict[int, int] = {len(self.nodes) - 1: heap.take(self.sizes[-1])}
        heap.busy(2 * self.sizes[-1])  # those logarithms and their gradient
        for number in range(len(self.nodes) - 1, self.first - 1, -1):
            if not self.learns[number]:
                continue
            gradient, saved = gradients.pop(number), self.saved[number]
            wanted = [] if saved.cuts else [source for source in self.read[number] if self.learns[source]]
            heap.taken += self.params[number]
            if saved.passes:
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

    def _sum(self, one: int, other: int) -> int:
        """Two gradients of one tensor added: in the place of one that nobody else holds, else in a new one."""
        heap = self.heap
        for place, added in ((one, other), (other, one)):
            if heap.holders[place] == 1:
                heap.drop(added)
                return place
        total = heap.take(max(heap.sizes[one], heap.sizes[other]))
        heap.drop(one)
        heap.drop(other)
        return total


def _rows(architecture: Architecture, scale: float) -> list[int]:
    """Rows of each node's output; of an index its whole numbers."""
    nodes = architecture.nodes
    if not KINDS[architecture.data].is_graph:
        return [round(scale * BATCH)] * len(nodes)
    count = {"node": NODES, "graph": BATCH, "pair": PAIRS}
    indices = {"edges": 2 * EDGES, "graph": NODES, "pairs": 2 * PAIRS}
    kinds = row_kinds(nodes)
    return [round(scale * (indices if node.op == "index" else count)[kinds[node.name]]) for node in nodes]
