"""Columns of a table beside pictures that are no classes: numbers of a regression, or several labels a picture.

    file,age              file,x1,y1,x2        file,cat,dog,indoors      file,labels
    a.png,31.5            a.png,3.5,7,12       a.png,1,0,1               a.png,cat|indoors
    b.png,64              b.png,4,7.25,11      b.png,0,0,0               b.png,

One column of numbers of which some are not whole, several columns of numbers, several columns of 0 and 1, or texts with
labels between "|", ";", commas or blanks. Without the option `problem` the last two of these separators are no reason
to see several labels in a text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archsmith.errors import InvalidDataset
from workers.datasets import many_labels, targets
from workers.datasets.given_answers import OTHERWISE, quantities_told
from workers.datasets.raw import Array, fault
from workers.datasets.text_numbers import has_fraction, numbers_of
from workers.datasets.unsuitable import unsuitable

NAMED, ALONE, MANY = "named", "alone", "many"
"""How sure a table is: its column has a name for answers; it is the only other one; there are several."""
_MARKS = frozenset({"0", "1", "0.0", "1.0"})
_SIGNS = frozenset({"-1", "1", "-1.0", "1.0"})
_ORDER_ONLY = ("y",)
"""A name of an answer, but a coordinate beside a column x."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Of a table, without those of files, splits and groups. named: number of the column of answers, or None.

    first: the number of the first row for messages: line 2 of a file whose line 1 has the titles.
    """

    file: str
    titles: Sequence[str]
    cells: Sequence[Sequence[str]]
    named: int | None = None
    first: int = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class RowAnswers:
    """values: (rows, K), of regression float64, of multilabel 0 and 1. names: of the K columns.

    broken: what is wrong with the values, for who uses them, since a table that is not sure may be about other things.
    """

    problem: str
    names: tuple[str, ...]
    values: Array
    sure: str
    warnings: tuple[str, ...] = ()
    broken: InvalidDataset | None = None


def row_answers(columns: Columns, asked: str | None) -> RowAnswers | None:
    """None for a table of classes, and one without answers. asked: the option `problem`. Raises InvalidDataset."""
    if asked in ("classification", "ordinal", "segmentation"):
        return None
    if asked == "regression":
        return _numbers_asked(columns)
    if asked == "multilabel":
        return _labels_asked(columns)
    one = columns.named if columns.named is not None else 0 if len(columns.titles) == 1 else None
    if one is not None:
        return _of_one(columns, one, NAMED if columns.named is not None else ALONE)
    return _of_several(columns)


def told_of_classes(columns: Columns, cells: Sequence[str]) -> tuple[str, ...]:
    """Warnings about texts or whole numbers that are read as classes and look like something else."""
    values = numbers_of(cells)
    if values is not None:
        kinds, times = np.unique(values[np.isfinite(values)], return_counts=True)
        return quantities_told(columns.file, times, kinds.min(), kinds.max())
    mark = many_labels.separator(cells, (",", " "))
    if not many_labels.look_combined(cells, mark):
        return ()
    whole = set(cells) - {""}
    parts = {label for cell in whole for label in many_labels.parts_of(cell, mark)}
    if not parts & whole and len(whole) <= 2 * len(parts):
        return ()
    example = next(cell for cell in cells if len(many_labels.parts_of(cell, mark)) > 1)
    said = f"{columns.file}: texts such as {example[:60]!r} are read as one class each"
    return (f"{said}; if they list several labels, give --problem multilabel",)


def quantities_alone(columns: Columns) -> str:
    """Why the only column of a table, which has no name of answers, is none of classes; "" where it may be."""
    values = numbers_of(columns.cells[0]) if len(columns.titles) == 1 and columns.named is None else None
    if values is None or not has_fraction(values):
        return ""
    return f"the column {columns.titles[0]} of {columns.file} holds numbers that are not whole, so no classes"


# ---- one column


def _of_one(columns: Columns, one: int, sure: str) -> RowAnswers | None:
    cells = columns.cells[one]
    values = numbers_of(cells)
    if values is not None:
        if not has_fraction(values):
            return None
        why = f"the column {columns.titles[one]} of {columns.file} holds numbers that are not whole"
        return _numbers(columns, [one], sure, f"{why}: read as regression; {OTHERWISE}")
    mark = many_labels.separator(cells, many_labels.SURE)
    if not many_labels.look_combined(cells, mark):
        return None
    why = f"the column {columns.titles[one]} of {columns.file} lists several labels, with {mark!r} between"
    return _texts(columns, one, sure, f"{why}: read as multilabel; {OTHERWISE}")


# ---- several columns


def _of_several(columns: Columns) -> RowAnswers | None:
    if len(columns.titles) < 2:
        return None
    if all(map(_are_marks, columns.cells)):
        marks = _marks(columns, range(len(columns.titles)))
        if (marks.sum(axis=1) == 1).all():
            return None
        why = f"the columns of {columns.file} hold 0 and 1 (or -1), and not one 1 in each row"
        return _marked(columns, range(len(columns.titles)), ALONE, f"{why}: read as multilabel; {OTHERWISE}")
    values = [numbers_of(cells) for cells in columns.cells]
    if any(found is None for found in values) or not any(has_fraction(v) for v in values if v is not None):
        return None
    listed = ", ".join(columns.titles[:6])
    why = f"the columns of {columns.file} hold numbers ({listed})"
    return _numbers(columns, range(len(columns.titles)), MANY, f"{why}: read as regression; {OTHERWISE}")


# ---- as asked for


def _numbers_asked(columns: Columns) -> RowAnswers:
    named = columns.named
    if named is not None and columns.titles[named].lower() in _ORDER_ONLY and "x" in map(str.lower, columns.titles):
        named = None
    wanted = [named] if named is not None else range(len(columns.titles))
    numbers = [number for number in wanted if numbers_of(columns.cells[number]) is not None]
    if not numbers:
        shown = ", ".join(columns.titles[number] for number in list(wanted)[:6]) or "none"
        word = next((cell for number in wanted for cell in columns.cells[number] if numbers_of([cell]) is None), "")
        detail = f"no column of {columns.file} holds numbers (of {shown})" + (
            f": {word[:40]!r} is none" if word else ""
        )
        raise unsuitable("regression", detail, others=("classification",))
    others = [title for number, title in enumerate(columns.titles) if number not in numbers]
    told = f"the targets are {', '.join(columns.titles[number] for number in numbers[:10])} of {columns.file}"
    return _numbers(columns, numbers, NAMED, told + (f"; not used: {', '.join(others[:10])}" if others else ""))


def _labels_asked(columns: Columns) -> RowAnswers:
    marks = [number for number, cells in enumerate(columns.cells) if _are_marks(cells)]
    if columns.named is not None and not (columns.named in marks and len(marks) > 1):
        return _texts(columns, columns.named, NAMED, "")
    if len(marks) > 1:
        others = [title for number, title in enumerate(columns.titles) if number not in marks]
        told = f"not used of {columns.file}: {', '.join(others[:10])}" if others else ""
        return _marked(columns, marks, NAMED, told)
    if len(columns.titles) == 1:
        return _texts(columns, 0, NAMED, "")
    detail = f"{columns.file} has neither columns of 0 and 1 nor one column label (but {', '.join(columns.titles[:6])})"
    raise unsuitable("multilabel", detail, others=("classification",))


# ---- values


def _numbers(columns: Columns, numbers: Sequence[int], sure: str, told: str) -> RowAnswers:
    found = [numbers_of(columns.cells[number]) for number in numbers]
    values = np.stack([column for column in found if column is not None], axis=1)
    names = targets.checked_names([columns.titles[number] for number in numbers], columns.file)
    missing = np.flatnonzero(~np.isfinite(values).all(axis=1))
    broken = None
    if len(missing):
        lines = [int(row) + columns.first for row in missing[: targets.MAX_ROWS_NAMED]]
        where = "" if len(numbers) > 1 else f" in the column {names[0]}"
        detail = f"{columns.file}{where} {targets.without_number(lines, len(missing), noun='row')}"
        broken = fault("values_not_finite", detail, file=columns.file)
    warnings = (told,) if told else ()
    return RowAnswers(problem="regression", names=names, values=values, sure=sure, warnings=warnings, broken=broken)


def _marked(columns: Columns, numbers: Sequence[int], sure: str, told: str) -> RowAnswers:
    names = tuple(columns.titles[number] for number in numbers)
    many_labels.check_names(names, columns.file)
    values = _marks(columns, numbers).astype(np.uint8)
    many_labels.check_varied(values, columns.file)
    return RowAnswers(problem="multilabel", names=names, values=values, sure=sure, warnings=(told,) if told else ())


def _marks(columns: Columns, numbers: Sequence[int]) -> Array:
    """(rows, n) of 0 and 1; -1 is 0."""
    return np.stack([np.array([float(cell) > 0 for cell in columns.cells[number]]) for number in numbers], axis=1)


def _are_marks(cells: Sequence[str]) -> bool:
    """Whether all are 0 and 1, or all are -1 and 1."""
    return set(cells) <= _MARKS or set(cells) <= _SIGNS


def _texts(columns: Columns, one: int, sure: str, told: str) -> RowAnswers:
    values, names, said = many_labels.of_texts(columns.cells[one], file=columns.file)
    many_labels.check_varied(values, columns.file)
    warnings = (told, *said) if told else said
    return RowAnswers(problem="multilabel", names=names, values=values, sure=sure, warnings=warnings)
