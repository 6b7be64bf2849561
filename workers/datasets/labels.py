"""Labels of any kind as classes by value: 1..26, -1 and 1, 3, 17 and 512, texts, one column a class.

The classes are the values that occur, in any split: whole numbers in ascending order, texts in the order of their
numbers where all are whole numbers, else of their characters (code points). Their names are the values, unless
`class_names` gives others:

    labels are texts    names lists all of them, its order is the order of the classes
    by value            every label is a place in the list, counted from 0, and 0 is among the labels
    by position         there are as many names as different labels: the first is of the smallest

Where these leave two readings, the upload is refused. A name without a sample is kept as a class, and reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workers.datasets.named import MAX_NAME
from workers.datasets.raw import MAX_CLASSES, Array, Labels, chunks, fault, item_bytes
from workers.datasets.texts import as_texts

_WAYS = "give labels as texts, or one name for each different label in ascending order"


@dataclass(frozen=True, kw_only=True, slots=True)
class Classes:
    """y: (N,) class numbers from 0 of each split. names: of the classes. warnings: what was taken how."""

    y: Mapping[str, Labels]
    names: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def as_classes(found: Mapping[str, Array], *, files: Mapping[str, str], names: Sequence[str] | None = None) -> Classes:
    """found: labels of each split, named for messages by `files`. Raises `labels_invalid`, `dtype_unsupported`.

    Each is (N,), with further axes of 1, or one-hot (N, k): one 1 in each row and otherwise 0.
    """
    first = next(iter(files.values()))
    columns = {part: _column(array, file=files[part]) for part, array in found.items()}
    if len({column.dtype.kind for column in columns.values()}) > 1:
        raise fault("labels_invalid", f"labels are texts in one split and numbers in another: {first}", file=first)
    widths = {array.shape[1] for array in found.values() if one_hot_shape(array)}
    values = np.unique(np.concatenate([np.unique(column) for column in columns.values()]))
    if len(values) > MAX_CLASSES:
        detail = f"{first} holds {len(values)} different labels, the limit is {MAX_CLASSES}: are they classes at all?"
        detail += "" if values.dtype.kind == "U" else " Quantities are read with --problem regression"
        raise fault("labels_invalid", detail, file=first, allowed=MAX_CLASSES)
    if widths and names is not None and widths != {len(names)}:
        detail = f"{first} has {max(widths)} columns, one a class, and there are {len(names)} class_names"
        raise fault("labels_invalid", detail, file=first, allowed=max(widths))
    known, shown = (range(len(names)), tuple(names)) if widths and names is not None else _named(values, names, first)
    return Classes(y=_numbered(columns, known), names=shown, warnings=_remarks(widths, values, names, shown, first))


def class_order(values: Sequence[str]) -> list[str]:
    """Texts in the order of classes: by number where all are whole numbers, else by character."""
    whole = all(value.removeprefix("-").isdecimal() and len(value) < 20 for value in values)
    return sorted(values, key=lambda value: (int(value), value)) if whole else sorted(values)


def one_hot_shape(y: Array) -> bool:
    return y.ndim == 2 and min(y.shape) > 1


def _column(y: Array, *, file: str) -> Array:
    """(N,) int64, or texts."""
    if y.size == max(y.shape, default=0):
        y = y.reshape(-1)
    if y.dtype.kind in "US" and y.ndim == 1:
        return _words(y, file=file)
    if y.dtype.kind not in "biuf" or y.dtype.itemsize > 8:
        raise fault("dtype_unsupported", f"labels of type {y.dtype} cannot be read: whole numbers or texts", file=file)
    if one_hot_shape(y):
        return _hot(y, file=file)
    if y.ndim != 1:
        detail = f"labels of shape {y.shape} cannot be read: one class a sample, shape (N,), (N, 1) or one-hot (N, k)"
        raise fault("labels_invalid", detail, file=file)
    with np.errstate(invalid="ignore"):
        good = (np.abs(y.astype(np.float64)) < 2**53) & (np.floor(y) == y)
    if not good.all():
        first = int((~good).argmax())
        detail = f"label {y[first]} at index {first} of {file} is not a whole number, so no class; quantities are no"
        raise fault("labels_invalid", f"{detail} classes: bring them into classes first", file=file)
    return y.astype(np.int64)


def _words(y: Array, *, file: str) -> Array:
    kinds, where = np.unique(y, return_inverse=True)
    if len(kinds) > 2 * MAX_CLASSES:
        detail = f"{file} holds {len(kinds)} different labels, the limit is {MAX_CLASSES}: are they classes at all?"
        raise fault("labels_invalid", detail, file=file, allowed=MAX_CLASSES)
    words = np.array(as_texts(kinds, file=file), dtype=np.str_)
    if (words == "").any():
        first = int((words[where] == "").argmax())
        raise fault(
            "labels_invalid", f"the label at index {first} of {file} is empty: each sample needs one", file=file
        )
    return words[where.reshape(-1)]


def _hot(y: Array, *, file: str) -> Array:
    """The column of the one 1 in each row."""
    out = np.empty(len(y), dtype=np.int64)
    for rows in chunks(len(y), item_bytes(y)):
        piece = np.asarray(y[rows])
        wrong = ~((piece == 0) | (piece == 1)).all(axis=1) | ((piece == 1).sum(axis=1) != 1)
        if wrong.any():
            first = int(wrong.argmax())
            detail = (
                f"{file} has shape {y.shape}, and row {rows.start + first} is {piece[first][:8].tolist()}: it may be"
            )
            detail += " one-hot, one 1 and otherwise 0; several labels, shares or no label for a sample are not read."
            raise fault("labels_invalid", f"{detail} Give one class a sample, (N,)", file=file)
        out[rows] = piece.argmax(axis=1)
    return out


def _named(values: Array, names: Sequence[str] | None, file: str) -> tuple[Sequence[int | str], tuple[str, ...]]:
    """The values in the order of their classes, and the classes' names."""
    known: list[int | str] = values.tolist()
    if values.dtype.kind == "U":
        return _of_words(values.tolist(), names, file)
    if names is None or len(names) != len(known):
        _check_unlabelled(known, file)
    if names is None:
        return known, tuple(map(str, known))
    texts = [str(value) for value in known]
    if set(names) == set(texts) and list(names) != texts:
        detail = (
            f"class_names holds the labels of {file} in another order, so each has two names; leave it out, or name"
        )
        raise fault("labels_invalid", f"{detail} the classes by other texts", file="class_names")
    if len(names) == len(known):
        return known, tuple(names)
    low, high = int(values.min()), int(values.max())
    if low == 0 and high < len(names):
        return range(len(names)), tuple(names)
    detail = f"class_names holds {len(names)} names, {file} holds {len(known)} different labels from {low} to {high}:"
    raise fault("labels_invalid", f"{detail} which name is whose cannot be told; {_WAYS}", file="class_names")


