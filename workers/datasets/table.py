"""Tables of pixels as CSV, a picture a line, as Kaggle has them; read by pyarrow.csv, a piece at a time.

    label,pixel0,pixel1,…       one column a pixel, named pixel0, pixel1, … or 1x1, 1x2, …; of MNIST, signs, skin marks
    emotion,pixels,Usage        all pixels of a picture in one column, blanks between; of FER2013
    5,0,0,0,…                   without names: the first column is the label, if the others are whole numbers to 255

Pictures are square, rows one after the other, of one channel, or of three where only a third of the values is a square:
then the three values of a pixel lie together (H, W, C), which is said. The label's column is label, class, target,
emotion or y; without one the other columns are the targets of a regression, or labels of 0 and 1, see `label_columns`.
A column split or Usage, or files named train, val and test, give the split.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workers.datasets.given_answers import Answers, of_cells
from workers.datasets.given_split import PARTS
from workers.datasets.label_columns import Columns, row_answers
from workers.datasets.raw import Array, RawDataset, fault, stack_parts
from workers.datasets.scale import scale_warnings
from workers.datasets.table_shape import PLACE, picture_shape
from workers.datasets.targets import as_targets
from workers.datasets.texts import tidy

LABELS = ("label", "labels", "class", "target", "emotion", "y")
SPLITS = ("split", "usage", "subset")
USAGES = PARTS | {"publictest": "val", "privatetest": "test"}
INDEX = ("", "index", "unnamed: 0", "id", "imageid", "image_id", "row", "row_id")
ONE = ("pixels", "image", "pixel_values")
MAX_COLUMNS = 3 * 224 * 224 + 100
MIN_NAMELESS = 64
"""Pixels of a picture in a table without column names: 8 x 8; tables of fewer columns are most often no pictures."""
BLOCK = 32 * 1024**2
"""Bytes of text at a time; a line must fit in."""
MAX_VALUES = 2**30
_PIXEL = re.compile(r"(?:pixel|pix|px|p)?[ _.-]?(\d+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Columns:
    """names: of all columns. label, split: names, "" for none. pixels: names in the order of the picture.

    answers: names of several columns of answers, () where `label` is the only one.
    """

    names: tuple[str, ...]
    label: str
    split: str
    pixels: tuple[str, ...]
    others: tuple[str, ...]
    nameless: bool
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    """x: (N, P) float32, a file. labels, splits: (N,) texts. cells: (N, columns) texts of `columns.answers`."""

    file: str
    x: Array
    labels: Array
    splits: Array
    cells: Array
    columns: _Columns
    whole: bool


def read(sources: Sequence[Path], *, scratch: Path, problem: str | None = None) -> RawDataset:
    """sources: one file, or files of the parts. problem: the option. Raises InvalidDataset."""
    files = sorted(sources[0].glob("*.csv")) if len(sources) == 1 and sources[0].is_dir() else list(sources)
    if not files:
        raise fault("file_missing", f"there is no .csv file in {sources[0].name}")
    tables: list[_Table] = []
    remarks: list[str] = []
    for path in files:
        columns = _columns(path, remarks, several=len(files) > 1, problem=problem)
        if columns is not None:
            tables.append(_table(path, columns, scratch=scratch))
    tables = _answered(tables, remarks)
    found = _by_part(tables)
    files_of = {part: ", ".join(dict.fromkeys(t.file for t, _ in rows)) for part, rows in found.items()}
    whole = all(table.whole for table in tables)
    x = {part: _stacked(part, rows, scratch=scratch, whole=whole) for part, rows in found.items()}
    answers = _answers(tables, found, files_of, problem)
    first = tables[0]
    shape = picture_shape(first.x.shape[1], first.columns.pixels, file=first.file, remarks=remarks)
    order = ("train", "val", "test")
    given = {part: (_pictures(x[part], shape), answers.y[part]) for part in order if part in x}
    stacked, y, parts = stack_parts(given, file=files[0].name)
    return RawDataset(
        format="table",
        pieces=stacked,
        dtype=np.dtype(np.uint8 if whole else np.float32),
        y=y,
        class_names=answers.names,
        problem=answers.problem,
        parts=parts,
        warnings=(
            *dict.fromkeys(remarks),
            *answers.warnings,
            *scale_warnings({part: a for part, (a, _) in given.items()}, files_of),
        ),
    )


def _answered(tables: Sequence[_Table], remarks: list[str]) -> list[_Table]:
    """Without those that have no column of labels where others have one."""
    labelled = [table for table in tables if not table.columns.answers]
    if labelled:
        remarks += [_left_out(table.file) for table in tables if table.columns.answers]
    return labelled or list(tables)


def _left_out(file: str) -> str:
    return f"{file} has no column of labels ({', '.join(LABELS)}) and is left out"


def _answers(
    tables: Sequence[_Table],
    found: Mapping[str, Sequence[tuple[_Table, Array]]],
    files: Mapping[str, str],
    problem: str | None,
) -> Answers:
    """Of each part, of the one column of labels, or of several columns."""
    asked = tables[0].columns.answers
    if not asked:
        cells = {part: np.concatenate([table.labels[keep] for table, keep in rows]) for part, rows in found.items()}
        one = of_cells({part: column.tolist() for part, column in cells.items()}, files=files, asked=problem)
        return replace(one, names=(tables[0].columns.label,)) if one.problem == "regression" else one
    for table in tables:
        if table.columns.answers != asked:
            detail = (
                f"{table.file} has other columns of answers than {tables[0].file}: {', '.join(table.columns.answers)}"
            )
            raise fault("table_invalid", detail, file=table.file)
    rows = np.concatenate([table.cells[keep] for own in found.values() for table, keep in own])
    named = asked.index(tables[0].columns.label) if tables[0].columns.label else None
    columns = Columns(
        file=tables[0].file, titles=asked, cells=[rows[:, n].tolist() for n in range(len(asked))], named=named
    )
    answered = row_answers(columns, problem)
    if answered is not None and answered.broken is not None:
        raise answered.broken
    if answered is None:
        missing = f"columns of numbers, or of 0 and 1, or one of {', '.join(LABELS)}"
        detail = f"{tables[0].file} has no answers: {missing}; its other columns are {', '.join(asked[:8])}"
        raise fault("table_invalid", detail, file=tables[0].file)
    ends = np.cumsum([sum(len(keep) for _, keep in own) for own in found.values()])[:-1]
    y = dict(zip(found, np.split(answered.values, ends), strict=True))
    if answered.problem == "regression":
        y, _, _ = as_targets(y, files=files, names=answered.names)
    return Answers(problem=answered.problem, y=y, names=answered.names, warnings=answered.warnings)


def _columns(path: Path, remarks: list[str], *, several: bool, problem: str | None) -> _Columns | None:
    """What the first line says. None, with a remark, for a file without labels beside others (Kaggle's test.csv)."""
    heads = _first_line(path)
    if all(re.fullmatch(r"-?[0-9.]+(e-?\d+)?", head) for head in heads):
        return _without_names(path, heads, remarks)
    label = next((head for want in LABELS for head in heads if head.lower() == want), "")
    split = next((head for head in heads if head.lower() in SPLITS), "")
    pixels, others = _pixels(path, [head for head in heads if head not in (label, split)])
    answers = tuple(head for head in others if head.lower() not in INDEX)
    if pixels and answers and (problem in ("regression", "multilabel") or (not label and problem is None)):
        answers = (label, *answers) if label else answers
        unused = tuple(head for head in others if head not in answers)
        return _Columns(
            names=tuple(heads), label=label, split=split, pixels=pixels, others=unused, nameless=False, answers=answers
        )
    if not label and several and pixels:
        remarks.append(_left_out(path.name))
        return None
    if not label or not pixels:
        missing = "column of labels, " + ", ".join(LABELS) if not label else "columns pixel0, pixel1, … or 1x1, 1x2, …"
        detail = (
            f"{path.name} has no {missing}; its columns are {', '.join(heads[:8])}{', …' if len(heads) > 8 else ''}"
        )
        hint = "a table of features is not read: the formats are for pictures, volumes and graphs"
        raise fault("table_invalid", f"{detail}; {hint}", file=path.name)
    if others:
        remarks.append(f"columns of {path.name} that are no pixels are left out: {', '.join(others[:10])}")
    names = tuple(heads)
    return _Columns(names=names, label=label, split=split, pixels=pixels, others=others, nameless=False)


def _first_line(path: Path) -> list[str]:
    with path.open("rb") as file:
        line = file.readline(BLOCK)
    if not line.strip():
        raise fault("file_empty", f"{path.name} has no first line", file=path.name)
    try:
        heads = [head.strip().strip('"') for head in line.decode("utf-8-sig").rstrip("\r\n").split(",")]
    except UnicodeDecodeError as error:
        raise fault("text_invalid", f"{path.name} is not UTF-8 text", file=path.name) from error
    if len(heads) == 1 and (mark := next((m for m in ";\t" if m in heads[0]), "")):
        what = "semicolons" if mark == ";" else "tabs"
        raise fault("table_invalid", f"{path.name} separates its columns by {what}; commas are read", file=path.name)
    named = not all(re.fullmatch(r"-?[0-9.]+(e-?\d+)?", head) for head in heads)
    if len(heads) > MAX_COLUMNS or len(heads) < 2 or (named and len(set(heads)) < len(heads)):
        detail = f"{path.name} has {len(heads)} columns; wanted are 2 to {MAX_COLUMNS} of different names"
        raise fault("table_invalid", detail, file=path.name, allowed=MAX_COLUMNS)
    return heads


def _without_names(path: Path, heads: Sequence[str], remarks: list[str]) -> _Columns:
    if len(heads) - 1 < MIN_NAMELESS or not all(re.fullmatch(r"\d{1,3}", head) for head in heads):
        detail = (
            f"{path.name} has no line of column names, and {len(heads)} columns of numbers: write a first line, label"
        )
        raise fault("table_invalid", f"{detail},pixel0,pixel1,…", file=path.name)
    remarks.append(f"{path.name} has no line of column names: its first column is taken for the label")
    names = ("label", *(f"pixel{i}" for i in range(len(heads) - 1)))
    return _Columns(names=names, label="label", split="", pixels=names[1:], others=(), nameless=True)


def _pixels(path: Path, heads: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of pixels in the order of the picture, and the other columns."""
    if one := [head for head in heads if head.lower() in ONE]:
        return (one[0],), tuple(head for head in heads if head != one[0])
    places = {head: (int(m[1]), int(m[2])) for head in heads if (m := PLACE.fullmatch(head))}
    numbers = {head: (0, int(m[1])) for head in heads if (m := _PIXEL.fullmatch(head))}
    found = places or numbers
    ordered = sorted(found, key=lambda head: found[head])
    if numbers and not places:
        seen = [found[head][1] for head in ordered]
        if seen != list(range(seen[0], seen[0] + len(seen))) or seen[0] > 1:
            detail = (
                f"the pixels of {path.name} are not numbered from 0 or 1 without gaps: {ordered[0]} to {ordered[-1]},"
            )
            raise fault("table_invalid", f"{detail} {len(seen)} columns", file=path.name)
    return tuple(ordered), tuple(head for head in heads if head not in found)


def _table(path: Path, columns: _Columns, *, scratch: Path) -> _Table:
    """Two passes in one: values go to a growing file, labels are kept."""
    labels: list[str] = []
    splits: list[str] = []
    cells: list[list[str]] = [[] for _ in columns.answers]
    count = 0
    target = scratch / f"table-{len(list(scratch.iterdir()))}.bin"
    width, whole = 0, True
    with target.open("wb") as out:
        for batch in _batches(path, columns):
            values = _values(path, batch, columns, count)
            count += len(values)
            width = width or values.shape[1]
            if values.shape[1] != width or count * width > MAX_VALUES:
                detail = f"{path.name} holds pictures of different sizes, or more than {MAX_VALUES} values"
                raise fault("table_invalid", detail, file=path.name)
            whole = whole and bool(((values >= 0) & (values <= 255) & (values == np.floor(values))).all())
            out.write(values.tobytes())
            labels += _words(batch, columns.label) if columns.label else []
            for column, name in zip(cells, columns.answers, strict=True):
                column.extend(_words(batch, name))
            splits += _words(batch, columns.split) if columns.split else []
    if not count:
        raise fault("file_empty", f"{path.name} holds no line below the names of its columns", file=path.name)
    x = np.memmap(target, dtype=np.float32, mode="r", shape=(count, width))
    return _Table(
        file=path.name, x=x, labels=np.array(labels), splits=np.array(splits), cells=np.array(cells).T, columns=columns,
        whole=whole,
    )  # fmt: skip


def _words(batch: Any, name: str) -> list[str]:
    return ["" if value is None else tidy(value) for value in batch.column(name).to_pylist()]


def _batches(path: Path, columns: _Columns) -> Iterator[Any]:
    """Record batches. Raises `table_invalid` for uneven lines and values that are no numbers."""
    import pyarrow as pa
    from pyarrow import csv

    pa.set_memory_pool(pa.system_memory_pool())  # bounded as a whole by `ingest.limit_process`
    spread = len(columns.pixels) > 1
    texts = tuple(dict.fromkeys(name for name in (columns.label, columns.split, *columns.answers) if name))
    types = {
        **dict.fromkeys(texts, pa.string()),
        **dict.fromkeys(columns.pixels, pa.float32() if spread else pa.string()),
    }
    wanted = [*texts, *columns.pixels]
    try:
        with csv.open_csv(
            path,
            read_options=csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK,
                column_names=list(columns.names),
                skip_rows=0 if columns.nameless else 1,
            ),
            parse_options=csv.ParseOptions(newlines_in_values=False),
            convert_options=csv.ConvertOptions(column_types=types, include_columns=wanted, strings_can_be_null=False),
        ) as reader:
            yield from reader
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        detail = f"{path.name} is no table of numbers: {' '.join(str(error).split())[:250]}"
        raise fault("table_invalid", detail, file=path.name) from error


def _values(path: Path, batch: Any, columns: _Columns, before: int) -> Array:
    """(rows, P) float32. Raises for gaps and for what is no finite number."""
    if len(columns.pixels) > 1:
        found = [batch.column(name).to_numpy(zero_copy_only=False) for name in columns.pixels]
        values = np.stack(found, axis=1).astype(np.float32, copy=False)
    else:
        values = _of_texts(path, batch.column(columns.pixels[0]).to_pylist(), before)
    if not np.isfinite(values).all():
        row = before + int((~np.isfinite(values)).any(axis=1).argmax())
        raise fault(
            "values_not_finite", f"{path.name} has an empty or not finite pixel in row {row + 1}", file=path.name
        )
    return values


def _of_texts(path: Path, texts: Sequence[str], before: int) -> Array:
    rows: list[Array] = []
    for number, text in enumerate(texts, start=before + 1):
        try:
            row = np.array(text.strip("[] ").replace(",", " ").split(), dtype=np.float32)
        except ValueError as error:
            detail = f"the pixels in row {number} of {path.name} are no numbers: {str(error)[:120]}"
            raise fault("table_invalid", detail, file=path.name) from error
        if len(row) != len(rows[0] if rows else row) or not len(row):
            detail = (
                f"row {number} of {path.name} has {len(row)} pixels, the rows before {len(rows[0]) if rows else 'some'}"
            )
            raise fault("table_invalid", detail, file=path.name)
        rows.append(row)
    return np.stack(rows) if rows else np.empty((0, 1), dtype=np.float32)


def _by_part(tables: Sequence[_Table]) -> dict[str, list[tuple[_Table, Array]]]:
    """(table, rows) of each part, by the column of splits, else by the names of the files."""
    found: dict[str, list[tuple[_Table, Array]]] = {}
    for table in tables:
        if table.columns.split:
            words = [word.lower() for word in table.splits.tolist()]
            if unknown := [word for word in words if word not in USAGES]:
                detail = (
                    f"the column {table.columns.split} of {table.file} holds {unknown[0][:40]!r}, known are train, val,"
                )
                raise fault("split_unknown", f"{detail} test", file=table.file, allowed=["train", "val", "test"])
            parts = np.array([USAGES[word] for word in words])
        else:
            name = table.file.lower()
            part = "test" if "test" in name else "val" if "val" in name else "train"
            parts = np.full(len(table.x), part if len(tables) > 1 else "train")
        for part in dict.fromkeys(parts.tolist()):
            found.setdefault(part, []).append((table, np.flatnonzero(parts == part)))
    if "train" not in found:
        raise fault("images_missing", f"there are no training pictures: {', '.join(t.file for t in tables)}")
    return found


def _stacked(part: str, rows: Sequence[tuple[_Table, Array]], *, scratch: Path, whole: bool) -> Array:
    """(N, P) of one part, uint8 where all values are whole and 0 to 255."""
    widths = {table.x.shape[1] for table, _ in rows}
    if len(widths) > 1:
        raise fault(
            "shape_mismatch", f"pictures of the {part} part have {' and '.join(map(str, sorted(widths)))} values"
        )
    total, dtype = sum(len(keep) for _, keep in rows), np.uint8 if whole else np.float32
    target = scratch / f"table-{part}.npy"
    out = np.lib.format.open_memmap(target, mode="w+", dtype=dtype, shape=(total, widths.pop()))
    start = 0
    for table, keep in rows:
        for at in range(0, len(keep), 4096):
            piece = keep[at : at + 4096]
            out[start : start + len(piece)] = table.x[piece]
            start += len(piece)
    return out


def _pictures(x: Array, shape: tuple[int, int, int]) -> Array:
    """(N, P) as (N, C, H, W)."""
    return np.moveaxis(x.reshape(len(x), *shape), 3, 1)
