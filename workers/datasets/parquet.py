"""Parquet files with pictures, as the hub of data sets has them; read by pyarrow, some rows at a time.

    image: struct{bytes, path} or bytes  label: a number, or a text  train-00000-of-00001.parquet, test-….parquet

Names of the classes come from the files' own description (`huggingface`: features, ClassLabel), else the labels are the
classes, by value. A column of decimals is the target of a regression, a column of lists holds several labels a
picture, and a second column of pictures, `mask`, a class for each pixel; other columns see `label_columns`.

The pictures are then read as a zip archive is, see `images`, with its rules for formats, scaling and damage; names in
messages are `PART/CLASS/FILE-row.png`.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from archsmith.errors import Fault, InvalidDataset
from workers.datasets import images
from workers.datasets.given_answers import OTHERWISE, as_answers, ordered
from workers.datasets.label_columns import Columns, RowAnswers, row_answers
from workers.datasets.labels import Classes
from workers.datasets.parquet_lists import as_cell, of_lists
from workers.datasets.raw import RawDataset, fault
from workers.datasets.unsuitable import unsuitable

IMAGES = ("image", "img", "picture", "pixel_values")
LABELS = ("label", "labels", "fine_label", "class", "target")
MASKS = ("mask", "masks", "label", "annotation", "segmentation", "segmentation_mask", "label_mask")
INDEX = ("id", "index", "image_id", "__index_level_0__", "idx")
TABLE = "labels.csv"
"""Of numbers and labels in the archive that `images` reads; no user sees it."""
ROWS = 64
"""Rows at a time: pictures of up to 64 MiB each are possible, most have under 1 MiB."""
MAX_ROWS = 200_000
MAX_BYTES = 4 * 1024**3
_PART = re.compile(r"(?:^|[^a-z])(train|training|val|valid|validation|dev|test)(?:[^a-z]|$)")
_PARTS = {"train": "train", "training": "train", "test": "test"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """A file with the names of its columns, "" for none. names: of the classes by number, () where the file has none.

    numbers: columns of numbers, beside row numbers. lists: whether `label` holds lists.
    """

    path: Path
    part: str
    image: str
    label: str
    names: tuple[str, ...]
    mask: str = ""
    numbers: tuple[str, ...] = ()
    lists: bool = False


def read(
    sources: Sequence[Path],
    *,
    scratch: Path,
    image_size: int | None = None,
    image_fit: str | None = None,
    problem: str | None = None,
) -> RawDataset:
    """sources: the files, or their folder. problem: the option. Raises InvalidDataset."""
    import pyarrow as pa

    files = sorted(sources[0].rglob("*.parquet")) if len(sources) == 1 and sources[0].is_dir() else list(sources)
    if not files:
        raise fault("file_missing", f"there is no .parquet file in {sources[0].name}")
    pa.set_memory_pool(pa.system_memory_pool())
    remarks: list[str] = []
    found = [_described(path, remarks, alone=len(files) == 1) for path in files]
    fit: dict[str, Any] = {"image_size": image_size, "image_fit": image_fit}
    if (problem == "segmentation" or problem is None) and found[0].mask:
        return _with_masks(found, remarks, scratch, told=problem is None, **fit)
    if (answers := _others(found, problem)) is not None:
        return _with_answers(found, answers, remarks, scratch, **fit)
    for source in found:
        if not source.label:
            raise _no_label(source)
    labels = [_labels(source) for source in found]
    names = next((source.names for source in found if source.names), ())
    if any(source.names not in ((), names) for source in found):
        raise fault("labels_invalid", "the files name their classes differently; are they of one data set?")
    classes = _classes(found, labels, names, problem)
    packed = scratch / "parquet.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as out:
        for source, y in zip(found, classes.numbers, strict=True):
            _pack(out, source, source.image, [f"{number:05d}" for number in y.tolist()])
    raw = images.read(packed, scratch=scratch, problem="classification", **fit)
    return replace(_renamed(raw, classes.names, [*remarks, *classes.warnings]), problem=classes.problem)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Numbered:
    numbers: Sequence[Any]
    names: tuple[str, ...]
    problem: str = "classification"
    warnings: tuple[str, ...] = ()


def _classes(found: Sequence[_Source], labels: Sequence[Any], names: tuple[str, ...], problem: str | None) -> _Numbered:
    keys = {str(number): values for number, values in enumerate(labels)}
    files = {key: source.path.name for key, source in zip(keys, found, strict=True)}
    if not names:
        classes = as_answers(keys, files=files, asked=problem)
        numbers = [classes.y[key] for key in keys]
        return _Numbered(numbers=numbers, names=classes.names, problem=classes.problem, warnings=classes.warnings)
    for source, values in zip(found, labels, strict=True):
        if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= len(names):
            detail = f"{source.path.name} names {len(names)} classes, and holds a label that is none of their numbers"
            raise fault("labels_invalid", f"{detail} (-1: no label; leave such rows out)", file=source.path.name)
    if problem != "ordinal":
        return _Numbered(numbers=labels, names=names)
    known = ordered(Classes(y=keys, names=names), named=True)
    return _Numbered(numbers=labels, names=names, problem="ordinal", warnings=known.warnings)


def _opened(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        detail = f"{path.name} is no Parquet file, or damaged: {' '.join(str(error).split())[:200]}"
        raise fault("parquet_invalid", detail, file=path.name) from error


def _described(path: Path, remarks: list[str], *, alone: bool) -> _Source:
    import pyarrow as pa

    opened = _opened(path)
    if opened.metadata.num_rows > MAX_ROWS or not opened.metadata.num_rows:
        detail = f"{path.name} has {opened.metadata.num_rows} rows, accepted are 1 to {MAX_ROWS}"
        raise fault("too_many_files" if opened.metadata.num_rows else "file_empty", detail, file=path.name)
    schema = opened.schema_arrow
    pictures = [field.name for field in schema if _is_picture(field.type)]
    image = next((n for n in IMAGES if n in pictures), pictures[0] if len(pictures) == 1 else "")
    plain = {f.name for f in schema if pa.types.is_integer(f.type) or pa.types.is_string(f.type)}
    plain |= {f.name for f in schema if pa.types.is_large_string(f.type) or pa.types.is_dictionary(f.type)}
    plain |= {f.name for f in schema if pa.types.is_floating(f.type) or _is_list(f.type)}
    label = next((n for n in LABELS if n in plain), "")
    mask = next((n for n in MASKS if n in pictures and n != image), "")
    numbers = tuple(f.name for f in schema if _is_number(f.type) and f.name.lower() not in (*INDEX, *LABELS))
    if not image or not (label or mask or numbers):
        raise _no_label(
            _Source(path=path, part="", image=image, label="", names=()),
            ", ".join(f"{f.name}: {f.type}" for f in schema)[:300],
        )
    others = [name for name in schema.names if name not in (image, label)]
    if others and label and not mask:
        remarks.append(f"columns that are not used: {', '.join(others[:10])}; the class is {label}")
    match = _PART.search(path.stem.lower())
    part = "train" if alone or match is None else _PARTS.get(match[1], "val")
    return _Source(
        path=path, part=part, image=image, label=label, names=_names(schema, label), mask=mask, numbers=numbers,
        lists=bool(label) and _is_list(schema.field(label).type),
    )  # fmt: skip


def _no_label(source: _Source, columns: str = "") -> Exception:
    detail = f"{source.path.name} needs a column image (bytes of picture files, or a struct with such) and a column"
    detail += " label (whole numbers, decimals, texts or lists), several columns of numbers, or a column of masks"
    return fault("table_invalid", detail + (f"; it has {columns}" if columns else ""), file=source.path.name)


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _is_picture(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_picture(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _names(schema: Any, label: str) -> tuple[str, ...]:
    """Of the hub's description of the columns; () where it is absent or of another form."""
    try:
        features: Any = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        for key in ("info", "features", label):
            features = features.get(key, {}) if isinstance(features, dict) else {}
        features = features.get("feature", features) if isinstance(features, dict) else features
        if isinstance(features, list) and len(features) == 1:  # of lists in an older form
            features = features[0]
        features = features.get("names", {}) if isinstance(features, dict) else {}
    except (ValueError, RecursionError):
        return ()
    names = tuple(str(name)[:100] for name in features) if isinstance(features, list) else ()
    return names if len(set(names)) == len(names) <= 10_000 else ()


