"""A graph, or several: a NumPy archive of plain arrays; or one graph as two tables of text.

Arrays: `edges` or `edge_index`, (E, 2) or (2, E) node numbers; features `x` (N, F), or the same in rows of sparse
numbers, `x_indptr` (N + 1,), `x_indices`, `x_shape` (2,) and, if not all 1, `x_data`, or none: the number of neighbours
then; optionally `y` (N,), -1 where unknown; a split, see `given_split`; `class_names`. With `graph` (or `batch`) (N,),
the graph of each node, and one row of `y` for each graph these are many graphs. Texts: `nodes.csv` and `edges.csv`, see
`graph_csv`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from workers.datasets import given_split, graph_csv
from workers.datasets.arrays import open_arrays
from workers.datasets.columns import columns_note
from workers.datasets.degrees import degree_features
from workers.datasets.files import find
from workers.datasets.given_answers import TARGET_NAMES, Answers, answer_names, uses_target_names
from workers.datasets.graph_answers import (
    GRAPH_OF_NODE,
    check_graph_problem,
    graph_answers,
    graph_of_nodes,
    node_answers,
)
from workers.datasets.graphs import (
    PART_NUMBERS,
    Numbers,
    RawGraphs,
    as_edges,
    as_features,
    as_part,
    check_sizes,
    dense,
)
from workers.datasets.many_graphs import together
from workers.datasets.named import CLASS_NAMES, NUMBERS, TEXTS, NamedArrays, listed, one_of, without_use
from workers.datasets.raw import Array, fault, stored_dtype
from workers.datasets.strata import known

EDGES = ("edges", "edge_index")
SPARSE = ("x_indptr", "x_indices", "x_shape")
LABELS = ("y", "labels", "label")
NODES = ("num_nodes", "n_nodes")
OF_EDGES = ("edge_weight", "edge_weights", "edge_attr", "edge_attrs", "edge_type", "weights")
WITHOUT_MEANING = ("has_data",)
"""Left out without a word: Planetoid's note of which nodes have a label, which `y` says as well."""


def read(sources: Sequence[Path], *, scratch: Path, problem: str | None = None) -> RawGraphs:
    """sources: an archive of arrays; a folder, one zip archive, or two files of the tables. Raises InvalidDataset."""
    check_graph_problem(problem)
    if len(sources) == 1 and sources[0].suffix.lower() == ".npz":
        return _of_archive(sources[0], scratch=scratch, problem=problem)
    found, ignored = find(sources, lambda name: name in graph_csv.FILES, scratch=scratch)
    if not found and sources[0].is_file() and any(name.endswith(".npy") for name in ignored):
        return _of_archive(sources[0], scratch=scratch, problem=problem)  # an archive of arrays by another name
    return graph_csv.read(found, ignored=ignored, scratch=scratch, problem=problem)


def _of_archive(source: Path, *, scratch: Path, problem: str | None) -> RawGraphs:
    with open_arrays(source, scratch=scratch) as arrays:
        found = of_arrays(arrays, scratch=scratch, problem=problem)
        return replace(found, ignored=(*found.ignored, *arrays.others))


def holds(arrays: NamedArrays) -> bool:
    return any(name in arrays.names for name in EDGES)


