"""Small graphs as files: good ones, and the means to break them."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.workers.sources import write_npz, write_zip

NODES = 40
CLASSES = 3


def ring(nodes: int = NODES) -> np.ndarray:
    """(2 * nodes, 2): a ring with chords of three, so that it holds together without being dense."""
    at = np.arange(nodes)
    return np.concatenate([np.stack([at, (at + step) % nodes], axis=1) for step in (1, 3)])


def words(nodes: int = NODES, features: int = 9) -> np.ndarray:
    """0 and 1, with at least one 1 in each row and in each column."""
    x = np.random.default_rng(0).integers(0, 2, (nodes, features), dtype=np.uint8)
    x[np.arange(nodes), np.arange(nodes) % features] = 1
    return x


def sparse(x: np.ndarray) -> dict[str, np.ndarray]:
    rows, columns = np.nonzero(x)
    indptr = np.concatenate([[0], np.bincount(rows, minlength=len(x)).cumsum()])
    return {"x_indptr": indptr.astype(np.int32), "x_indices": columns.astype(np.int32), "x_shape": np.array(x.shape)}


def masks(nodes: int = NODES) -> dict[str, np.ndarray]:
    at = np.arange(nodes)
    return {"train_mask": at < 12, "val_mask": (at >= 12) & (at < 20), "test_mask": (at >= 20) & (at < 32)}


def graph_arrays(**changes: Any) -> dict[str, Any]:
    """A change to None takes the array away."""
    good = {"edges": ring(), "x": words(), "y": np.arange(NODES) % CLASSES}
    return {name: array for name, array in {**good, **changes}.items() if array is not None}


def write_graph(path: Path, **changes: Any) -> Path:
    return write_npz(path, **graph_arrays(**changes))


def graph_tables(*, nodes: int = NODES) -> dict[str, bytes]:
    """nodes.csv and edges.csv of the same graph, with named nodes and classes."""
    given = {12: "val", 20: "test", 32: ""}
    rows = ["node,label,split,features"]
    for node, row in enumerate(words(nodes)):
        split = next((given[stop] for stop in sorted(given, reverse=True) if node >= stop), "train")
        rows.append(f"n{node},{'abc'[node % CLASSES]},{split},{' '.join(map(str, np.flatnonzero(row)))}")
    edges = ["source,target", *(f"n{a},n{b}" for a, b in ring(nodes).tolist())]
    return {name: "\n".join([*lines, ""]).encode() for name, lines in (("nodes.csv", rows), ("edges.csv", edges))}


def tu_texts(*, graphs: int = 24, prefix: str = "DS/DS_") -> dict[str, bytes]:
    """Paths and rings of 3 to 8 nodes, class 5 for rings and -2 for paths; node labels 1, 4 and 7."""
    edges, indicator, labels = [], [], []
    first = 1
    for graph in range(graphs):
        nodes = 3 + graph // 4 % 6
        at = np.arange(nodes)
        ends = [(first + int(a), first + int(b)) for a, b in pairwise(at)]
        ends += [(first, first + nodes - 1)] if graph % 2 else []
        edges += [f"{a}, {b}" for one in ends for a, b in (one, one[::-1])]
        indicator += [str(graph + 1)] * nodes
        labels += [str([1, 4, 7][(graph + int(node)) % 3]) for node in at]
        first += nodes
    classes = [("5" if graph % 2 else "-2") for graph in range(graphs)]
    parts = {"A": edges, "graph_indicator": indicator, "graph_labels": classes, "node_labels": labels}
    return {f"{prefix}{part}.txt": "\n".join([*lines, ""]).encode() for part, lines in parts.items()}


def write_tu(path: Path, **changes: bytes | None) -> Path:
    """changes: content of a part, None to leave it out."""
    members = tu_texts() | {f"DS/DS_{part}.txt": content for part, content in changes.items() if content is not None}
    return write_zip(path, {n: c for n, c in members.items() if changes.get(n[6:-4], b"") is not None})