def _values(source: _Source, column: str) -> Iterator[list[Any]]:
    """Of one column, ROWS at a time; of a struct its bytes."""
    import pyarrow as pa

    try:
        for batch in _opened(source.path).iter_batches(batch_size=ROWS, columns=[column], use_threads=False):
            found = batch.column(0)
            yield (found.field("bytes") if pa.types.is_struct(found.type) else found).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        detail = f"{source.path.name} is damaged: {' '.join(str(error).split())[:200]}"
        raise fault("parquet_invalid", detail, file=source.path.name) from error


def _labels(source: _Source) -> Any:
    values: list[Any] = []
    for some in _values(source, source.label):
        values += some
    if any(value is None for value in values):
        row = values.index(None)
        raise fault("labels_invalid", f"row {row} of {source.path.name} has no label", file=source.path.name)
    return np.array(values)


def _others(found: Sequence[_Source], problem: str | None) -> RowAnswers | None:
    """Numbers or several labels of all files' rows; None where these hold classes. Raises InvalidDataset."""
    first = found[0]
    if first.lists and problem not in (None, "multilabel"):
        raise unsuitable(str(problem), f"{first.label} of {first.path.name} holds lists", others=("multilabel",))
    if first.lists:
        return of_lists([_column(source, first.label) for source in found], first.path.name, first.names)
    several = not first.label or problem in ("regression", "multilabel")
    titles = [*([first.label] if first.label else []), *(first.numbers if several else ())]
    if not titles or (first.names and problem is None):
        return None
    for source in found:
        if not set(titles) <= {source.label, *source.numbers}:
            raise fault(
                "table_invalid", f"{source.path.name} lacks columns of {first.path.name}", file=source.path.name
            )
    cells = [[as_cell(value) for source in found for value in _column(source, title)] for title in titles]
    columns = Columns(file=first.path.name, titles=titles, cells=cells, named=0 if first.label else None, first=0)
    answers = row_answers(columns, problem)
    if answers is not None and answers.broken is not None:
        raise answers.broken
    if answers is None and not first.label:
        raise _no_label(first)
    return answers


