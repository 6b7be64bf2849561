"""Several labels a sample: (N, K) of 0 and 1, or texts that list the labels of a sample."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from workers.datasets.labels import class_order, one_hot_shape
from workers.datasets.named import MAX_NAME
from workers.datasets.raw import MAX_CLASSES, Array, fault
from workers.datasets.targets import Found, pieces
from workers.datasets.texts import as_texts, tidy
from workers.datasets.unsuitable import unsuitable

SURE = ("|", ";")
"""Between labels: these are hardly part of a name, as commas and blanks are."""
SEPARATORS = (*SURE, ",", " ")


def as_labels(found: Mapping[str, Array], *, files: Mapping[str, str], names: Sequence[str] | None = None) -> Found:
    """found: (N, K) of 0 and 1, or of -1 and 1; or texts (N,), see `of_texts`. Raises InvalidDataset."""
    first = next(iter(files.values()))
    if any(y.dtype.kind in "US" for y in found.values()):
        return _of_words(found, files, names)
    for part, y in found.items():
        if not one_hot_shape(y) or not are_marks(y):
            what = f"{files[part]} is {y.dtype} of shape {y.shape}"
            cure = "give (N, K) of 0 and 1, a column a label, or texts such as cat;dog"
            raise unsuitable("multilabel", f"{what}, not 0 and 1 for each label", cure=cure)
    if len(widths := {y.shape[1] for y in found.values()}) > 1:
        detail = f"the parts have {' and '.join(map(str, sorted(widths)))} labels"
        raise fault("shape_mismatch", detail, file=first)
    width = widths.pop()
    if names is not None and len(names) != width:
        detail = f"{first} has {width} columns, one a label, and there are {len(names)} class_names"
        raise fault("labels_invalid", detail, file=first, allowed=width)
    signs = any((np.asarray(y[rows]) < 0).any() for y in found.values() for rows in pieces(y) if y.dtype.kind in "if")
    shown = tuple(names) if names is not None else tuple(map(str, range(width)))
    told = (f"{first} holds -1 and 1: -1 is read as a label that a sample does not have",) if signs else ()
    return {part: (np.asarray(y) > 0).astype(np.uint8) for part, y in found.items()}, shown, told


def are_marks(y: Array) -> bool:
    """Whether all are 0 and 1, or all are -1 and 1."""
    values = set().union(*(np.unique(np.asarray(y[rows])).tolist() for rows in pieces(y)))
    return values <= {0, 1} or values <= {-1, 1}


def are_one_hot(y: Array) -> bool:
    """Whether each row is one 1 and otherwise 0. y: for which `are_marks`."""
    return all(
        bool((piece >= 0).all() and (piece.sum(axis=1, dtype=np.int64) == 1).all())
        for piece in (np.asarray(y[rows]) for rows in pieces(y))
    )


def _of_words(found: Mapping[str, Array], files: Mapping[str, str], names: Sequence[str] | None) -> Found:
    first = next(iter(files.values()))
    cells = {part: as_texts(y.reshape(-1), file=files[part]) for part, y in found.items()}
    y, shown, told = of_texts([cell for part in cells.values() for cell in part], file=first, names=names)
    ends = np.cumsum([len(part) for part in cells.values()])[:-1]
    return dict(zip(cells, np.split(y, ends), strict=True)), shown, told


def of_texts(
    cells: Sequence[str], *, file: str, names: Sequence[str] | None = None
) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:
    """(N, K) uint8 of texts such as "cat|dog", "cat" and "", the labels in the order of classes, and remarks.

    Labels stand between the first of SEPARATORS that occurs anywhere. An empty text is a sample without a label.
    """
    mark = separator(cells)
    split = [parts_of(cell, mark) for cell in cells]
    found = class_order(sorted({label for labels in split for label in labels}))
    known = found if names is None else list(names)
    if strange := [label for label in found if label not in known]:
        detail = f"{file} holds the label {strange[0][:80]!r}, which class_names does not list"
        raise fault("labels_invalid", detail, file=file)
    check_names(known, file)
    place = {label: number for number, label in enumerate(known)}
    y = np.zeros((len(cells), len(known)), dtype=np.uint8)
    for row, labels in enumerate(split):
        y[row, [place[label] for label in labels]] = 1
    between = {" ": "blanks", ",": "commas"}.get(mark, repr(mark))
    told = [f"{len(known)} labels of {file} are read, which {between} separate" if mark else f"{file}: one label each"]
    if empty := sum(not labels for labels in split):
        told.append(f"{empty} samples have no label in {file}: they are read as having none of the labels")
    return y, tuple(known), tuple(told)


def check_names(names: Sequence[str], file: str) -> None:
    shown = {name[:MAX_NAME] for name in names}
    if len(names) > MAX_CLASSES or len(names) < 2 or len(shown) < len(names):
        detail = f"{file} holds {len(names)} different labels: 2 to {MAX_CLASSES} are accepted"
        detail += f", which differ in {MAX_NAME} characters"
        raise fault("labels_invalid", detail, file=file, allowed=[2, MAX_CLASSES])


def check_varied(y: Array, file: str) -> None:
    """Raises `too_few_classes` where no label is on some samples and off on others. y: (N, K)."""
    if ((y == y[0]).all(axis=0)).all():
        detail = f"{file}: no label is on some samples and off on others: there is nothing to learn"
        raise fault("too_few_classes", detail, file=file)


def separator(cells: Sequence[str], among: Sequence[str] = SEPARATORS) -> str:
    """The first of `among` that stands between texts in any cell, "" for none."""
    return next((mark for mark in among if any(len(parts_of(cell, mark)) > 1 for cell in cells)), "")


def parts_of(cell: str, mark: str) -> list[str]:
    """The different labels of a cell."""
    return list(dict.fromkeys(label for part in (cell.split(mark) if mark else [cell]) if (label := tidy(part))))


def look_combined(cells: Sequence[str], mark: str) -> bool:
    """Whether cells are combinations of labels: split at `mark` there are fewer different texts than before."""
    if not mark:
        return False
    whole = set(cells) - {""}
    split = Counter(label for cell in whole for label in parts_of(cell, mark))
    return len(split) < len(whole)
