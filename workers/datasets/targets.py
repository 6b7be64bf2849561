"""Targets of a regression: (N,) or (N, K) numbers as (N, K) float32, with their names."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from workers.datasets.named import MAX_NAME, TEXTS, NamedArrays
from workers.datasets.raw import CHUNK_BYTES, Array, fault
from workers.datasets.texts import as_texts
from workers.datasets.unsuitable import unsuitable

MAX_TARGETS = 10_000
NAMELESS = "target"
PRECISION = 1e-3
"""Of a target's standard deviation, what 32-bit floats may change of a value."""
MAX_ROWS_NAMED = 5

Found = tuple[dict[str, Array], tuple[str, ...], tuple[str, ...]]
"""y of each part, the names, and warnings."""


def as_targets(found: Mapping[str, Array], *, files: Mapping[str, str], names: Sequence[str] | None = None) -> Found:
    """found: numbers (N,), with further axes of 1, or (N, K); texts where all are numbers.

    Raises InvalidDataset: texts, NaN, a target that is the same everywhere or in all of the training samples.
    """
    columns = {part: _table(y, file=files[part]) for part, y in found.items()}
    first = next(iter(files.values()))
    if len(widths := {y.shape[1] for y in columns.values()}) > 1:
        detail = f"the parts have {' and '.join(map(str, sorted(widths)))} targets a sample"
        raise fault("shape_mismatch", detail, file=first)
    shown = _names(widths.pop(), names, first)
    y = {part: _stored(values, shown, file=files[part]) for part, values in columns.items()}
    check_not_flat(y, shown, file=first)
    return y, shown, ()


def check_not_flat(y: Mapping[str, Array], names: Sequence[str], *, file: str) -> None:
    """Raises `targets_flat` for a target with one value in all of the training samples. y: (N, K) of each part."""
    seen = y.get("train", next(iter(y.values())))
    flat = [number for number in range(seen.shape[1]) if (seen[:, number] == seen[0, number]).all()]
    if flat:
        same = f"the target {names[flat[0]]} is {seen[0, flat[0]]:g} in every training sample"
        more = f", and so are {len(flat) - 1} others" if len(flat) > 1 else ""
        raise fault("targets_flat", f"{file}: {same}{more}: there is nothing to learn; leave it out", file=file)


def check_finite(y: Array, *, file: str, first: int = 0, noun: str = "row") -> None:
    """Raises `values_not_finite` with the numbers of the rows, counted from `first`. y: (N, …) floats."""
    wrong: list[int] = []
    count, start = 0, 0
    for rows in pieces(y):
        bad = ~np.isfinite(np.asarray(y[rows]).reshape(rows.stop - rows.start, -1)).all(axis=1)
        count += int(bad.sum())
        wrong += (np.flatnonzero(bad)[:MAX_ROWS_NAMED] + start + first).tolist()
        start = rows.stop
    if count:
        raise fault("values_not_finite", f"{file} {without_number(wrong, count, noun=noun)}", file=file)


def without_number(rows: Sequence[int], count: int, *, noun: str) -> str:
    """For a message: rows without an answer."""
    listed = ", ".join(map(str, rows[:MAX_ROWS_NAMED])) + (" and more" if count > MAX_ROWS_NAMED else "")
    many = f"{count} {noun}s" if count > 1 else f"one {noun}"
    return f"holds no number (empty, NaN or infinite) in {many}: {listed}; each sample needs an answer, leave these out"


def pieces(y: Array) -> Iterator[slice]:
    """Row ranges of bounded size, of masks too."""
    step = max(1, CHUNK_BYTES // max(1, y[:1].size * 8))
    for start in range(0, len(y), step):
        yield slice(start, min(start + step, len(y)))


def names_of(arrays: NamedArrays, name: str) -> tuple[str, ...]:
    """The different texts of an array. Raises `labels_invalid`."""
    found = arrays.read(name, kinds=TEXTS)
    texts = as_texts(found[: MAX_TARGETS + 1], file=name) if found.ndim == 1 else ()
    return checked_names(texts, name)


def checked_names(texts: Sequence[str], file: str) -> tuple[str, ...]:
    shown = tuple(text[:MAX_NAME] for text in texts)
    if not shown or len(set(shown)) < len(shown) or "" in shown or len(shown) > MAX_TARGETS:
        detail = (
            f"{file} must be a list of different texts, at most {MAX_TARGETS}, that differ in {MAX_NAME} characters"
        )
        raise fault("labels_invalid", detail, file=file)
    return shown


def _table(y: Array, *, file: str) -> Array:
    """(N, K) of any type of numbers."""
    if y.size == max(y.shape, default=0):
        y = y.reshape(-1)
    if y.dtype.kind in "US":
        y = _of_texts(y, file)
    if y.dtype.kind not in "biuf" or y.dtype.itemsize > 8:
        raise fault("dtype_unsupported", f"{file} holds {y.dtype}; targets are integers or floats", file=file)
    if y.ndim not in (1, 2) or (y.ndim == 2 and y.shape[1] > MAX_TARGETS):
        detail = f"{file} has shape {y.shape}; targets are (N,) or (N, K) with K up to {MAX_TARGETS}"
        raise fault("shape_invalid", detail, file=file)
    return y if y.ndim == 2 else y[:, None]


def _of_texts(y: Array, file: str) -> Array:
    try:
        values = np.array([float(text) for text in as_texts(y.reshape(-1), file=file)]).reshape(y.shape)
    except ValueError as error:
        word = str(error).rpartition(":")[2].strip()[:80]
        raise unsuitable(
            "regression", f"{file} holds the text {word}, which is no number", others=("classification",)
        ) from error
    check_finite(values, file=file)
    return values


def _names(width: int, names: Sequence[str] | None, file: str) -> tuple[str, ...]:
    if names is None:
        return (NAMELESS,) if width == 1 else tuple(f"{NAMELESS} {number}" for number in range(width))
    if len(names) != width:
        detail = f"{file} holds {width} targets a sample, and there are {len(names)} names for them"
        raise fault("labels_invalid", detail, file=file, allowed=width)
    return tuple(names)


def _stored(values: Array, names: Sequence[str], *, file: str) -> Array:
    """(N, K) float32. Raises where that would change a target by more than PRECISION of its spread."""
    exact = np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore"):
        stored = exact.astype(np.float32)
    if not np.isfinite(stored).all():
        row = int((~np.isfinite(stored)).any(axis=1).argmax())
        raise fault("values_not_finite", f"{file} holds a number beyond 32-bit floats in row {row}", file=file)
    lost = np.abs(exact - stored).max(axis=0) > PRECISION * exact.std(axis=0)
    lost &= exact.min(axis=0) < exact.max(axis=0)
    if lost.any():
        name = names[int(lost.argmax())]
        detail = f"the target {name} of {file} varies little beside its size, which 32-bit floats would round away"
        raise fault("values_not_finite", f"{detail}: subtract a constant from it", file=file)
    return stored
