"""What a reader of graphs passes to the store, and the rules for every format of graphs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.datasets.raw import Array, Labels, chunks, fault, item_bytes, stored_dtype

Numbers = npt.NDArray[np.int64]

MAX_NODES = 1_000_000
MAX_EDGES = 10_000_000
"""As listed in the files, which may have an edge in both directions."""
MAX_GRAPHS = 200_000
MAX_FEATURES = 65_536
MAX_FEATURE_BYTES = 1024**3
"""Limit for the features as stored, since a training keeps all of them on its device."""
MIN_LINKS = 10
"""With fewer links, 5 % of them for validation and 10 % for the test would be less than one."""
PART_NUMBERS = {"train": 1, "val": 2, "test": 3}


@dataclass(frozen=True, kw_only=True, slots=True)
class RawGraphs:
    """Graphs as a reader found them, checked; several graphs are stored as one disconnected graph.

    x: (N, F) uint8 or float32, features of nodes; may be a view of a file.
    edges: (2, E) each undirected edge once, first < second, ascending, no self-loops.
    graph: (N,) the graph of each node, ascending from 0 without gaps; None when all nodes are of one graph.
    y: with `graph` (G,) labels of the graphs; else (N,) of the nodes, -1 where unknown, or None. classes 0..k-1.
    problem: of y, one of `workers.conventions.PROBLEMS` but segmentation. multilabel: y (G or N, K) uint8, 255 where a
    node's labels are unknown; regression: (G or N, K) float32, NaN where a node's numbers are.
    part: (N,) the source's own split of the nodes by PART_NUMBERS, 0 for none; None without one.
    names: of the nodes, where the source has them.
    """

    format: str
    x: Array
    edges: Numbers
    graph: Numbers | None = None
    y: Array | None = None
    class_names: tuple[str, ...] = ()
    part: npt.NDArray[np.int8] | None = None
    warnings: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    names: Sequence[str] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    problem: str = "classification"

    @property
    def tasks(self) -> tuple[str, ...]:
        """The possible tasks, the usual one first. Raises InvalidDataset where there is none."""
        if self.graph is not None:
            return ("graphs",)
        if self.y is not None:
            return ("nodes",) if self.no_links else ("nodes", "links")
        if self.no_links:
            raise fault("links_unsuitable", f"the nodes have no labels, and {self.no_links}")
        return ("links",)

    @property
    def no_links(self) -> str:
        """Why the task "links" is not possible, "" when it is.

        At most half of the pairs without a link are ever drawn, which keeps drawing them at random fast.
        """
        nodes, links = len(self.x), self.edges.shape[1]
        if links < MIN_LINKS:
            return f"{links} links are too few to hold some of them out, at least {MIN_LINKS} are needed"
        without = nodes * (nodes - 1) // 2 - links
        if without < 2 * links:
            return f"of all pairs of nodes {without} have no link, at least twice as many as the {links} links must"
        return ""


def as_edges(listed: Array, *, nodes: int, file: str, base: int = 0) -> tuple[Numbers, dict[str, int]]:
    """Edges (E, 2) or (2, E) as they are listed -> each undirected edge once, (2, E), and what was dropped.

    base: the number of the first node in the file. Two pairs, (2, 2), are read as (E, 2).
    Raises `shape_invalid`, `dtype_unsupported`, `too_many_edges`, `node_unknown`, `edges_missing`.
    """
    pairs = _checked_pairs(listed, [base, base + nodes - 1], file=file)
    source, target = pairs.astype(np.int64).T - base
    joins = source != target
    directed = np.unique(source[joins] * nodes + target[joins])
    low, high = np.minimum(*divmod(directed, nodes)), np.maximum(*divmod(directed, nodes))
    codes = np.unique(low * nodes + high)
    if not len(codes):
        raise fault("edges_missing", f"{file} lists no edge between two different nodes", file=file)
    counts = {
        "listed": len(pairs),
        "undirected": len(codes),
        "reversed": len(directed) - len(codes),
        "repeated": int(joins.sum()) - len(directed),
        "self_loops": int((~joins).sum()),
    }
    return np.stack(divmod(codes, nodes)), counts


def _checked_pairs(listed: Array, known: Sequence[int], *, file: str) -> Array:
    """(E, 2) of whole numbers within `known`, the first and the last node."""
    if listed.ndim != 2 or 2 not in listed.shape:
        raise fault("shape_invalid", f"edges of shape {listed.shape} cannot be read: (E, 2) or (2, E)", file=file)
    if listed.dtype.kind not in "iu":
        raise fault("dtype_unsupported", f"edges of type {listed.dtype} cannot be read: use whole numbers", file=file)
    pairs = listed if listed.shape[1] == 2 else listed.T
    if len(pairs) > MAX_EDGES:
        detail = f"{file} lists {len(pairs)} edges, the limit is {MAX_EDGES}"
        raise fault("too_many_edges", detail, file=file, allowed=MAX_EDGES)
    wrong = ((pairs < known[0]) | (pairs > known[1])).any(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        ends = " and ".join(str(end) for end in pairs[first])
        detail = f"edge {first + 1} in {file} joins nodes {ends}, there are {known[0]} to {known[1]}"
        raise fault("node_unknown", detail, file=file, allowed=list(known))
    return pairs


def both_ways(edges: Numbers) -> Numbers:
    """Each undirected edge of (2, E) in both directions, (2, 2 E), ascending."""
    both = np.concatenate([edges, edges[::-1]], axis=1)
    return both[:, np.lexsort((both[1], both[0]))]


def check_sizes(nodes: int, features: int, item: int, *, file: str) -> None:
    """Raises `too_many_nodes`, `too_many_features`. item: bytes of one feature as stored."""
    if not 1 <= nodes <= MAX_NODES:
        detail = f"{file} describes {nodes} nodes, accepted are 1 to {MAX_NODES}"
        raise fault("too_many_nodes" if nodes else "nodes_missing", detail, file=file, allowed=[1, MAX_NODES])
    if not 1 <= features <= MAX_FEATURES or nodes * features * item > MAX_FEATURE_BYTES:
        detail = f"{file} gives {features} features to each of {nodes} nodes: accepted are 1 to {MAX_FEATURES},"
        detail += f" and {MAX_FEATURE_BYTES} bytes in all"
        raise fault("too_many_features", detail, file=file, allowed=[1, MAX_FEATURES])


def as_features(x: Array, *, file: str) -> Array:
    """(N, F) numbers -> uint8 where all are whole and 0 to 255, or all are 0 or 1; else float32."""
    if x.ndim != 2:
        raise fault("shape_invalid", f"features of shape {x.shape} cannot be read: (N, F)", file=file)
    check_sizes(len(x), x.shape[1], 1, file=file)
    dtype = stored_dtype(x, file=file)
    if dtype != np.uint8 and all(((x[rows] == 0) | (x[rows] == 1)).all() for rows in chunks(len(x), item_bytes(x))):
        dtype = np.dtype(np.uint8)
    check_sizes(len(x), x.shape[1], dtype.itemsize, file=file)
    return np.ascontiguousarray(x, dtype=dtype)


def dense(rows: Numbers, columns: Numbers, values: Array | None, shape: tuple[int, int], *, scratch: Path) -> Array:
    """A mapped table (N, F) with values, or 1 without any, at (rows, columns), and 0 elsewhere."""
    dtype = np.dtype(np.uint8) if values is None or values.dtype == np.uint8 else np.dtype(np.float32)
    check_sizes(*shape, dtype.itemsize, file="x_data")
    x = np.lib.format.open_memmap(scratch / "features.npy", mode="w+", dtype=dtype, shape=shape)
    x[rows, columns] = 1 if values is None else values
    return x


def as_part(masks: Mapping[str, Array], y: Labels | None, *, nodes: int) -> npt.NDArray[np.int8]:
    """One boolean mask (N,) each for "train", "test" and, if there, "val" -> PART_NUMBERS, 0 for nodes in none.

    Raises `masks_invalid` when one is missing, empty, of another length or type, when two overlap, or when one holds a
    node without a label.
    """
    if y is None or not {"train", "test"} <= masks.keys():
        detail = f"got the masks {', '.join(masks)}: masks need train and test, perhaps val, and labels of the nodes"
        raise fault("masks_invalid", detail, file=next(iter(masks)), allowed=list(PART_NUMBERS))
    part = np.zeros(nodes, dtype=np.int8)
    for name, mask in masks.items():
        problem = ""
        if mask.shape != (nodes,) or mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all():
            problem = f"is {mask.dtype} {mask.shape}: it must hold a truth value for each of {nodes} nodes"
        elif not mask.any():
            problem = "holds no node"
        elif (taken := mask.astype(bool) & (part > 0)).any():
            problem = f"holds node {int(taken.argmax())}, which another mask holds too"
        elif (nameless := mask.astype(bool) & (y < 0)).any():
            problem = f"holds node {int(nameless.argmax())}, which has no label"
        if problem:
            raise fault("masks_invalid", f"the mask {name} {problem}", file=name)
        part[mask.astype(bool)] = PART_NUMBERS[name]
    return part
