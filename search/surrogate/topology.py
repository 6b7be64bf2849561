"""What a part of a network looks like as a graph: its paths, and the operations on them.

A part is a block or a cell, given by its nodes in topological order. Nodes that a zero cuts off are removed first, and
nodes that only pass on their input (norms, activations, sums of one input) are contracted, so that a graph of steps and
junctions is left:

    step        a weighted layer of kernel 1 ("point") or more ("wide"), a pooling ("pool"), or a direct edge from one
                junction to another ("skip")
    junction    the start of the part, where several edges meet, and a step whose output is read more than once

The figures are those of path-based encodings, found by dynamic programming along the graph instead of listing paths, of
which there may be exponentially many (Kadlecová et al. 2024, "Surprisingly strong performance prediction with neural
graph features", section 3). In the recurrences below v is a node, u -> v an edge, S = len(STEPS).
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STEPS = ("point", "wide", "pool", "skip")
SUMS: dict[str, tuple[str, ...]] = {
    **{step: (step,) for step in STEPS},
    "weighted": ("point", "wide"),
    "active": ("point", "wide", "pool"),
}
"""What is counted along a path, of which the largest and smallest count over all paths are features."""
SETS = tuple(chosen for size in range(1, len(STEPS)) for chosen in itertools.combinations(STEPS, size))
"""Sets of steps: how long are the longest and the shortest path of these alone?"""

_COUNTED = np.array([[step in steps for step in STEPS] for steps in SUMS.values()], dtype=float)  # (SUMS, S)
_ALLOWED = np.array([[0.0 if step in chosen else np.inf for step in STEPS] for chosen in SETS])  # (SETS, S)
_SKIP = STEPS.index("skip")


class Part(NamedTuple):
    """The nodes of a part, in topological order.

    labels: a name of STEPS, "join" (several inputs meet), "zero", or "" for a node that passes its input on.
    inputs: the indices of the nodes that each reads; -1 is what comes from outside the part. ends: the nodes that are
    read outside.
    """

    labels: tuple[str, ...]
    inputs: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]


class Edge(NamedTuple):
    """An edge of the contracted graph. start: its node. kind: `_SKIP` where the edge itself is a step, else -1."""

    start: int
    kind: int


class _Graph(NamedTuple):
    """The contracted graph, in topological order.

    kinds: the index in STEPS of each node that is a step, -1 for the start, junctions and the end. edges: those that
    lead to each node.
    """

    kinds: list[int]
    edges: list[list[Edge]]


@lru_cache(maxsize=65_536)
def topology(part: Part) -> Mapping[str, float]:
    """Numbers by name; all 0 where no path leads through the part."""
    graph = _contracted(part)
    if not graph.edges[-1]:
        return dict.fromkeys(_names(), 0.0)
    to_node, from_node, skip_paths = _path_counts(graph)
    numbers = [np.log1p([to_node[-1], skip_paths]), np.log1p(_totals(graph, to_node, from_node)), _degrees(graph)]
    numbers += [*_extremes(graph), *_sets(graph)]
    return dict(zip(_names(), map(float, np.concatenate(numbers)), strict=True))


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    """In the order in which `topology` concatenates the arrays: 2 + S + 2 S + 2 SUMS + 2 SETS."""
    ends = [f"{end}.{step}" for end in ("last", "first") for step in STEPS]
    most = [f"{which}.{name}" for which in ("most", "fewest") for name in SUMS]
    sets = [f"{which}.only.{'+'.join(chosen)}" for which in ("longest", "shortest") for chosen in SETS]
    return ("paths", "paths.skip", *(f"total.{step}" for step in STEPS), *ends, *most, *sets)


def _contracted(part: Part) -> _Graph:
    """The graph of steps and junctions: node 0 is the start, the last is the end.

    `places` says which node of the graph stands for a node of the part. One that passes on a single input is not added:
    its input stands for it. A step whose output is read more than once gets a junction after it, which stands for it.
    """
    living = alive(part)
    readers = [0] * (len(living) + 1)  # the last entry counts what reads -1
    for number, inputs in enumerate(part.inputs):
        for source in inputs:
            readers[source] += living[number]
    graph = _Graph([-1], [[]])
    places = {-1: 0}
    for number, label in enumerate(part.labels):
        if not living[number]:
            continue
        sources = [places[source] for source in part.inputs[number] if source in places]
        if label not in STEPS and len(sources) == 1:
            places[number] = sources[0]
        else:
            places[number] = _add(graph, STEPS.index(label) if label in STEPS else -1, sources)
        if graph.kinds[places[number]] >= 0 and readers[number] > 1:
            places[number] = _add(graph, -1, [places[number]])
    _add(graph, -1, [places[end] for end in part.ends if end in places])
    return graph


def _add(graph: _Graph, kind: int, sources: Sequence[int]) -> int:
    """Adds a node -> its index. An edge between two junctions is a skip step, unless it is the only one to its node,
    which then merely continues the junction before it."""
    alone = len(sources) == 1
    edges = [Edge(start, -1 if kind >= 0 or graph.kinds[start] >= 0 or alone else _SKIP) for start in sources]
    if kind < 0 and alone and sources[0] == 0:
        edges = [Edge(0, _SKIP)]  # the whole part is one direct edge
    graph.kinds.append(kind)
    graph.edges.append(edges)
    return len(graph.kinds) - 1


@lru_cache(maxsize=65_536)
def alive(part: Part) -> tuple[bool, ...]:
    """Whether a node is on a path from outside the part to one of its ends.

    Forward: a join is reached through any of its inputs, another node only if all its inputs are reached. Backward:
    what a needed node reads is needed.
    """
    reached: list[bool] = []
    for label, inputs in zip(part.labels, part.inputs, strict=True):
        known = [source < 0 or reached[source] for source in inputs]
        reached.append(label != "zero" and (any(known) if label == "join" else bool(known) and all(known)))
    needed = set(part.ends)
    for number in range(len(reached) - 1, -1, -1):
        if number in needed and reached[number]:
            needed.update(part.inputs[number])
    return tuple([reached[number] and number in needed for number in range(len(reached))])


def _path_counts(graph: _Graph) -> tuple[list[float], list[float], float]:
    """By node, the paths from the start to it and from it to the end; and the paths of nothing but skips.

    to(v) = sum of to(u) over u -> v, and from(u) = sum of from(v) over u -> v.
    """
    count = len(graph.kinds)
    to_node, skips, from_node = [1.0] + [0.0] * (count - 1), [1.0] + [0.0] * (count - 1), [0.0] * (count - 1) + [1.0]
    for node in range(1, count):
        to_node[node] = sum([to_node[edge.start] for edge in graph.edges[node]])
        if graph.kinds[node] < 0:
            skips[node] = sum([skips[edge.start] for edge in graph.edges[node]])
    for node in range(count - 1, 0, -1):
        for edge in graph.edges[node]:
            from_node[edge.start] += from_node[node]
    return to_node, from_node, skips[-1]


def _totals(graph: _Graph, to_node: list[float], from_node: list[float]) -> Array:
    """(S,): how often each step is on all paths together: to(v) from(v) for a node, to(u) from(v) for an edge."""
    totals = np.zeros(len(STEPS))
    for node, kind in enumerate(graph.kinds):
        if kind >= 0:
            totals[kind] += to_node[node] * from_node[node]
        for edge in graph.edges[node]:
            if edge.kind >= 0:
                totals[edge.kind] += to_node[edge.start] * from_node[node]
    return totals


def _degrees(graph: _Graph) -> Array:
    """(2 S,): how many steps of each kind lead to the last junction, and leave the start."""
    last, first = np.zeros(len(STEPS)), np.zeros(len(STEPS))
    joint = len(graph.kinds) - 1
    # an end that only continues a junction is that junction
    while graph.kinds[joint] < 0 and len(graph.edges[joint]) == 1 and graph.edges[joint][0].kind < 0:
        joint = graph.edges[joint][0].start
    if graph.kinds[joint] >= 0:
        last[graph.kinds[joint]] = 1.0
    else:
        for edge in graph.edges[joint]:
            last[edge.kind if edge.kind >= 0 else graph.kinds[edge.start]] += 1.0
    for node, edges in enumerate(graph.edges):
        for edge in edges:
            kind = edge.kind if edge.kind >= 0 else graph.kinds[node]
            if edge.start == 0 and kind >= 0:
                first[kind] += 1.0
    return np.concatenate([last, first])


def _extremes(graph: _Graph) -> tuple[Array, Array]:
    """(SUMS,) each: the largest and the smallest sums over all paths.

    most(v) = c(v) + max of most(u) + c(u -> v) over u -> v, elementwise, where c is the (SUMS,) column of `_COUNTED`;
    fewest with min.
    """
    most, fewest = [np.zeros(len(SUMS))], [np.zeros(len(SUMS))]
    for node in range(1, len(graph.kinds)):
        own = _column(_COUNTED, graph.kinds[node])
        edges = graph.edges[node]
        most.append(own + np.max([most[edge.start] + _column(_COUNTED, edge.kind) for edge in edges], axis=0))
        fewest.append(own + np.min([fewest[edge.start] + _column(_COUNTED, edge.kind) for edge in edges], axis=0))
    return most[-1], fewest[-1]


def _sets(graph: _Graph) -> tuple[Array, Array]:
    """(SETS,) each: the longest path of the steps of each set alone, 0 where there is none, and 1 / the shortest.

    Path lengths as in `_extremes`, where a step costs 1 in the sets that hold it and is impassable in the others: inf
    for the shortest path, -inf for the longest. Without any path the shortest is inf, and 1 / inf = 0.
    """
    cost = _ALLOWED + 1.0
    most, fewest = [np.zeros(len(SETS))], [np.zeros(len(SETS))]
    for node in range(1, len(graph.kinds)):
        own, edges = _column(cost, graph.kinds[node]), graph.edges[node]
        fewest.append(own + np.min([fewest[edge.start] + _column(cost, edge.kind) for edge in edges], axis=0))
        longest = np.max([most[edge.start] + _impassable(_column(cost, edge.kind)) for edge in edges], axis=0)
        most.append(longest + _impassable(own))
    return np.maximum(most[-1], 0.0), 1.0 / np.maximum(fewest[-1], 1.0)


def _column(table: Array, kind: int) -> Array:
    """table: (rows, S) -> (rows,): the column of a step, zeros for what is no step."""
    column: Array = table[:, kind] if kind >= 0 else np.zeros(len(table))
    return column


def _impassable(cost: Array) -> Array:
    """inf as -inf: a barred step loses a maximum as it loses a minimum."""
    return np.where(np.isinf(cost), -np.inf, cost)
