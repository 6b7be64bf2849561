"""Names of the features of nodes, in their order: what lets `predict` put the columns of other files in that order."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workers.datasets.raw import Array, fault

MAX_DEGREE = 100
"""Nodes with more neighbours share the last column of those that count neighbours."""
ONE_HOT = ("node label ", "neighbours ")
"""How the names of one-hot columns of TU archives begin: where no node of a file has the value, its column is 0."""


def columns_note(order: str, names: Sequence[str] = ()) -> dict[str, Any]:
    """What a reader notes of the features' columns as `feature_columns`. names: () where numbers say as much."""
    return {"order": order, "names": list(names)} if names else {"order": order}


def names_of(notes: Mapping[str, Any]) -> tuple[str, ...]:
    """Of a data set's report or of what a reader noted; () where the columns have no names but their numbers."""
    given = tuple(str(name) for name in notes.get("feature_columns", {}).get("names", ()))
    return given or _of_tu(notes.get("features", {}))


def _of_tu(features: Any) -> tuple[str, ...]:
    """Of a TU archive: attributes, then each column of node labels value by value, else numbers of neighbours."""
    if not isinstance(features, Mapping):
        return ()
    labels = [
        f"node label {number} = {value}"
        for number, values in enumerate(features.get("node_labels", ()))
        for value in values
    ]
    degrees = [f"neighbours = {number}" for number in range(features.get("neighbours", -1) + 1)]
    if len(degrees) > MAX_DEGREE:
        degrees[-1] = f"neighbours >= {MAX_DEGREE}"
    return (*(f"attribute {number}" for number in range(features.get("attributes", 0))), *labels, *degrees)


def arranged(
    x: Array, given: tuple[str, ...], wanted: tuple[str, ...], *, file: str, one_hot: bool = False
) -> tuple[Array, str]:
    """x (N, F) with the columns `wanted`, taken by name from those that it has, and a remark, "" for nothing.

    one_hot: whether columns may begin as ONE_HOT says. Raises `columns_unsuitable` where another column is missing.
    """
    if given == wanted:
        return x, ""
    place = {name: number for number, name in enumerate(given)}
    missing = [name for name in wanted if name not in place and not (one_hot and name.startswith(ONE_HOT))]
    if missing:
        detail = f"the model was trained with the columns {_listed(wanted)}; there is no {_listed(missing)} here, but "
        detail += _listed(given)
        raise fault("columns_unsuitable", detail, file=file, allowed=list(wanted))
    out = np.zeros((len(x), len(wanted)), dtype=x.dtype)
    for number, name in enumerate(wanted):
        if name in place:
            out[:, number] = x[:, place[name]]
    known = set(wanted)
    kept, other = [name for name in given if name in known], [name for name in given if name not in known]
    said = []
    if kept != [name for name in wanted if name in place]:
        said.append("the columns are in another order than in the training, and were put in its order by their names")
    if other:
        said.append(f"columns that the training did not have are left out: {_listed(other)}")
    return out, "; ".join(said)


def assumed(wanted: Sequence[str]) -> str:
    """What is said of columns without names for a model whose columns have some; "" where the model's have none."""
    if not wanted:
        return ""
    return f"the columns have no names here, so they are taken to be, in this order, {_listed(wanted)}"


def _listed(names: Sequence[str], *, most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
