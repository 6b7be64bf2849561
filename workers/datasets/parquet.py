"""Parquet files with pictures, as the hub of data sets has them; read by pyarrow, some rows at a time.

    image: struct{bytes, path} or bytes  label: a number, or a text  train-00000-of-00001.parquet, test-….parquet

Names of the classes come from the files' own description (`huggingface`: features, ClassLabel), else the labels are the
classes, by value. The pictures are then read as a zip archive of class folders is, see `images`, with its rules for
formats, scaling and damage; names in messages are `PART/CLASS/FILE-row.png`.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workers.datasets import images
from workers.datasets.labels import as_classes
from workers.datasets.raw import RawDataset, fault

IMAGES = ("image", "img", "picture", "pixel_values")
LABELS = ("label", "labels", "fine_label", "class", "target")
ROWS = 64
"""Rows at a time: pictures of up to 64 MiB each are possible, most have under 1 MiB."""
MAX_ROWS = 200_000
MAX_BYTES = 4 * 1024**3
_PART = re.compile(r"(?:^|[^a-z])(train|training|val|valid|validation|dev|test)(?:[^a-z]|$)")
_PARTS = {"train": "train", "training": "train", "test": "test"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """A file with the names of its columns. names: of the classes by number, () where the file has none."""

    path: Path
    part: str
    image: str
    label: str
    names: tuple[str, ...]


def read(
    sources: Sequence[Path], *, scratch: Path, image_size: int | None = None, image_fit: str | None = None
) -> RawDataset:
    """sources: the files, or their folder. Raises InvalidDataset."""
    import pyarrow as pa

    files = sorted(sources[0].rglob("*.parquet")) if len(sources) == 1 and sources[0].is_dir() else list(sources)
    if not files:
        raise fault("file_missing", f"there is no .parquet file in {sources[0].name}")
    pa.set_memory_pool(pa.system_memory_pool())
    remarks: list[str] = []
    found = [_described(path, remarks, alone=len(files) == 1) for path in files]
    labels = [_labels(source) for source in found]
    names = next((source.names for source in found if source.names), ())
    if any(source.names not in ((), names) for source in found):
        raise fault("labels_invalid", "the files name their classes differently; are they of one data set?")
    classes = _classes(found, labels, names)
    packed = scratch / "parquet.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as out:
        for source, y in zip(found, classes.numbers, strict=True):
            _pack(out, source, [f"{number:05d}" for number in y.tolist()])
    return _renamed(
        images.read(packed, scratch=scratch, image_size=image_size, image_fit=image_fit), classes.names, remarks
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Numbered:
    numbers: Sequence[Any]
    names: tuple[str, ...]


def _classes(found: Sequence[_Source], labels: Sequence[Any], names: tuple[str, ...]) -> _Numbered:
    if not names:
        keys = {str(number): values for number, values in enumerate(labels)}
        classes = as_classes(keys, files={key: source.path.name for key, source in zip(keys, found, strict=True)})
        return _Numbered(numbers=[classes.y[key] for key in keys], names=classes.names)
    for source, values in zip(found, labels, strict=True):
        if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= len(names):
            detail = f"{source.path.name} names {len(names)} classes, and holds a label that is none of their numbers"
            raise fault("labels_invalid", f"{detail} (-1: no label; leave such rows out)", file=source.path.name)
    return _Numbered(numbers=labels, names=names)


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
    label = next((n for n in LABELS if n in plain), "")
    if not image or not label:
        detail = f"{path.name} needs a column image (bytes of picture files, or a struct with such) and a column label"
        detail += f" (whole numbers or texts); it has {', '.join(f'{f.name}: {f.type}' for f in schema)[:300]}"
        raise fault("table_invalid", detail, file=path.name)
    if others := [name for name in schema.names if name not in (image, label)]:
        remarks.append(f"columns that are not used: {', '.join(others[:10])}; the class is {label}")
    match = _PART.search(path.stem.lower())
    part = "train" if alone or match is None else _PARTS.get(match[1], "val")
    return _Source(path=path, part=part, image=image, label=label, names=_names(schema, label))


def _is_picture(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_picture(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _names(schema: Any, label: str) -> tuple[str, ...]:
    """Of the hub's description of the columns; () where it is absent or of another form."""
    try:
        features: Any = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        for key in ("info", "features", label, "names"):
            features = features.get(key, {}) if isinstance(features, dict) else {}
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


def _pack(out: zipfile.ZipFile, source: _Source, folders: Sequence[str]) -> None:
    row = 0
    for some in _values(source, source.image):
        for content in some:
            if not content:
                detail = f"row {row} of {source.path.name} holds no picture's bytes; a path alone is not followed"
                raise fault("image_unreadable", detail, file=source.path.name)
            name = f"{source.part}/{folders[row]}/{source.path.stem[:60]}-{row:06d}{_ending(content)}"
            if out.fp is not None and out.fp.tell() + len(content) > MAX_BYTES:
                detail = f"the pictures of {source.path.name} and the files before have more than {MAX_BYTES} bytes"
                raise fault("array_too_large", detail, file=source.path.name, allowed=MAX_BYTES)
            out.writestr(name, content)
            row += 1


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
