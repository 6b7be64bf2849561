"""Simple features of nodes, graphs and links.

    nodes   the node's own features, the mean of its neighbours', its degree
    graphs  counts: nodes, edges, degrees; features summed over the nodes; which features meet at an edge
    links   neighbours in common (Liben-Nowell & Kleinberg 2007), degrees, products of features

A link that is asked about is never used to answer: a pair of the training part is linked in the graph that is seen, a
pair of a held-out part is not.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from workers.conventions import are_marks
from workers.datasets import GraphSplit
from workers.datasets.graphs import Numbers
from workers.datasets.raw import Array, chunks

Floats = npt.NDArray[np.float32]

COLUMNS = 1_024
"""Features of a node that are used, at most: those that vary most."""

COLUMN_BYTES = 256 * 1024**2
"""Of these features of all nodes, as float32; 64 columns of a million nodes."""

NEIGHBOURS = 256
"""Of a node, at most: the first ones by number. A sum over all neighbours of a hub would take as long as all else."""

OF_GRAPHS = 128
"""Features of nodes that are summed over each graph, at most."""

LABELS = 16
"""Features that are counted at the two ends of an edge."""

DEGREES = 9
"""Counted degrees of a graph: 0 to 7, and more."""

PRODUCTS = 64
"""Features of two nodes that are multiplied."""


def node_features(split: GraphSplit, columns: Numbers, mean: tuple[float, ...], std: tuple[float, ...]) -> Floats:
    """(n, 2 * columns + 1) of the nodes that are asked about. columns: see `widest`."""
    x = prepared(split.x, columns, mean, std)
    near = neighbours(split.edges, nodes=len(x))[split.index]
    degree = np.bincount(split.edges[0], minlength=len(x))[split.index]
    around = near @ x / np.maximum(near.sum(1), 1.0)[:, None]
    return np.concatenate([x[split.index], around, np.log1p(degree)[:, None]], axis=1, dtype=np.float32)


def widest(x: Array, rows: Numbers, *, most: int = COLUMNS) -> Numbers:
    """The columns of x (N, F) with the largest variance over `rows`, ascending, as many as fit into memory."""
    count = max(1, min(most, COLUMN_BYTES // (4 * len(x))))
    if x.shape[1] <= count:
        return np.arange(x.shape[1])
    total, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for piece in chunks(len(rows), 8 * x.shape[1]):
        values = np.asarray(x[rows[piece]], dtype=np.float64)
        total += values.sum(0)
        squares += np.square(values).sum(0)
    variance = squares / len(rows) - (total / len(rows)) ** 2
    return np.sort(np.argsort(-variance, kind="stable")[:count])


def prepared(x: Array, columns: Numbers, mean: tuple[float, ...], std: tuple[float, ...]) -> Floats:
    """(N, F) as stored -> (N, columns): marks divided by the sum of their row, others normalised, as in training."""
    out = np.empty((len(x), len(columns)), dtype=np.float32)
    marks = are_marks(mean, std)
    centre, scale = np.array(mean)[columns], np.array(std)[columns]
    for rows in chunks(len(x), 8 * x.shape[1]):
        values = np.asarray(x[rows])
        if marks:
            total = np.maximum(values.sum(1, dtype=np.float64), 1.0)
            out[rows] = values[:, columns] / total[:, None]
        else:
            out[rows] = (values[:, columns] - centre) / scale
    return out


def neighbours(edges: Numbers, *, nodes: int) -> sparse.csr_array:
    """edges: (2, E) in both directions -> (nodes, nodes) of 0 and 1, at most NEIGHBOURS in a row."""
    order = np.lexsort((edges[1], edges[0]))
    source, target = edges[0][order], edges[1][order]
    first = np.searchsorted(source, np.arange(nodes))
    kept = np.arange(len(source)) - first[source] < NEIGHBOURS
    source, target = source[kept], target[kept]
    starts = np.searchsorted(source, np.arange(nodes + 1))
    return sparse.csr_array((np.ones(len(target), dtype=np.float32), target, starts), shape=(nodes, nodes))


def graph_features(split: GraphSplit, columns: Numbers) -> Floats:
    """(G, F) of whole graphs. columns: of the features of nodes, see `widest`."""
    graphs, owner = len(split), split.index[split.edges[0]]
    nodes = np.maximum(np.bincount(split.index, minlength=graphs), 1)
    edges = np.bincount(owner, minlength=graphs) / 2
    degree = np.bincount(split.edges[0], minlength=len(split.index))
    squares = np.bincount(split.index, degree.astype(np.float64) ** 2, minlength=graphs)
    largest = np.zeros(graphs)
    np.maximum.at(largest, split.index, degree)
    average = 2 * edges / nodes
    deviation = np.sqrt(np.maximum(squares / nodes - average**2, 0.0))
    density = 2 * edges / np.maximum(nodes * (nodes - 1), 1)
    sizes = [nodes, edges, edges - nodes, density, average, deviation, largest]
    counted = np.minimum(degree, DEGREES - 1)
    sizes += [np.bincount(split.index, counted == number, minlength=graphs) for number in range(DEGREES)]
    sums = [np.bincount(split.index, split.x[:, column], minlength=graphs) for column in columns]
    shares = [total / nodes for total in sums]
    return np.stack([*sizes, *sums, *shares, *_meetings(split, columns[:LABELS], owner)], axis=1).astype(np.float32)


def _meetings(split: GraphSplit, columns: Numbers, owner: Numbers) -> list[npt.NDArray[Any]]:
    """For each two features, the sum over a graph's edges of the one at one end times the other at the other end."""
    ends = [np.asarray(split.x[:, columns], dtype=np.float64)[side] for side in split.edges]
    return [
        np.bincount(owner, ends[0][:, first] * ends[1][:, second], minlength=len(split))
        for first in range(len(columns))
        for second in range(first, len(columns))
    ]