def of_arrays(arrays: NamedArrays, *, scratch: Path, problem: str | None = None) -> RawGraphs:
    """problem: the option. Raises InvalidDataset."""
    check_graph_problem(problem)
    name = one_of(arrays, EDGES, what="edges")
    if name is None:
        detail = f"{arrays.file} needs an array named edges or edge_index; it holds {listed(arrays)}"
        raise fault("array_missing", detail, file=arrays.file, allowed=list(EDGES))
    listed_edges = arrays.read(name)
    if name == "edge_index" and listed_edges.ndim == 2 and len(listed_edges) == 2:
        listed_edges = listed_edges.T  # (2, 2) too, which could be read either way
    labels = one_of(arrays, LABELS, what="labels")
    y = None if labels is None else arrays.read(labels, kinds=NUMBERS + TEXTS)
    x = features(arrays, scratch=scratch) if "x" in arrays.names or set(SPARSE) & set(arrays.names) else None
    nodes, remarks = (len(x), []) if x is not None else _count(arrays, listed_edges, y)
    edges, counts = as_edges(listed_edges, nodes=nodes, file=name)
    columns = columns_note("the columns of x")
    if x is None:
        x, names = degree_features(edges, nodes=nodes, file=name)
        columns = columns_note("the number of neighbours, one-hot", names)
        remarks.append("the nodes have no features x: their features are the numbers of their neighbours, one-hot")
    graph = graph_of_nodes(arrays, y, nodes=nodes)
    answers = _answers(arrays, y, nodes=nodes, file=labels or "", many=graph is not None, asked=problem)
    if graph is None:
        part, more = _part(arrays, answers, nodes=nodes)
        split = set(given_split.names_of(arrays))
    else:
        x, edges, graph = together(x, edges, graph, file=name)
        part, more, split = None, (), set(GRAPH_OF_NODE)
    used = {"x", *SPARSE, "x_data", *EDGES, *LABELS, *CLASS_NAMES, *WITHOUT_MEANING, *NODES, *OF_EDGES, *split}
    used |= {TARGET_NAMES} if uses_target_names(arrays, answers.problem) else set()
    ignored, odd = without_use(arrays, used)
    dropped = [n for n in arrays.names if n in OF_EDGES]
    return RawGraphs(
        format="graph",
        x=x,
        edges=edges,
        graph=graph,
        y=answers.y.get("y"),
        problem=answers.problem,
        class_names=answers.names,
        part=part,
        warnings=(*remarks, *answers.warnings, *more, *map(edges_are_plain, dropped), *odd),
        ignored=(*ignored, *dropped),
        notes={"edges": counts, "feature_columns": columns},
    )


def edges_are_plain(what: str) -> str:
    return f"{what} is left out: edges carry neither weights nor labels here, each counts alike"


def _count(arrays: NamedArrays, edges: Array, y: Array | None) -> tuple[int, list[str]]:
    """How many nodes there are, by whatever tells it."""
    remarks: list[str] = []
    if (name := one_of(arrays, NODES, what="number of nodes")) and (found := arrays.read(name, kinds="iu")).size == 1:
        nodes = int(found.reshape(-1)[0])
    elif y is not None and (node_graphs := one_of(arrays, GRAPH_OF_NODE, what="graph of each node")):
        nodes = max(len(y), arrays.read(node_graphs).size)
    elif y is not None:
        nodes = len(y)
    elif masks := [name for name in given_split.names_of(arrays) if name.lower().endswith("mask")]:
        nodes = len(arrays.read(masks[0]))
    else:
        if edges.dtype.kind not in "iu":
            raise fault("dtype_unsupported", f"edges of type {edges.dtype} cannot be read: use whole numbers")
        nodes = int(edges.max()) + 1
        remarks = [f"nothing tells the number of nodes: the largest in an edge, {nodes - 1}, is taken for the last one"]
    check_sizes(nodes, 1, 1, file=arrays.file)
    return nodes, remarks


def _answers(arrays: NamedArrays, y: Array | None, *, nodes: int, file: str, many: bool, asked: str | None) -> Answers:
    """Their y is {"y": …}, {} without any."""
    if y is None:
        return Answers(problem="classification", y={}, names=())
    names = partial(answer_names, arrays)
    if many:
        return graph_answers(y, file=file, names=names, asked=asked)
    return node_answers(y, nodes=nodes, file=file, names=names, asked=asked)


