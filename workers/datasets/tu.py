"""Many labelled graphs in the text format of the TU collection (Morris et al., arXiv 2007.08663), one zip archive:

    DS_A.txt                 an edge a line, "1, 2": numbers of nodes, which are counted from 1 through all graphs
    DS_graph_indicator.txt   for each node the number of its graph, from 1
    DS_graph_labels.txt      for each graph its class, any whole number
    DS_node_labels.txt       if there, for each node one or more whole numbers: one-hot features, a column a value
    DS_node_attributes.txt   if there, for each node one or more numbers: features as they are

Without either, the features are the one-hot number of neighbours, as Xu et al. take them (arXiv 1810.00826). Labels and
attributes of edges are left out and reported.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workers.datasets.columns import columns_note
from workers.datasets.degrees import degree_features, one_hot
from workers.datasets.files import Found, find, text_of
from workers.datasets.graphs import (
    MAX_EDGES,
    MAX_GRAPHS,
    MAX_NODES,
    Numbers,
    RawGraphs,
    as_edges,
    as_features,
)
from workers.datasets.raw import MAX_CLASSES, Array, Labels, fault

NEEDED = ("A", "graph_indicator", "graph_labels")
USED = (*NEEDED, "node_labels", "node_attributes")
WITHOUT_USE = ("edge_labels", "edge_attributes", "graph_attributes")


def read(sources: Sequence[Path], *, scratch: Path) -> RawGraphs:
    """sources: one zip archive, a folder, or the files. Raises InvalidDataset."""
    found, ignored = find(sources, lambda name: any(name.endswith(f"_{part}.txt") for part in USED), scratch=scratch)
    files = _by_part(found, ignored)
    indicator = _numbers(files["graph_indicator"], limit=MAX_NODES)[:, 0]
    graphs, label_file = _numbers(files["graph_labels"], limit=MAX_GRAPHS), files["graph_labels"][0]
    order, graph = _graphs(indicator, len(graphs), file=files["graph_indicator"][0])
    nodes, place = len(order), np.argsort(order)  # place: where a node of the files is kept, nodes of a graph together
    edges, counts = as_edges(_pairs(files["A"]), nodes=nodes, file=files["A"][0], base=1)
    edges = np.sort(place[edges], axis=0)
    edges = edges[:, np.lexsort((edges[1], edges[0]))]
    _check_within(edges, graph, order, file=files["A"][0])
    x, what = _features(files, order, edges, nodes=nodes)
    y, names = _classes(graphs, file=label_file)
    unused = [name for name in ignored if any(name.endswith(f"_{part}.txt") for part in WITHOUT_USE)]
    return RawGraphs(
        format="tu",
        x=x,
        edges=edges,
        graph=graph,
        y=y,
        class_names=names,
        warnings=tuple(f"{name} is left out: edges carry no labels here" for name in unused if "edge" in name),
        ignored=ignored,
        notes={"edges": counts, "features": what, "feature_columns": _columns(what, x.shape[1])},
    )


def _by_part(found: Found, ignored: Sequence[str]) -> dict[str, tuple[str, Path]]:
    """The files by what they hold, (name, path). One data set's files are wanted, so one of each."""
    files: dict[str, tuple[str, Path]] = {}
    for name, path in found.items():
        part = next(part for part in USED if name.endswith(f"_{part}.txt"))
        if part in files:
            detail = f"{files[part][0]} and {name} belong to two data sets; give one"
            raise fault("file_duplicate", detail, file=name)
        files[part] = (name, path)
    for part in NEEDED:
        if part not in files:
            there = ", ".join([*found, *ignored][:20]) or "nothing"
            detail = f"there is no file that ends in _{part}.txt, only {there}"
            raise fault("file_missing", detail, file=f"DS_{part}.txt", allowed=[f"DS_{name}.txt" for name in NEEDED])
    return files


def _lines(stream: Iterable[str], file: str) -> Iterator[str]:
    """The lines between blank ends. Raises `text_invalid` for a blank one between others, whose place would be lost."""
    begun, blank = False, 0
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            blank = blank or number
            continue
        if begun and blank:
            raise fault("text_invalid", f"line {blank} of {file} is blank, and there are lines after it", file=file)
        begun, blank = True, 0
        yield line


def _numbers(source: tuple[str, Path], *, limit: int, dtype: type = np.int64) -> Array:
    """The lines of a file, (lines, numbers a line). Raises `text_invalid`, `file_empty`, `too_many_lines`."""
    file, path = source
    with text_of(path, file=file) as stream, warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy warns of a file without lines
        try:
            found: Array = np.loadtxt(
                _lines(stream, file), dtype=dtype, delimiter=",", comments=None, ndmin=2, max_rows=limit + 1
            )
        except UnicodeDecodeError:
            raise
        except UserWarning:
            raise fault("file_empty", f"{file} has no lines", file=file) from None
        except (ValueError, OverflowError) as error:
            kind = "whole numbers" if dtype is np.int64 else "numbers"
            detail = f"{file} must hold {kind}, as many in each line: {str(error).splitlines()[0][:200]}"
            raise fault("text_invalid", detail, file=file) from error
    if len(found) > limit:
        raise fault("too_many_lines", f"{file} has more than {limit} lines", file=file, allowed=limit)
    return found