def _of_words(words: list[str], names: Sequence[str] | None, file: str) -> tuple[list[int | str], tuple[str, ...]]:
    if names is not None:
        if unnamed := [word for word in words if word not in names]:
            detail = f"{file} holds the label {unnamed[0][:80]!r}, which class_names does not list; {_WAYS}"
            raise fault("labels_invalid", detail, file="class_names")
        return list(names), tuple(names)
    ordered = class_order(words)
    shown = tuple(word[:MAX_NAME] for word in ordered)
    if len(set(shown)) < len(shown):
        raise fault(
            "labels_invalid", f"labels of {file} differ only after {MAX_NAME} characters; shorten them", file=file
        )
    return list(ordered), shown


def _check_unlabelled(known: Sequence[int | str], file: str) -> None:
    if known[0] == -1 and len(known) > 2:
        detail = f"{file} holds -1 beside {', '.join(map(str, known[1:6]))}: a class, or samples without a label?"
        detail += " Leave samples without a label out, or name the classes in class_names, -1 first"
        raise fault("labels_invalid", detail, file=file)


def _numbered(columns: Mapping[str, Array], known: Sequence[int | str]) -> dict[str, Labels]:
    values = np.array(known)
    order = np.argsort(values)
    return {part: order[np.searchsorted(values[order], column)].astype(np.int64) for part, column in columns.items()}


def _remarks(
    widths: set[int], values: Array, names: Sequence[str] | None, shown: tuple[str, ...], file: str
) -> tuple[str, ...]:
    """What a user may not expect."""
    if widths:
        return (f"{file} is one-hot: the class is the column of the 1, counted from 0",)
    if values.dtype.kind == "U" or names is None or len(shown) != len(values):
        return ()
    if values.tolist() == list(range(len(values))):
        return ()
    pairs = ", ".join(f"{value} is {name}" for value, name in list(zip(values.tolist(), shown, strict=True))[:5])
    return (f"class_names are taken in the order of the labels' values: {pairs}",)