def _column(source: _Source, name: str) -> list[Any]:
    return [value for some in _values(source, name) for value in some]


def _with_answers(
    found: Sequence[_Source], answers: RowAnswers, remarks: Sequence[str], scratch: Path, **fit: Any
) -> RawDataset:
    """Packed with a table of the answers, which are checked by `images` and get their names back."""
    packed = scratch / "parquet.zip"
    heads = [f"t{number}" for number in range(answers.values.shape[1])]
    lines, start = [",".join(["file", "split", *heads])], 0
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as out:
        for source in found:
            names = _pack(out, source, source.image, None)
            for name, row in zip(names, answers.values[start : start + len(names)].tolist(), strict=True):
                lines.append(",".join([name, source.part, *map(repr, row)]))
            start += len(names)
        out.writestr(TABLE, "\n".join(lines))
    try:
        raw = images.read(packed, scratch=scratch, problem=answers.problem, **fit)
    except InvalidDataset as error:
        raise InvalidDataset([_of_parquet(one, found[0].path.name, answers.names) for one in error.faults]) from error
    warnings = tuple(text for text in raw.warnings if TABLE not in text)
    told = [*(text for text in remarks if "not used" not in text), *answers.warnings]
    return replace(raw, format="parquet", class_names=answers.names, warnings=(*dict.fromkeys(told), *warnings))


def _of_parquet(one: Fault, file: str, names: Sequence[str]) -> Fault:
    """In the user's words: of the file and its column."""
    detail = one.detail.replace(TABLE, file).replace("the table", file)
    detail = re.sub(r"the target t(\d+)", lambda match: f"the target {names[int(match[1])]}", detail)
    return replace(one, detail=detail)


def _with_masks(
    found: Sequence[_Source], remarks: Sequence[str], scratch: Path, *, told: bool, **fit: Any
) -> RawDataset:
    packed = scratch / "parquet.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as out:
        for source in found:
            if not source.mask:
                raise fault("table_invalid", f"{source.path.name} has no column of masks", file=source.path.name)
            _pack(out, source, source.image, ["images"] * _opened(source.path).metadata.num_rows)
            _pack(out, source, source.mask, ["masks"] * _opened(source.path).metadata.num_rows)
    raw = images.read(packed, scratch=scratch, problem="segmentation", **fit)
    said = [f"the column {found[0].mask} holds masks: read as segmentation; {OTHERWISE}"] if told else []
    return replace(raw, format="parquet", warnings=(*dict.fromkeys([*remarks, *said]), *raw.warnings))


def _pack(out: zipfile.ZipFile, source: _Source, column: str, folders: Sequence[str] | None) -> list[str]:
    """Names of the rows' files. folders: of each row; None for one of all."""
    row, names = 0, []
    for some in _values(source, column):
        for content in some:
            if not content:
                detail = f"row {row} of {source.path.name} holds no picture's bytes; a path alone is not followed"
                raise fault("image_unreadable", detail, file=source.path.name)
            folder = f"{source.part}/{folders[row]}" if folders else f"{source.part}/pictures"
            name = f"{folder}/{source.path.stem[:60]}-{row:06d}{_ending(content)}"
            if out.fp is not None and out.fp.tell() + len(content) > MAX_BYTES:
                detail = f"the pictures of {source.path.name} and the files before have more than {MAX_BYTES} bytes"
                raise fault("array_too_large", detail, file=source.path.name, allowed=MAX_BYTES)
            out.writestr(name, content)
            names.append(name)
            row += 1
    return names


def _ending(content: bytes) -> str:
    known = {
        b"\x89PN": ".png",
        b"\xff\xd8\xff": ".jpg",
        b"RIF": ".webp",
        b"GIF": ".gif",
        b"II*": ".tif",
        b"MM\0": ".tif",
    }
    return known.get(content[:3], ".bmp" if content[:2] == b"BM" else ".png")


def _renamed(raw: RawDataset, names: tuple[str, ...], remarks: Sequence[str]) -> RawDataset:
    """Folders were class numbers; classes without a picture stay, since the files name them."""
    numbers = np.array([int(name) for name in raw.class_names])
    warnings = (*dict.fromkeys(remarks), *raw.warnings)
    return replace(raw, format="parquet", y=numbers[raw.y], class_names=names, warnings=warnings)
