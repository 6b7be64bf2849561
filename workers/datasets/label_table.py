"""A table beside pictures that says the class of each, or other answers: labels.csv, train.csv and the like.

    file,label,split,patient          file: name or path, with or without its ending, known by what the column holds
    0001.png,cat,train,p17            label: the class; or one column a class, of which one is 1
    0002.png,dog,test,p03             split (may be left out): train, val or test; group (may be left out): see `groups`

Numbers and several labels a picture: see `label_columns`.

Read by Python's csv module; columns may be separated by commas, semicolons or tabulators.
"""

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from archsmith.errors import Fault, InvalidDataset
from workers.datasets.label_columns import Columns, RowAnswers, quantities_alone, row_answers, told_of_classes
from workers.datasets.layout import MAX_NAMED, Placed, split_of
from workers.datasets.raw import fault

ENDINGS = (".csv", ".tsv")
MAX_TABLE_BYTES = 64 * 1024**2
LABELS = (
    "label",
    "labels",
    "class",
    "class_name",
    "classname",
    "target",
    "category",
    "diagnosis",
    "species",
    "breed",
    "y",
)
SPLITS = ("split", "set", "subset", "partition")
GROUPS = ("group", "group_id", "patient", "patient_id", "subject", "subject_id", "video", "video_id")
_INDEX = ("", "index", "unnamed: 0", "id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """rows: as many fields as the header has columns."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, number: int) -> list[str]:
        return [row[number] for row in self.rows]

    def named(self, names: Sequence[str]) -> int | None:
        lower = [title.lower().replace(" ", "_") for title in self.header]
        return next((lower.index(name) for name in names if name in lower), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """What a table says. placed: with part "" where it has no split. labels: whether it has answers at all.

    groups: by number of the picture, {} without such a column; group_column: its title.
    answers: None for classes, which `placed` has; else their values are by number of the picture in `values`.
    """

    name: str
    placed: tuple[Placed, ...]
    labels: bool
    split: bool
    groups: dict[int, str]
    group_column: str
    warnings: tuple[str, ...]
    answers: RowAnswers | None = None
    values: Mapping[int, tuple[float, ...]] = field(default_factory=dict)


def parse(name: str, content: bytes) -> Table | None:
    """None for what is no table of two columns and a row. Raises `text_invalid`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise fault("text_invalid", f"{name} is not UTF-8 text: byte {error.start}", file=name) from error
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(line)]
    except csv.Error as error:
        raise fault("text_invalid", f"{name} is no table that can be read: {error}", file=name) from error
    if len(lines) < 2 or len(lines[0]) < 2:
        return None
    header = tuple(_clean(title) for title in lines[0])
    wrong = next((number for number, line in enumerate(lines) if len(line) != len(header)), None)
    if wrong is not None:
        detail = f"{name} has {len(header)} columns, but {len(lines[wrong])} in row {wrong + 1}"
        raise fault("columns_invalid", detail, file=name)
    return Table(name=name, header=header, rows=tuple(tuple(_clean(value) for value in line) for line in lines[1:]))


def _clean(value: str) -> str:
    return unicodedata.normalize("NFC", value).strip()


class Names:
    """Pictures by the names that a table may use: any end of the path, with or without the file's ending."""

    def __init__(self, paths: Sequence[tuple[str, ...]]) -> None:
        self.paths = paths
        self._by_name: dict[str, list[int]] = {}
        for number, parts in enumerate(paths):
            stem = PurePosixPath(parts[-1]).stem
            for start in range(len(parts)):
                folders = parts[start:-1]
                for last in {parts[-1], stem}:
                    self._by_name.setdefault("/".join((*folders, last)), []).append(number)

    def find(self, value: str) -> list[int]:
        return self._by_name.get(value.replace("\\", "/").removeprefix("./").strip("/"), [])


def read_table(table: Table, names: Names, problem: str | None = None) -> Labelled | None:
    """None for a table that is not about the pictures. Raises InvalidDataset for one that is and contradicts itself.

    problem: the option.
    """
    column = _file_column(table, names)
    if column is None:
        return None
    columns = _answer_columns(table, column)
    answers = None if not columns.titles else row_answers(columns, problem)
    labels, warnings = _row_labels(table, column, columns, answers, problem)
    split, group = table.named(SPLITS), table.named(GROUPS)
    placed: dict[int, Placed] = {}
    rows: dict[int, int] = {}
    groups: dict[int, str] = {}
    faults: list[Fault] = []
    absent: list[str] = []
    for row, value in enumerate(table.column(column)):
        found = names.find(value)
        label = labels[row] if labels else ""
        if len(found) == 1:
            one = Placed(number=found[0], part=table.rows[row][split] if split is not None else "", label=label)
            if placed.get(one.number, one) != one:
                faults += _fault(table, row, f"{value} is listed twice, with different classes or splits")
            placed[one.number] = one
            rows[one.number] = row
            if group is not None:
                groups[one.number] = table.rows[row][group]
        elif found:
            faults += _fault(table, row, f"{value} may be {' or '.join('/'.join(names.paths[n]) for n in found[:2])}")
        else:
            absent.append(value)
    if not faults and len(absent) >= max(3, len(table.rows) / 100):
        detail = f"{table.name} lists {len(absent)} pictures that are not there, among them {', '.join(absent[:3])}"
        faults += fault("file_missing", detail, file=table.name).faults
    if faults:
        raise InvalidDataset(faults[:MAX_NAMED])
    if absent:
        warnings.append(f"{table.name} lists pictures that are not there: {', '.join(absent)}")
    without = sum(not p.label for p in placed.values()) if labels else 0
    if without:
        warnings.append(f"{without} pictures have no class in {table.name} and are left out")
    return Labelled(
        name=table.name,
        placed=tuple(_with_part(table, p) for p in placed.values() if p.label or not labels),
        labels=labels is not None,
        split=split is not None,
        groups=groups,
        group_column="" if group is None else table.header[group],
        warnings=tuple(warnings),
        answers=answers,
        values={} if answers is None else {number: tuple(answers.values[row].tolist()) for number, row in rows.items()},
    )


def _row_labels(
    table: Table, file_column: int, columns: Columns, answers: RowAnswers | None, problem: str | None
) -> tuple[list[str] | None, list[str]]:
    """As `_labels`; of other answers a text each, equal for equal answers, by which rows are compared."""
    if answers is not None:
        return [" ".join(map(repr, row)) for row in answers.values.tolist()], list(answers.warnings)
    if problem is not None and (said := quantities_alone(columns)):
        return None, [said]
    labels, warnings = _labels(table, file_column)
    told = told_of_classes(columns, labels) if labels and problem is None else ()
    return labels, [*warnings, *told]


def _answer_columns(table: Table, file_column: int) -> Columns:
    """Without those of files, splits, groups and row numbers."""
    named = table.named(LABELS)
    known = {file_column, table.named(SPLITS), table.named(GROUPS)}
    others = [n for n, title in enumerate(table.header) if n not in known and title.lower() not in _INDEX]
    return Columns(
        file=table.name,
        titles=[table.header[n] for n in others],
        cells=[table.column(n) for n in others],
        named=others.index(named) if named in others else None,
    )


def _fault(table: Table, row: int, detail: str) -> tuple[Fault, ...]:
    return fault("table_invalid", f"{table.name}, row {row + 2}: {detail}", file=table.name).faults


def _file_column(table: Table, names: Names) -> int | None:
    """The column that names most pictures, if it names half of them or half of its rows do."""
    counts = [
        len({found[0] for value in set(table.column(column)) if (found := names.find(value))})
        for column in range(len(table.header))
    ]
    best = max(range(len(counts)), key=counts.__getitem__)
    return best if counts[best] and 2 * counts[best] >= min(len(table.rows), len(names.paths)) else None


def _with_part(table: Table, placed: Placed) -> Placed:
    if not placed.part:
        return placed
    part = split_of(placed.part)
    if part is None:
        detail = f"{table.name} has the split {placed.part!r}; known are train, val and test"
        raise fault("table_invalid", detail, file=table.name, allowed=["train", "val", "test"])
    return Placed(number=placed.number, part=part, label=placed.label)


def _labels(table: Table, file_column: int) -> tuple[list[str] | None, list[str]]:
    """The class in each row, "" where it is empty; None where the table names no classes. And warnings."""
    column = table.named(LABELS)
    known = {file_column, table.named(SPLITS), table.named(GROUPS)}
    others = [n for n, title in enumerate(table.header) if n not in known and title.lower() not in _INDEX]
    if column is None and len(others) == 1:
        column = others[0]
    if column is not None and column != file_column:
        return _as_names(table, column), []
    if len(others) > 1 and all(set(table.column(n)) <= {"0", "1", "0.0", "1.0"} for n in others):
        return _one_hot(table, others)
    if not others:
        return None, []
    shown = ", ".join(table.header[n] for n in others[:6])
    return None, [f"{table.name} does not say which column is the class ({shown}): name it label to use the table"]


def _as_names(table: Table, column: int) -> list[str]:
    """Whole numbers written as 3.0 are 3. Raises `label_not_class` for other decimal fractions."""
    values = table.column(column)
    try:
        numbers = [float(value) if value else 0.0 for value in values]
    except ValueError:
        return values
    if all(number.is_integer() for number in numbers):
        return [str(int(n)) if value else "" for n, value in zip(numbers, values, strict=True)]
    row = next(n for n, number in enumerate(numbers) if not number.is_integer())
    detail = (
        f"{table.name}, row {row + 2}: {table.header[column]} is {values[row]}, which is no class but a quantity; "
        "--problem regression reads quantities"
    )
    raise fault("label_not_class", detail, file=table.name)


def _one_hot(table: Table, columns: Sequence[int]) -> tuple[list[str], list[str]]:
    labels = []
    for row, values in enumerate(table.rows):
        marked = [n for n in columns if float(values[n]) == 1]
        if len(marked) != 1:
            detail = f"{len(marked)} of the columns {table.header[columns[0]]} … are 1; one class a picture is wanted"
            raise InvalidDataset(_fault(table, row, detail))
        labels.append(table.header[marked[0]])
    return labels, [f"the classes are the columns of {table.name}, of which one is 1 in each row"]


def in_order(names: set[str]) -> tuple[str, ...]:
    """Numbers by value, else by name."""
    try:
        return tuple(sorted(names, key=int))
    except ValueError:
        return tuple(sorted(names))


def agrees(table: Sequence[Placed], folders: Sequence[Placed]) -> bool:
    """Whether both make the same classes under perhaps other names."""
    labels = {p.number: p.label for p in folders}
    pairs = Counter((labels[p.number], p.label) for p in table if p.number in labels)
    return len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
