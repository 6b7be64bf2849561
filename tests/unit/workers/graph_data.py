"""Small made-up graphs that can be learned, and small networks for them."""

from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workers.datasets import GraphSplit


def both_ways(edges: np.ndarray) -> np.ndarray:
    return np.concatenate([edges, edges[::-1]], axis=1)


def communities(count: int = 150, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x (N, F) noisy marks of the class, edges mostly inside a class (2, E) each once, y."""
    rng = np.random.default_rng(seed)
    y = np.arange(count, dtype=np.int64) % classes
    ends = rng.integers(0, count, (2, 40 * count))
    ends = np.unique(np.sort(ends, axis=0), axis=1)
    same = y[ends[0]] == y[ends[1]]
    ends = ends[:, (ends[0] != ends[1]) & (rng.random(ends.shape[1]) < np.where(same, 0.25, 0.01))]
    x = (rng.random((count, 12)) < np.where(np.arange(12) % classes == y[:, None], 0.5, 0.25)).astype(np.uint8)
    return x, ends.astype(np.int64), y


def node_splits(seed: int = 0) -> tuple[GraphSplit, GraphSplit]:
    x, edges, y = communities(seed=seed)
    parts = np.random.default_rng(seed + 1).permutation(len(y))
    train, val = np.sort(parts[:75]), np.sort(parts[75:])
    return tuple(GraphSplit(x=x, edges=both_ways(edges), index=rows, y=y[rows]) for rows in (train, val))  # type: ignore[return-value]


def link_splits(seed: int = 0) -> tuple[GraphSplit, GraphSplit]:
    x, edges, _ = communities(seed=seed)
    rng = np.random.default_rng(seed + 1)
    order = rng.permutation(edges.shape[1])
    seen, held = edges[:, order[60:]], edges[:, order[:60]]
    known = {tuple(pair) for pair in edges.T.tolist()}
    pairs = [(a, b) for a in range(len(x)) for b in range(a + 1, len(x)) if (a, b) not in known]
    none = np.array(pairs)[rng.permutation(len(pairs))].T
    out = []
    for links in (seen, held):
        count = links.shape[1]
        y = np.repeat(np.array([1, 0]), count)
        out.append(GraphSplit(x=x, edges=both_ways(seen), index=np.concatenate([links, none[:, :count]], axis=1), y=y))
        none = none[:, count:]
    return out[0], out[1]


def many_graphs(count: int = 60, seed: int = 0) -> GraphSplit:
    """Rings (class 0) and stars (class 1) of 3 to 8 nodes; a feature is noise."""
    rng = np.random.default_rng(seed)
    x, edges, index, first = [], [], [], 0
    for number in range(count):
        size = int(rng.integers(4, 9))
        nodes = np.arange(size)
        ends = np.stack([nodes, (nodes + 1) % size]) if number % 2 == 0 else np.stack([nodes[1:] * 0, nodes[1:]])
        edges.append(both_ways(ends + first))
        index.append(np.full(size, number))
        x.append(rng.random((size, 3)).astype(np.float32))
        first += size
    return GraphSplit(
        x=np.concatenate(x),
        edges=np.concatenate(edges, axis=1)[:, rng.permutation(sum(e.shape[1] for e in edges))],
        index=np.concatenate(index),
        y=np.arange(count, dtype=np.int64) % 2,
    )


class Mix(nn.Module):
    """Sums over neighbours and the node itself, then a linear map: a graph convolution without a library."""

    def __init__(self, features: int, out: int) -> None:
        super().__init__()
        self.own, self.other = nn.Linear(features, out), nn.Linear(features, out)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        gathered = torch.zeros_like(x).index_add(0, edges[1], x[edges[0]])
        return cast(Tensor, self.own(x) + self.other(gathered))


class NodeNet(nn.Module):
    """With dropout, so that the global generator matters."""

    def __init__(self, features: int = 12, classes: int = 3, width: int = 16) -> None:
        super().__init__()
        self.first, self.second = Mix(features, width), Mix(width, classes)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        x = F.dropout(F.relu(self.first(x, edges)), 0.2, self.training)
        return cast(Tensor, self.second(x, edges))


class GraphNet(NodeNet):
    def __init__(self) -> None:
        super().__init__(features=3, classes=2)

    def forward(self, x: Tensor, edges: Tensor, graph: Tensor) -> Tensor:  # type: ignore[override]
        nodes = super().forward(x, edges)
        out = nodes.new_zeros(int(graph.max()) + 1, nodes.shape[1]).index_add(0, graph, nodes)
        return out / torch.bincount(graph)[:, None]


class LinkNet(NodeNet):
    def __init__(self) -> None:
        super().__init__(classes=8)

    def forward(self, x: Tensor, edges: Tensor, pairs: Tensor) -> Tensor:  # type: ignore[override]
        nodes = F.normalize(super().forward(x, edges), dim=1)
        product = 5 * (nodes[pairs[0]] * nodes[pairs[1]]).sum(1)
        return torch.stack([-product, product], dim=1)
