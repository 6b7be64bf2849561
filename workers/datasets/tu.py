"""Many labelled graphs in the text format of the TU collection (Morris et al., arXiv 2007.08663), one zip archive:

    DS_A.txt                 an edge a line, "1, 2": numbers of nodes, which are counted from 1 through all graphs
    DS_graph_indicator.txt   for each node the number of its graph, from 1
    DS_graph_labels.txt      for each graph its class, any whole number; or one or more numbers for a regression
    DS_graph_attributes.txt  for each graph the numbers of a regression, read where there are no labels, or on demand
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

from archsmith.errors import InvalidDataset
from workers.datasets.columns import columns_note
from workers.datasets.degrees import degree_features, one_hot
from workers.datasets.files import Found, find, text_of
from workers.datasets.given_answers import Answers
from workers.datasets.graph_answers import check_graph_problem, graph_answers
from workers.datasets.graphs import (
    MAX_EDGES,
    MAX_GRAPHS,
    MAX_NODES,
    Numbers,
    RawGraphs,
    as_edges,
    as_features,
)
from workers.datasets.many_graphs import check_within
from workers.datasets.raw import MAX_CLASSES, Array, fault
from workers.datasets.text_numbers import has_fraction

NEEDED = ("A", "graph_indicator", "graph_labels")
USED = (*NEEDED, "node_labels", "node_attributes", "graph_attributes")
WITHOUT_USE = ("edge_labels", "edge_attributes")


def read(sources: Sequence[Path], *, scratch: Path, problem: str | None = None) -> RawGraphs:
    """sources: one zip archive, a folder, or the files. problem: the option. Raises InvalidDataset."""
    check_graph_problem(problem)
    found, ignored = find(sources, lambda name: any(name.endswith(f"_{part}.txt") for part in USED), scratch=scratch)
    files, left = _by_part(found, ignored, problem)
    ignored = (*ignored, *left)
    indicator = _numbers(files["graph_indicator"], limit=MAX_NODES)[:, 0]
    graphs = _answers_of_graphs(files, problem)
    order, graph = _graphs(indicator, len(graphs), file=files["graph_indicator"][0])
    nodes, place = len(order), np.argsort(order)  # place: where a node of the files is kept, nodes of a graph together
    edges, counts = as_edges(_pairs(files["A"]), nodes=nodes, file=files["A"][0], base=1)
    edges = np.sort(place[edges], axis=0)
    edges = edges[:, np.lexsort((edges[1], edges[0]))]
    check_within(edges, graph, order, file=files["A"][0], base=1)
    x, what = _features(files, order, edges, nodes=nodes)
    answers = _answers(graphs, file=_answer_file(files)[0], asked=problem)
    unused = [name for name in ignored if any(name.endswith(f"_{part}.txt") for part in WITHOUT_USE)]
    return RawGraphs(
        format="tu",
        x=x,
        edges=edges,
        graph=graph,
        y=answers.y["y"],
        problem=answers.problem,
        class_names=answers.names,
        warnings=(
            *_told(files, problem),
            *answers.warnings,
            *(f"{name} is left out: edges carry no labels here" for name in unused if "edge" in name),
        ),
        ignored=ignored,
        notes={"edges": counts, "features": what, "feature_columns": _columns(what, x.shape[1])},
    )


def _by_part(
    found: Found, ignored: Sequence[str], problem: str | None
) -> tuple[dict[str, tuple[str, Path]], tuple[str, ...]]:
    """The files by what they hold, (name, path), and the names of those without use. Of each one file is wanted."""
    files: dict[str, tuple[str, Path]] = {}
    for name, path in found.items():
        part = next(part for part in USED if name.endswith(f"_{part}.txt"))
        if part in files:
            detail = f"{files[part][0]} and {name} belong to two data sets; give one"
            raise fault("file_duplicate", detail, file=name)
        files[part] = (name, path)
    unused = "graph_attributes" if "graph_labels" in files and problem != "regression" else "graph_labels"
    left = [files.pop(unused)[0]] if {"graph_labels", "graph_attributes"} <= files.keys() else []
    for part in NEEDED:
        if part not in files and not (part == "graph_labels" and "graph_attributes" in files):
            there = ", ".join([*found, *ignored][:20]) or "nothing"
            detail = f"there is no file that ends in _{part}.txt, only {there}"
            raise fault("file_missing", detail, file=f"DS_{part}.txt", allowed=[f"DS_{name}.txt" for name in NEEDED])
    return files, tuple(left)


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


def _answer_file(files: dict[str, tuple[str, Path]]) -> tuple[str, Path]:
    return files["graph_labels"] if "graph_labels" in files else files["graph_attributes"]


def _told(files: dict[str, tuple[str, Path]], problem: str | None) -> tuple[str, ...]:
    if problem is not None or "graph_labels" in files:
        return ()
    return (f"there are no labels of graphs: {files['graph_attributes'][0]} is read as targets of a regression",)


def _answers_of_graphs(files: dict[str, tuple[str, Path]], problem: str | None) -> Array:
    """(G, numbers a line); whole numbers of labels where that may be, as they come."""
    source = _answer_file(files)
    if "graph_labels" not in files or problem in ("regression", "multilabel"):
        return _numbers(source, limit=MAX_GRAPHS, dtype=np.float64)
    try:
        return _numbers(source, limit=MAX_GRAPHS)
    except InvalidDataset:
        try:
            found = _numbers(source, limit=MAX_GRAPHS, dtype=np.float64)
        except InvalidDataset:
            found = np.zeros((0, 1))
        if not has_fraction(found):
            raise
    return found


def _answers(graphs: Array, *, file: str, asked: str | None) -> Answers:
    """The source's labels in ascending order become 0..k-1 and stay as names; else as `given_answers` says."""
    if graphs.dtype.kind == "i" and asked in (None, "classification"):
        return _classes(graphs, file=file)
    asked = "regression" if asked is None and file.endswith("_graph_attributes.txt") else asked
    return graph_answers(graphs if graphs.shape[1] > 1 else graphs[:, 0], file=file, names=lambda _: None, asked=asked)


def _classes(labels: Array, *, file: str) -> Answers:
    if labels.shape[1] != 1:
        detail = f"{file} has {labels.shape[1]} numbers a line, one class is wanted"
        detail += "; with --problem regression they are targets"
        raise fault("labels_invalid", detail, file=file)
    known, y = np.unique(labels[:, 0], return_inverse=True)
    if len(known) > MAX_CLASSES:
        detail = f"{file} has {len(known)} different labels, the limit is {MAX_CLASSES}"
        raise fault("labels_invalid", detail, file=file, allowed=MAX_CLASSES)
    names = tuple(str(label) for label in known.tolist())
    return Answers(problem="classification", y={"y": y.astype(np.int64)}, names=names)
