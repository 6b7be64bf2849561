"""Cells of Parquet files as the cells of a table, and lists of labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from workers.datasets.given_answers import OTHERWISE
from workers.datasets.label_columns import NAMED, RowAnswers
from workers.datasets.labels import class_order
from workers.datasets.many_labels import check_names
from workers.datasets.raw import fault
from workers.datasets.texts import tidy


def as_cell(value: Any) -> str:
    """As a table would have it: "" for nothing, 1 and 0 for truth values."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else repr(value) if isinstance(value, float) else tidy(str(value))


def of_lists(rows: Sequence[Sequence[Any]], file: str, names: Sequence[str]) -> RowAnswers:
    """rows: of each file, lists of texts, or of numbers from 0 of `names`. Raises `labels_invalid`.

    A list of numbers without names is a label for each different number; an empty one a sample without a label.
    """
    lists = [list(row) if row is not None else [] for part in rows for row in part]
    _check(lists, file)
    if names and any(not isinstance(label, int) or not 0 <= label < len(names) for row in lists for label in row):
        detail = f"{file} names {len(names)} labels, and holds one that is none of their numbers"
        raise fault("labels_invalid", detail, file=file)
    texts = [[names[label] if names else tidy(str(label)) for label in row] for row in lists]
    known = list(names) if names else class_order(sorted({label for row in texts for label in row}))
    check_names(known, file)
    place = {label: number for number, label in enumerate(known)}
    values = np.zeros((len(texts), len(known)), dtype=np.uint8)
    for number, row in enumerate(texts):
        values[number, [place[label] for label in row]] = 1
    told = [f"{file} holds lists of labels: read as multilabel; {OTHERWISE}"]
    if empty := int((values.sum(axis=1) == 0).sum()):
        told.append(f"{empty} samples have no label in {file}: they are read as having none of the labels")
    return RowAnswers(problem="multilabel", names=tuple(known), values=values, sure=NAMED, warnings=tuple(told))


def _check(lists: Sequence[Sequence[Any]], file: str) -> None:
    for number, row in enumerate(lists):
        if any(not isinstance(label, str | int) or isinstance(label, bool) for label in row):
            detail = f"row {number} of {file} holds {str(row)[:60]}, no list of texts or whole numbers"
            raise fault("labels_invalid", detail, file=file)
