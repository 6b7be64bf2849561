"""Labels of the nodes of one graph as classes by value; some may be unknown."""

from collections.abc import Sequence

import numpy as np

from workers.datasets.labels import as_classes, class_order, one_hot_shape
from workers.datasets.raw import Array, Labels, fault


def as_node_classes(
    y: Array, *, nodes: int, file: str, names: Sequence[str] | None
) -> tuple[Labels, tuple[str, ...], tuple[str, ...]]:
    """(N,) class numbers, the classes' names, and remarks. The number -1 and the empty text stay as -1, unknown.

    The order is that of `graph_csv`: by number where all names are whole numbers, else by character, so that a graph
    has the same classes in the same order in any form. Raises `length_mismatch`, `labels_invalid`.
    """
    if not y.ndim or len(y) != nodes or (y.size != nodes and not one_hot_shape(y)):
        detail = f"{file} has shape {y.shape}, there are {nodes} nodes: one label each"
        raise fault("length_mismatch", detail, file=file, allowed=nodes)
    y = y if one_hot_shape(y) else y.reshape(nodes)
    known = np.ones(nodes, dtype=bool) if y.ndim == 2 else (y != "" if y.dtype.kind == "U" else _given(y))
    if not known.any():
        raise fault("labels_invalid", f"{file} has no class for any node; leave the array out", file=file)
    if y.dtype.kind in "if" and y.ndim == 1 and (y < -1).any():
        first = int((y < -1).argmax())
        detail = f"label {y[first]} at index {first} is below 0: only -1 is, for a node of unknown class"
        raise fault("labels_invalid", detail, file=file)
    classes = as_classes({"nodes": y[known]}, files={"nodes": file}, names=names)
    order = class_order(classes.names)
    place = np.array([order.index(name) for name in classes.names])
    labels = np.full(nodes, -1, dtype=np.int64)
    labels[known] = place[classes.y["nodes"]]
    return labels, tuple(order), classes.warnings


def _given(y: Array) -> Array:
    return np.asarray(y != b"") if y.dtype.kind == "S" else np.asarray(y != -1)