def link_features(split: GraphSplit, columns: Numbers, mean: tuple[float, ...], std: tuple[float, ...]) -> Floats:
    """(P, F) of pairs of nodes, the same for (a, b) and (b, a)."""
    x = prepared(split.x, columns, mean, std)
    near = neighbours(split.edges, nodes=len(x))
    degree = np.bincount(split.edges[0], minlength=len(x))
    strong = np.argsort(-x.var(0), kind="stable")[:PRODUCTS]
    pieces = [
        _pairs(split.index[:, rows], x, near, degree, strong)
        for rows in chunks(split.index.shape[1], 16 * (x.shape[1] + NEIGHBOURS))
    ]
    return np.concatenate(pieces)


def _pairs(pairs: Numbers, x: Floats, near: sparse.csr_array, degree: Numbers, strong: Numbers) -> Floats:
    """The features of some pairs (2, P). degree: of all nodes."""
    first, second = pairs
    linked = np.asarray(near[first, second], dtype=np.float64).ravel()
    ends = [np.maximum(degree[side] - linked, 0.0) for side in pairs]
    both = near[first].multiply(near[second]).tocsr()
    common = both.sum(1)
    rarity = both @ (1.0 / np.log(np.maximum(degree, 2)))
    own = [x[side] for side in pairs]
    around = [_around(near, x, pairs, linked), _around(near, x, pairs[::-1], linked)]
    either = np.maximum(ends[0] + ends[1] - common, 1.0)
    columns = [
        np.log1p(common),
        rarity,
        common / either,
        np.log1p(ends[0]) + np.log1p(ends[1]),
        np.abs(np.log1p(ends[0]) - np.log1p(ends[1])),
        (own[0] * own[1]).sum(1),
        _cosine(own[0], own[1]),
        _cosine(own[0], around[1]) + _cosine(own[1], around[0]),
        _cosine(around[0], around[1]),
    ]
    product = (own[0] + around[0])[:, strong] * (own[1] + around[1])[:, strong]
    return np.concatenate([np.stack(columns, axis=1), product], axis=1).astype(np.float32)


def _around(near: sparse.csr_array, x: Floats, pairs: Numbers, linked: npt.NDArray[np.float64]) -> Floats:
    """The mean of the features of the neighbours of pairs[0], without pairs[1]."""
    rows = near[pairs[0]]
    total = rows @ x - linked[:, None] * x[pairs[1]]
    found: Floats = (total / np.maximum(rows.sum(1) - linked, 1.0)[:, None]).astype(np.float32)
    return found


def _cosine(first: Floats, second: Floats) -> Floats:
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    found: Floats = (first * second).sum(1) / np.maximum(lengths, 1e-12)
    return found
