"""Tables of series as text, a series of one channel a line; read by pyarrow.csv, a piece at a time.

    label,t0,t1,…    with names: the column of labels is called as in `table`, the steps are columns named alike with
                     numbers, in the order of the numbers; without such names, all other columns as they stand
    1,0.5,0.7,…      without names: the first or the last column is the label, whichever alone holds a few whole numbers
                     or words, at least two of them, that come back
    1⇥0.5⇥0.7⇥…      the same with tabs, as in the UCR archive: NAME_TRAIN.tsv and NAME_TEST.tsv, where it is the first

A column split or Usage, or files named train, val and test, give the split. All series have one length.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from workers.datasets.files import find
from workers.datasets.given_answers import as_answers
from workers.datasets.raw import Array, RawDataset, fault, stack_parts
from workers.datasets.scale import scale_warnings
from workers.datasets.series_axes import MAX_STEPS
from workers.datasets.table import BLOCK, LABELS, MAX_VALUES, SPLITS, USAGES
from workers.datasets.texts import tidy

ENDINGS = (".csv", ".tsv", ".txt")
LOOKED_AT = 500
"""Lines from which the column of labels is told, where columns have no names."""
CURE = "write a first line of names: label,t0,t1,…"
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_UCR = re.compile(r"_(TRAIN|TEST)\.(tsv|txt)$")
"""Files of the UCR archive, whose first column is the label."""
_NUMBERED = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """names: of all columns. label, split: names, perhaps "". steps: names in the order of time.

    skipped: lines before the first series.
    """

    names: tuple[str, ...]
    label: str
    split: str
    steps: tuple[str, ...]
    skipped: int
    separator: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    """x: (N, T) float32, a file. labels, parts: (N,) texts; part "" where the table does not say it."""

    file: str
    x: Array
    labels: Array
    parts: Array
    whole: bool


def read(sources: Sequence[Path], *, scratch: Path, problem: str | None = None) -> RawDataset:
    """sources: one file, files of the parts, their folder, or a zip archive of them. problem: the option.

    Raises InvalidDataset.
    """
    files, ignored = _files(sources, scratch=scratch)
    remarks: list[str] = []
    tables: list[_Table] = []
    for path in files:
        columns = columns_of(path, remarks)
        if columns.label:
            tables.append(_table(path, columns, scratch=scratch))
        elif len(files) == 1:
            raise _unlabelled(path, columns)
        else:
            remarks.append(f"{path.name} has no column of labels ({', '.join(LABELS)}) and is left out")
    found = _by_part(tables)
    named = {part: ", ".join(dict.fromkeys(t.file for t, _ in rows)) for part, rows in found.items()}
    labels = {part: np.concatenate([table.labels[keep] for table, keep in rows]) for part, rows in found.items()}
    answers = as_answers(_by_value(labels), files=named, asked=problem)
    whole = all(table.whole for table in tables)
    pieces = {part: _joined(part, rows, scratch=scratch, whole=whole)[:, None] for part, rows in found.items()}
    stacked, y, parts = stack_parts({part: (x, answers.y[part]) for part, x in pieces.items()}, file=files[0].name)
    return RawDataset(
        format="table",
        pieces=stacked,
        dtype=np.dtype(np.uint8 if whole else np.float32),
        y=y,
        class_names=answers.names,
        problem=answers.problem,
        parts=parts,
        ignored=ignored,
        warnings=(*dict.fromkeys([*remarks, *answers.warnings]), *scale_warnings(pieces, named)),
    )


def rows(path: Path, *, steps: int, scratch: Path) -> Array:
    """(N, 1, steps) float32: the series of a table with or without labels. Raises InvalidDataset."""
    columns = columns_of(path, [], steps=steps)
    if len(columns.steps) != steps:
        detail = f"{path.name} holds series of {len(columns.steps)} steps, {steps} are wanted"
        raise fault("shape_mismatch", detail, file=path.name, allowed=steps)
    return _table(path, columns, scratch=scratch).x[:, None]


def _by_value(labels: Mapping[str, Array]) -> dict[str, Array]:
    """Labels that are numbers, all of them, as numbers: 1, 1.0 and 01 are one class, as in an array."""
    if all(_NUMBER.fullmatch(word) for words in labels.values() for word in np.unique(words).tolist()):
        return {part: words.astype(np.float64) for part, words in labels.items()}
    return dict(labels)


def _files(sources: Sequence[Path], *, scratch: Path) -> tuple[list[Path], tuple[str, ...]]:
    """The tables, under their own names, and the names of the other files."""

    def wanted(name: str) -> bool:
        return name.lower().endswith(ENDINGS) and not name.lower().startswith(("readme", "."))

    found, ignored = find(sources, wanted, scratch=scratch)
    if not found:
        raise fault(
            "file_missing", f"there is no {', '.join(ENDINGS)} file, only {', '.join(ignored[:10]) or 'nothing'}"
        )
    if all(path.name == name for name, path in found.items()):
        return list(found.values()), ignored
    folder = scratch / "tables"  # from an archive, in whose place they have numbers
    folder.mkdir()
    return [path.rename(folder / name) for name, path in sorted(found.items())], ignored


def _unlabelled(path: Path, columns: Columns) -> Exception:
    heads = ", ".join(columns.names[:8]) + (", …" if len(columns.names) > 8 else "")
    detail = f"{path.name} has no column of labels, {', '.join(LABELS)}; its columns are {heads}"
    return fault("table_invalid", detail, file=path.name)


# ---- columns


def columns_of(path: Path, remarks: list[str], *, steps: int = 0) -> Columns:
    """What the first lines say. steps: how many there must be, where that is known. Raises InvalidDataset."""
    lines = _first_lines(path)
    separator = "\t" if "\t" in lines[0] else ","
    cells = [[cell.strip().strip('"') for cell in line.split(separator)] for line in lines]
    heads = cells[0]
    if len(heads) < 2 or len(heads) > MAX_STEPS + 100:
        detail = (
            f"{path.name} has {len(heads)} columns, separated by commas or tabs; wanted are 2 to {MAX_STEPS + 100:,}"
        )
        raise fault("table_invalid", detail, file=path.name, allowed=MAX_STEPS)
    if (skipped := _before(cells)) is not None:
        return _without_names(path, cells[skipped:], remarks, skipped=skipped, separator=separator, steps=steps)
    if len(set(heads)) < len(heads):
        raise fault("table_invalid", f"{path.name} has several columns of one name", file=path.name)
    label = next((head for want in LABELS for head in heads if head.lower() == want), "")
    split = next((head for head in heads if head.lower() in SPLITS), "")
    others = [head for head in heads if head not in (label, split)]
    chosen = _steps(path, others, remarks)
    return Columns(names=tuple(heads), label=label, split=split, steps=chosen, skipped=1, separator=separator)


def _before(cells: Sequence[Sequence[str]]) -> int | None:
    """Lines before the first series of a table without names: 0, or 1 that counts the columns; None with names."""
    heads = cells[0]
    words = [place for place, head in enumerate(heads) if not _NUMBER.fullmatch(head)]
    if not words:
        counted = [str(number) for number in range(int(float(heads[0])), int(float(heads[0])) + len(heads))]
        return int(list(heads) == counted)
    if len(words) > 1 or heads[words[0]].lower() in LABELS:
        return None
    below = [row[words[0]] for row in cells[1:] if len(row) == len(heads)]
    return None if all(_NUMBER.fullmatch(value) for value in below) else 0  # a label that is a word, or a name


def _first_lines(path: Path) -> list[str]:
    with path.open("rb") as file:
        raw = [line for line in islice(iter(lambda: file.readline(BLOCK), b""), LOOKED_AT) if line.strip()]
    if not raw:
        raise fault("file_empty", f"{path.name} has no first line", file=path.name)
    try:
        return [line.decode("utf-8-sig").rstrip("\r\n") for line in raw]
    except UnicodeDecodeError as error:
        raise fault("text_invalid", f"{path.name} is not UTF-8 text", file=path.name) from error


def _steps(path: Path, heads: Sequence[str], remarks: list[str]) -> tuple[str, ...]:
    """The columns of steps in their order."""
    numbered: dict[str, dict[int, str]] = {}
    for head in heads:
        if match := _NUMBERED.fullmatch(head):
            numbered.setdefault(match[1], {})[int(match[2])] = head
    groups = sorted(numbered.values(), key=len, reverse=True)
    if len(groups) > 1 and len(groups[0]) == len(groups[1]) > 1:
        first, second = (next(iter(group.values())) for group in groups[:2])
        detail = f"{path.name} has several channels, as {first} and {second} begin; channels are read from arrays"
        raise fault("table_invalid", f"{detail} (N, C, T): .npz, .npy, HDF5 or MATLAB", file=path.name)
    if not heads:
        raise fault("table_invalid", f"{path.name} has no columns of steps", file=path.name)
    if not groups or len(groups[0]) < max(2, len(heads) // 2):
        remarks.append(f"the columns {heads[0]} to {heads[-1]} of {path.name} are taken for steps as they stand")
        return tuple(heads)
    chosen = [groups[0][number] for number in sorted(groups[0])]
    gaps = np.diff(sorted(groups[0]))
    if len(set(gaps.tolist())) > 1:
        detail = f"the steps of {path.name} are not numbered evenly: {chosen[0]} to {chosen[-1]}, {len(chosen)} columns"
        raise fault("table_invalid", detail, file=path.name)
    kept = set(chosen)
    if others := [head for head in heads if head not in kept]:
        remarks.append(f"columns of {path.name} that are no steps are left out: {', '.join(others[:10])}")
    return tuple(chosen)


def _without_names(
    path: Path, cells: Sequence[Sequence[str]], remarks: list[str], *, skipped: int, separator: str, steps: int
) -> Columns:
    if not cells:
        raise fault("file_empty", f"{path.name} holds no series", file=path.name)
    count = len(cells[0])
    names = tuple(f"column {number}" for number in range(1, count + 1))
    ends = [place for place in (0, count - 1) if _labels([row[place] for row in cells if len(row) == count])]
    if steps == count:  # known to be series alone
        return Columns(names=names, label="", split="", steps=names, skipped=skipped, separator=separator)
    if steps and count not in (steps, steps + 1):
        raise fault("shape_mismatch", f"{path.name} has {count} values a line, {steps} are wanted", file=path.name)
    if len(ends) == 2 and _UCR.search(path.name):
        ends = ends[:1]
    if len(ends) != 1:
        which = "both its first and its last column" if ends else "neither its first nor its last column"
        detail = f"{path.name} has no line of column names, and {which} could be labels; {CURE}"
        raise fault("table_invalid", detail, file=path.name)
    where = "first" if ends[0] == 0 else "last"
    remarks.append(f"{path.name} has no line of column names: its {where} column is taken for the label")
    label = names[ends[0]]
    rest = tuple(name for name in names if name != label)
    return Columns(names=names, label=label, split="", steps=rest, skipped=skipped, separator=separator)


def _labels(values: Sequence[str]) -> bool:
    """Whether these may be labels: words or whole numbers, at least two, of which most come back."""
    whole = all(not _NUMBER.fullmatch(value) or float(value).is_integer() for value in values)
    counts = Counter(values)
    return whole and 2 <= len(counts) <= max(2, len(values) // 2) and "" not in counts


# ---- values


def _table(path: Path, columns: Columns, *, scratch: Path) -> _Table:
    """Values go to a growing file, labels are kept."""
    labels: list[str] = []
    parts: list[str] = []
    target = scratch / f"series-{len(list(scratch.iterdir()))}.bin"
    count, width, whole = 0, len(columns.steps), True
    with target.open("wb") as out:
        for batch in _batches(path, columns):
            values = _values(path, batch, columns, count)
            count += len(values)
            if count * width > MAX_VALUES:
                raise fault("table_invalid", f"{path.name} holds more than {MAX_VALUES} values", file=path.name)
            whole = whole and bool(((values >= 0) & (values <= 255) & (values == np.floor(values))).all())
            out.write(values.tobytes())
            labels += _words(batch, columns.label)
            parts += _words(batch, columns.split)
    if not count:
        raise fault("file_empty", f"{path.name} holds no series", file=path.name)
    x = np.memmap(target, dtype=np.float32, mode="r", shape=(count, width))
    parts = parts or [""] * count
    return _Table(file=path.name, x=x, labels=np.array(labels), parts=_parts(path, columns.split, parts), whole=whole)


def _words(batch: Any, name: str) -> list[str]:
    return ["" if value is None else tidy(value) for value in batch.column(name).to_pylist()] if name else []


def _parts(path: Path, column: str, words: Sequence[str]) -> Array:
    unknown = [word for word in words if word and word.lower() not in USAGES]
    if column and (unknown or "" in words):
        odd = unknown[0][:40] if unknown else ""
        detail = f"the column {column} of {path.name} holds {odd!r}, known are train, val, test"
        raise fault("split_unknown", detail, file=path.name, allowed=["train", "val", "test"])
    return np.array([USAGES[word.lower()] if word else "" for word in words])


def _batches(path: Path, columns: Columns) -> Iterator[Any]:
    """Record batches. Raises `table_invalid` for uneven lines and values that are no numbers."""
    import pyarrow as pa
    from pyarrow import csv

    pa.set_memory_pool(pa.system_memory_pool())  # bounded as a whole by `ingest.limit_process`
    words = [name for name in (columns.label, columns.split) if name]
    types = {**dict.fromkeys(words, pa.string()), **dict.fromkeys(columns.steps, pa.float32())}
    try:
        with csv.open_csv(
            path,
            read_options=csv.ReadOptions(
                use_threads=False, block_size=BLOCK, column_names=list(columns.names), skip_rows=columns.skipped
            ),
            parse_options=csv.ParseOptions(delimiter=columns.separator, newlines_in_values=False),
            convert_options=csv.ConvertOptions(
                column_types=types, include_columns=[*words, *columns.steps], strings_can_be_null=False
            ),
        ) as reader:
            yield from reader
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        detail = f"{path.name} is no table of series of one length: {' '.join(str(error).split())[:250]}"
        raise fault("table_invalid", detail, file=path.name) from error


def _values(path: Path, batch: Any, columns: Columns, before: int) -> Array:
    """(rows, T) float32. Raises for gaps and for what is no finite number."""
    found = [batch.column(name).to_numpy(zero_copy_only=False) for name in columns.steps]
    values: Array = np.stack(found, axis=1).astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        row = before + int((~np.isfinite(values)).any(axis=1).argmax())
        detail = f"{path.name} has an empty or not finite value in series {row + 1}; series of one length without gaps"
        raise fault("values_not_finite", f"{detail} are read: cut, pad or fill them before", file=path.name)
    return values


# ---- parts


def _by_part(tables: Sequence[_Table]) -> Mapping[str, list[tuple[_Table, Array]]]:
    """(table, rows) of train, val and test, by the column of splits, else by the names of the files."""
    found: dict[str, list[tuple[_Table, Array]]] = {}
    for table in tables:
        name = table.file.lower()
        of_file = "test" if "test" in name else "val" if "val" in name else "train"
        parts = np.where(table.parts == "", of_file if len(tables) > 1 else "train", table.parts)
        for part in dict.fromkeys(parts.tolist()):
            found.setdefault(part, []).append((table, np.flatnonzero(parts == part)))
    if "train" not in found:
        raise fault("images_missing", f"there are no training series: {', '.join(t.file for t in tables) or 'no file'}")
    return {part: found[part] for part in ("train", "val", "test") if part in found}


def _joined(part: str, rows: Sequence[tuple[_Table, Array]], *, scratch: Path, whole: bool) -> Array:
    """(N, T) of one part, uint8 where all values are whole and 0 to 255."""
    widths = sorted({table.x.shape[1] for table, _ in rows})
    if len(widths) > 1:
        detail = f"series of the {part} part have {' and '.join(map(str, widths))} steps"
        raise fault("shape_mismatch", detail, file=rows[0][0].file)
    shape = (sum(len(keep) for _, keep in rows), widths[0])
    target = scratch / f"series-{part}.npy"
    out = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8 if whole else np.float32, shape=shape)
    start = 0
    for table, keep in rows:
        for at in range(0, len(keep), 1024):
            piece = keep[at : at + 1024]
            out[start : start + len(piece)] = table.x[piece]
            start += len(piece)
    return out