def _pairs(source: tuple[str, Path]) -> Numbers:
    """(E, 2) numbers of nodes, from 1."""
    found = _numbers(source, limit=MAX_EDGES)
    if found.shape[1] != 2:
        detail = f"{source[0]} has {found.shape[1]} numbers a line, an edge is two"
        raise fault("shape_invalid", detail, file=source[0])
    return found


def _graphs(indicator: Numbers, graphs: int, *, file: str) -> tuple[Numbers, Numbers]:
    """The nodes in order of their graphs, and the graph of each in that order, from 0."""
    wrong = (indicator < 1) | (indicator > graphs)
    if wrong.any():
        first = int(wrong.argmax())
        detail = f"line {first + 1} of {file} names graph {indicator[first]}, there are labels for 1 to {graphs}"
        raise fault("graph_unknown", detail, file=file, allowed=[1, graphs])
    sizes = np.bincount(indicator - 1, minlength=graphs)
    if not sizes.all():
        raise fault("graph_empty", f"graph {int((sizes == 0).argmax()) + 1} has no node in {file}", file=file)
    order = np.argsort(indicator, kind="stable")
    return order, indicator[order] - 1


def _check_within(edges: Numbers, graph: Numbers, order: Numbers, *, file: str) -> None:
    apart = graph[edges[0]] != graph[edges[1]]
    if apart.any():
        a, b = order[edges[:, int(apart.argmax())]] + 1
        raise fault("edge_between_graphs", f"{file} joins nodes {a} and {b}, which are of two graphs", file=file)


def _features(
    files: dict[str, tuple[str, Path]], order: Numbers, edges: Numbers, *, nodes: int
) -> tuple[Array, dict[str, Any]]:
    """(N, F) in the order kept: attributes, then one-hot labels; and what the columns are, for the report."""
    columns: list[Array] = []
    what: dict[str, Any] = {}
    if "node_attributes" in files:
        file = files["node_attributes"][0]
        attributes = _numbers(files["node_attributes"], limit=MAX_NODES, dtype=np.float64)
        columns.append(_for_nodes(attributes, nodes=nodes, file=file)[order])
        what["attributes"] = attributes.shape[1]
    if "node_labels" in files:
        file = files["node_labels"][0]
        labels = _for_nodes(_numbers(files["node_labels"], limit=MAX_NODES), nodes=nodes, file=file)[order]
        values = [np.unique(column) for column in labels.T]
        columns += [one_hot(column, known, file=file) for column, known in zip(labels.T, values, strict=True)]
        what["node_labels"] = [known.tolist() for known in values]
    if not columns:
        table, names = degree_features(edges, nodes=nodes, file=files["A"][0])
        columns.append(table)
        what["neighbours"] = len(names) - 1
    return as_features(
        np.concatenate(columns, axis=1), file=files[next(k for k in reversed(USED) if k in files)][0]
    ), what


def _columns(what: dict[str, Any], width: int) -> dict[str, Any]:
    """The order of the columns for the report, which a model's input has to follow."""
    if "neighbours" in what:
        return columns_note("the number of neighbours, one-hot, from 0")
    names = [f"attribute {number}" for number in range(what.get("attributes", 0))]
    labels = what.get("node_labels", [])
    names += [f"node label {number} = {value}" for number, values in enumerate(labels) for value in values]
    order = "node attributes first, then a column for each value of each node label, ascending"
    return columns_note(order, names if len(names) == width else ())


def _for_nodes(found: Array, *, nodes: int, file: str) -> Array:
    if len(found) != nodes:
        detail = f"{file} has {len(found)} lines, there are {nodes} nodes"
        raise fault("length_mismatch", detail, file=file, allowed=nodes)
    return found


def _classes(labels: Array, *, file: str) -> tuple[Labels, tuple[str, ...]]:
    """The source's labels in ascending order become 0..k-1 and stay as names."""
    if labels.shape[1] != 1:
        raise fault("labels_invalid", f"{file} has {labels.shape[1]} numbers a line, one class is wanted", file=file)
    known, y = np.unique(labels[:, 0], return_inverse=True)
    if len(known) > MAX_CLASSES:
        detail = f"{file} has {len(known)} different labels, the limit is {MAX_CLASSES}"
        raise fault("labels_invalid", detail, file=file, allowed=MAX_CLASSES)
    return y.astype(np.int64), tuple(str(label) for label in known.tolist())