def _part(arrays: NamedArrays, answers: Answers, *, nodes: int) -> tuple[Any, tuple[str, ...]]:
    """The given split as `as_part` wants it, and remarks."""
    named = given_split.names_of(arrays)
    remarks: list[str] = []
    masks: dict[str, Array] = {}
    for name, part in named.items():
        found = np.asarray(arrays.read(name, kinds=NUMBERS + TEXTS))
        if part in masks or (not part and len(named) > 1):
            raise fault("masks_invalid", f"{', '.join(named)} give a split twice; keep one of them", file=name)
        if not part:
            masks |= _by_name(arrays, nodes)
        elif not name.lower().endswith("mask") and not name.lower().startswith("mask") and found.dtype.kind in "iu":
            masks[part] = _of_rows(found, nodes=nodes, file=name)
        elif found.ndim == 2 and len(found) == nodes:
            if found.shape[1] > 1:
                remarks.append(f"{name} holds {found.shape[1]} splits, (N, k); the first is used")
            masks[part] = found[:, 0]
        else:
            masks[part] = found
    ordered = {part: masks[part] for part in PART_NUMBERS if part in masks}
    y = answers.y.get("y")
    unknown = None if y is None else np.where(known(y, answers.problem), 0, -1)
    return (as_part(ordered, unknown, nodes=nodes) if ordered else None), tuple(remarks)


def _by_name(arrays: NamedArrays, nodes: int) -> Mapping[str, Array]:
    rows, _ = given_split.given_rows(arrays, count=nodes)
    return {part: np.isin(np.arange(nodes), found) for part, found in rows.items()}


def _of_rows(found: Array, *, nodes: int, file: str) -> Array:
    if found.size != max(found.shape) or found.min() < 0 or found.max() >= nodes:
        raise fault("masks_invalid", f"{file} must be a list of node numbers from 0 to {nodes - 1}", file=file)
    return np.isin(np.arange(nodes), found)


def features(arrays: NamedArrays, *, scratch: Path) -> Array:
    """(N, F) as the store keeps them, of dense or sparse arrays. Raises InvalidDataset."""
    sparse = [name for name in SPARSE if name in arrays.names]
    if ("x" in arrays.names) == bool(sparse) or len(sparse) not in (0, len(SPARSE)):
        detail = f"{arrays.file} needs the features of the nodes once, as x or as {', '.join(SPARSE)}; it holds "
        raise fault("array_missing", detail + ", ".join(arrays.names[:20]), file=arrays.file, allowed=["x", *SPARSE])
    if not sparse:
        return as_features(arrays.read("x"), file="x")
    indptr, indices, shape = (_whole(arrays, name) for name in SPARSE)
    if shape.shape != (2,):
        raise fault("features_invalid", f"x_shape must be (N, F), it has shape {shape.shape}", file="x_shape")
    nodes, width = int(shape[0]), int(shape[1])
    check_sizes(nodes, width, 1, file="x_shape")
    if len(indptr) != nodes + 1 or indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
        detail = f"x_indptr must rise from 0 to {len(indices)} in {nodes} steps, one for each node"
        raise fault("features_invalid", detail, file="x_indptr")
    if (indices < 0).any() or (indices >= width).any():
        detail = f"x_indices go from {indices.min()} to {indices.max()}, x_shape allows 0 to {width - 1}"
        raise fault("features_invalid", detail, file="x_indices", allowed=[0, width - 1])
    rows = np.repeat(np.arange(nodes), np.diff(indptr))
    if len(np.unique(rows * width + indices)) != len(indices):
        raise fault("features_invalid", "x_indices give a feature to a node twice", file="x_indices")
    return dense(rows, indices, _values(arrays, len(indices)), (nodes, width), scratch=scratch)


def _whole(arrays: NamedArrays, name: str) -> Numbers:
    found = arrays.read(name)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise fault("features_invalid", f"{name} must be a list of whole numbers, not {found.dtype}", file=name)
    return found.astype(np.int64)


def _values(arrays: NamedArrays, count: int) -> Array | None:
    """None when all are 1, else what the store keeps: uint8 or float32."""
    if "x_data" not in arrays.names:
        return None
    found = arrays.read("x_data")
    if found.shape != (count,):
        detail = f"x_data has shape {found.shape}, x_indices name {count} features"
        raise fault("length_mismatch", detail, file="x_data", allowed=count)
    kept = stored_dtype(found, file="x_data")
    return None if (found == 1).all() else np.asarray(found, dtype=kept)
