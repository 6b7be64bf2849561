"""Graphs on disk, and their description.

NAME/x.npy       (N, F) uint8 or float32, features of the nodes
NAME/edges.npy   (2, E) int64, each undirected edge once
NAME/y.npy       (N,) or (G,) int64 labels of nodes or graphs; absent without labels; float32 or uint8 (G or N, K) for
                 regression or several labels
NAME/graph.npy   (N,) int64, the graph of each node; only of many graphs
NAME/part.npy    (N,) int8, the source's own split of the nodes; only where it has one
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.datasets.answers import answer_warnings, counts
from workers.datasets.dataset import LINK_CLASSES
from workers.datasets.graph_splits import feature_statistics, graph_splits, link_splits, node_splits
from workers.datasets.graphs import PART_NUMBERS, Numbers, RawGraphs
from workers.datasets.info import DatasetInfo
from workers.datasets.raw import Array, chunks, item_bytes
from workers.datasets.splits import Splits, duplicates_across
from workers.datasets.strata import known

ROUNDS = 8
"""Rounds of refinement in `fingerprints`: more hops than most networks on graphs have layers."""


def write(folder: Path, raw: RawGraphs) -> str:
    """Writes the arrays; returns the SHA-256 of the content."""
    arrays = {"edges": raw.edges, "y": raw.y, "graph": raw.graph, "part": raw.part}
    given = {name: array for name, array in arrays.items() if array is not None}
    header = {"kind": "graph", "shape": raw.x.shape, "dtype": raw.x.dtype.name, "arrays": sorted(given)}
    if raw.problem != "classification":
        header["problem"] = raw.problem
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    out = np.lib.format.open_memmap(folder / "x.npy", mode="w+", dtype=raw.x.dtype, shape=raw.x.shape)
    for rows in chunks(len(raw.x), item_bytes(raw.x)):
        out[rows] = raw.x[rows]
        digest.update(np.ascontiguousarray(raw.x[rows]).data)
    out.flush()
    for name, array in sorted(given.items()):
        np.save(folder / f"{name}.npy", array)
        digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def make_task_splits(
    task: str, *, x: Array, y: Array, edges: Numbers, part: Array | None, seed: int, problem: str = "classification"
) -> Splits:
    """problem: of y. Raises InvalidDataset (too_few_samples) when a split would be empty."""
    if task == "links":
        return link_splits(edges, nodes=len(x), seed=seed)
    if task == "graphs":
        return graph_splits(y, seed=seed, problem=problem)
    return node_splits(y, part, seed=seed, problem=problem)


def task_statistics(
    task: str, splits: Splits, *, x: Array, graph: Numbers
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """mean and std of each feature, as in `Dataset`. x: (N, F); graph: (N,)."""
    seen = np.isin(graph, splits.search_train) if task == "graphs" else np.ones(len(x), dtype=bool)
    return feature_statistics(x, np.flatnonzero(seen))


def describe(
    name: str, raw: RawGraphs, splits: Splits, *, sha256: str, items: npt.NDArray[np.uint64] | None
) -> DatasetInfo:
    """splits: of the first task under seed 0. items: the fingerprints of many graphs, None for one graph.

    Raises InvalidDataset for labels that no classifier can learn from.
    """
    links = raw.tasks[0] == "links"
    names = LINK_CLASSES if links else raw.class_names
    sizes = {split: int(getattr(splits, split).shape[-1]) for split in splits.hashes}
    return DatasetInfo(
        name=name,
        format=raw.format,
        kind="graph",
        tasks=raw.tasks,
        input_shape=(raw.x.shape[1],),
        classes=len(names),
        class_names=names,
        counts=(raw.edges.shape[1],) * 2 if links or raw.y is None else counts(raw.y, raw.problem, len(names)),
        problem="classification" if links else raw.problem,
        train=sizes["search_train"],
        val=sizes["search_val"],
        test=sizes["test"],
        dtype=raw.x.dtype.name,
        sha256=sha256,
        bytes=sum(array.nbytes for array in (raw.x, raw.edges, raw.y, raw.graph, raw.part) if array is not None),
        parts={},
        report=_report(raw, splits, items),
    )


def _report(raw: RawGraphs, splits: Splits, items: npt.NDArray[np.uint64] | None) -> dict[str, Any]:
    report: dict[str, Any] = {
        "samples": len(raw.x) if raw.graph is None or raw.y is None else len(raw.y),
        "warnings": [*raw.warnings, *_warnings(raw)],
        "ignored_files": list(raw.ignored),
        "corrupt_files": [],
        "nodes": len(raw.x),
        "nodes_without_edges": int((np.bincount(raw.edges.ravel(), minlength=len(raw.x)) == 0).sum()),
        "split": "as given" if raw.part is not None else "drawn",
        **raw.notes,
    }
    if items is not None:
        repeats = {"items": len(items) - len(np.unique(items)), **duplicates_across(items, splits)}
        report |= {"graphs": len(items), "duplicates": repeats}
        if repeats["items"]:
            warning = f"message passing cannot distinguish {repeats['items']} graphs from others"
            report["warnings"].append(warning)
    return report


def _warnings(raw: RawGraphs) -> tuple[str, ...]:
    if raw.y is None:
        return ()
    answered = known(raw.y, raw.problem)
    trained = answered if raw.part is None else raw.part == PART_NUMBERS["train"]
    y = np.concatenate([raw.y[trained], raw.y[answered & ~trained]])
    found = answer_warnings(y, raw.class_names, {"train": (0, int(trained.sum()))}, raw.problem)
    if not answered.all():
        found = (*found, f"{int((~answered).sum())} of {len(answered)} nodes have no label and are in no split")
    if raw.graph is None and raw.no_links:
        found = (*found, f"the task 'links' is not available: {raw.no_links}")
    return found


def fingerprints(x: Array, edges: Numbers, graph: Numbers) -> npt.NDArray[np.uint64]:
    """A number for each graph, (G,), the same for graphs that message passing cannot distinguish.

    x: (N, F); edges: (2, E), each undirected edge once; graph: (N,). Colour refinement (Weisfeiler and Leman 1968) with
    sums of mixed numbers: isomorphic graphs always agree, two that differ agree with a probability of 2^-64.
    """
    colour = np.array([_hash(row) for row in x], dtype=np.uint64)
    source, target = np.concatenate([edges, edges[::-1]], axis=1)
    for _ in range(ROUNDS):
        heard = np.zeros_like(colour)
        np.add.at(heard, target, _mixed(colour)[source])
        colour = _mixed(colour + np.uint64(0x9E3779B97F4A7C15) * heard)
    sums = np.zeros(int(graph.max()) + 1, dtype=np.uint64)
    np.add.at(sums, graph, _mixed(colour))
    return sums


def _hash(row: Array) -> int:
    return int.from_bytes(hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=8).digest(), "little")


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit depends on every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
