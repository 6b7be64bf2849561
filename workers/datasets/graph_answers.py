"""What nodes, or whole graphs, are answered with: as for pictures, and of nodes some may be unknown."""

from collections.abc import Callable, Sequence

import numpy as np

from workers.conventions import PROBLEMS
from workers.datasets.given_answers import Answers, as_answers, check_problem, decided, ordered
from workers.datasets.graphs import Numbers
from workers.datasets.labels import Classes, class_order, one_hot_shape
from workers.datasets.many_labels import are_marks, are_one_hot
from workers.datasets.named import MAX_NAME, NamedArrays, one_of
from workers.datasets.node_labels import as_node_classes
from workers.datasets.raw import MAX_CLASSES, Array, Labels, fault
from workers.datasets.strata import UNKNOWN
from workers.datasets.text_numbers import has_fraction, numbers_of
from workers.datasets.texts import tidy

OF_GRAPHS = tuple(problem for problem in PROBLEMS if problem != "segmentation")
GRAPH_OF_NODE = ("graph", "batch", "graph_indicator", "graph_index")


def check_graph_problem(asked: str | None) -> None:
    check_problem(asked, OF_GRAPHS, why=" for graphs")


def graph_of_nodes(arrays: NamedArrays, y: Array | None, *, nodes: int) -> Numbers | None:
    """(N,) the graph of each node, from 0; None for one graph. Raises `graph_unknown`, `length_mismatch`.

    Arrays of one graph may have such a list too, of communities for one, so y decides: one answer for each graph.
    """
    name = one_of(arrays, GRAPH_OF_NODE, what="graph of each node")
    found = None if name is None else arrays.read(name)
    if name is None or found is None or y is None or found.size != nodes or found.dtype.kind not in "iu":
        return None
    known, graph = np.unique(np.ravel(found), return_inverse=True)
    if len(known) < 2 or len(known) == nodes or len(y) != len(known):
        return None
    if known[-1] - known[0] != len(known) - 1 or known[0] not in (0, 1):
        detail = f"{name} counts graphs from {known[0]} to {known[-1]}, and {len(known)} of them have nodes"
        raise fault("graph_unknown", f"{detail}: count from 0 or 1 without gaps, as y lists its answers", file=name)
    return graph.reshape(-1).astype(np.int64)


def graph_answers(y: Array, *, file: str, names: Callable[[str], Sequence[str] | None], asked: str | None) -> Answers:
    """Of whole graphs. names: of the classes, labels or targets, for a problem. Raises InvalidDataset."""
    found, files = {"y": y}, {"y": file}
    return as_answers(found, files=files, names=names(decided(found, files, asked)[0]), asked=asked)


def node_answers(
    y: Array, *, nodes: int, file: str, names: Callable[[str], Sequence[str] | None], asked: str | None
) -> Answers:
    """Of the nodes of one graph: -1, an empty text, and NaN stay unknown. Raises InvalidDataset."""
    if y.ndim and len(y) == nodes and (asked in ("regression", "multilabel") or (asked is None and _several(y))):
        return _of_known(y, file, names, asked)
    classes, shown, said = as_node_classes(y, nodes=nodes, file=file, names=names(asked or "classification"))
    if asked != "ordinal":
        return Answers(problem="classification", y={"y": classes}, names=shown, warnings=said)
    return _ordered(classes, shown, said)


def _ordered(classes: Labels, names: tuple[str, ...], said: tuple[str, ...]) -> Answers:
    known = classes >= 0
    found = ordered(Classes(y={"y": classes[known]}, names=names, warnings=said), named=False)
    classes[known] = found.y["y"]
    return Answers(problem="ordinal", y={"y": classes}, names=found.names, warnings=found.warnings)


def _several(y: Array) -> bool:
    """Whether labels of nodes are numbers that are no classes, or several labels each."""
    if y.dtype.kind == "f":
        values = np.asarray(y, dtype=np.float64)
        values = values[np.isfinite(values)]
        if bool((np.floor(values) != values).any()):
            return True
    return bool(y.dtype.kind in "biuf" and one_hot_shape(y) and are_marks(y) and not are_one_hot(y))


def _of_known(y: Array, file: str, names: Callable[[str], Sequence[str] | None], asked: str | None) -> Answers:
    rows = y.reshape(len(y), -1)
    known = np.ones(len(y), dtype=np.bool_)
    if y.dtype.kind == "f":
        known &= np.isfinite(rows).all(axis=1)
    if not known.any():
        raise fault("labels_invalid", f"{file} has no answer for any node; leave the array out", file=file)
    return _filled(graph_answers(y[known], file=file, names=names, asked=asked), known)


def _filled(found: Answers, known: Array) -> Answers:
    """The same with rows for the unknown ones too. known: (N,) whether an answer is."""
    part = found.y["y"]
    out = np.full((len(known), *part.shape[1:]), np.nan if found.problem == "regression" else UNKNOWN, dtype=part.dtype)
    out[known] = part
    return Answers(problem=found.problem, y={"y": out}, names=found.names, warnings=found.warnings)


def label_answers(labels: Sequence[str], *, file: str, asked: str | None) -> Answers:
    """Of the nodes of one graph as texts, "" for an unknown one; y {} where all are. Raises InvalidDataset."""
    tidied = [tidy(label) for label in labels]
    if not any(tidied):
        return Answers(problem="classification", y={}, names=())
    values = numbers_of(tidied) if asked in (None, "regression") else None
    if asked in ("regression", "multilabel") or (values is not None and has_fraction(values)):
        y = np.array(tidied) if values is None else values
        known = np.array([bool(label) for label in tidied])
        return _filled(graph_answers(y[known], file=file, names=lambda _: None, asked=asked), known)
    classes, names = _classes(tidied, file)
    if asked != "ordinal":
        return Answers(problem="classification", y={"y": classes}, names=names)
    return _ordered(classes, names, ())


def _classes(labels: Sequence[str], file: str) -> tuple[Labels, tuple[str, ...]]:
    """(N,) class numbers, -1 for an empty label; the names in order of number if all are whole, else of letters."""
    names = set(labels) - {""}
    if len(names) > MAX_CLASSES:
        detail = f"{file} has {len(names)} different labels, the limit is {MAX_CLASSES}"
        raise fault("labels_invalid", detail, file=file, allowed=MAX_CLASSES)
    order = class_order(list(names))
    number = {name: i for i, name in enumerate(order)} | {"": -1}
    return np.array([number[label] for label in labels], dtype=np.int64), tuple(name[:MAX_NAME] for name in order)
