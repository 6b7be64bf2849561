"""What a format reader passes to the store, and the rules for every format."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from archsmith.errors import Fault, InvalidDataset, pointer

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]
Parts = Mapping[str, tuple[int, int]]

MAX_CLASSES = 10_000
MAX_SIDE = 512
MAX_VOLUME_SIDE = 256
CHUNK_BYTES = 16 * 1024**2
"""Arrays are processed in chunks of this size, so that a large upload is never in memory as a whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RawDataset:
    """Samples as a reader found them, checked, in the order train, val, test.

    pieces: arrays (N_i, C, H, W), or (N_i, C, D, H, W) for volumes, of any accepted number type, one after the other;
    may be views of files.
    dtype: what the store keeps: uint8, or float32.
    problem: one of `workers.conventions.PROBLEMS`.
    y: answers to all pieces. classification, ordinal: (N,) int64, 0..classes-1. multilabel: (N, K) uint8, 0 or 1.
    regression: (N, K) float32. segmentation: (N, H, W) uint8, 255 = not judged, perhaps a view of a file.
    class_names: of the K classes, labels or targets.
    parts: the source's own split as [start, stop) rows: always "train", and "val" and "test" where the source has them.
    groups: (N,) the group of each sample, of which none may cross the splits; None where samples stand alone.
    names: of the rows, where the source has them (files of pictures).
    """

    format: str
    pieces: tuple[Array, ...]
    dtype: np.dtype[Any]
    y: Array
    class_names: tuple[str, ...]
    parts: Parts
    warnings: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    corrupt: tuple[str, ...] = ()
    names: Sequence[str] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    groups: Labels | None = None
    problem: str = "classification"

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W) or (N, C, D, H, W) of all pieces together."""
        return len(self.y), *self.pieces[0].shape[1:]

    @property
    def kind(self) -> str:
        return "volume" if self.pieces[0].ndim == 5 else "image"

    @property
    def tasks(self) -> tuple[str, ...]:
        """What may be asked about the samples."""
        return ("segmentation",) if self.problem == "segmentation" else (self.kind,)

    def batches(self) -> Iterator[Array]:
        """The samples in order, as contiguous arrays of `dtype`, a bounded number at a time."""
        for piece in self.pieces:
            for rows in chunks(len(piece), item_bytes(piece)):
                yield np.ascontiguousarray(piece[rows], dtype=self.dtype)


def fault(rule: str, detail: str, *, file: str = "", allowed: Any = None) -> InvalidDataset:
    """One broken rule, at "/files/NAME" when a file is to blame."""
    where = pointer("files", file) if file else ""
    return InvalidDataset(Fault(pointer=where, rule=rule, detail=detail, allowed=allowed))


def chunks(count: int, item_bytes: int) -> Iterator[slice]:
    """Row ranges that cover `count` rows of `item_bytes` each, about CHUNK_BYTES at a time."""
    step = max(1, CHUNK_BYTES // max(1, item_bytes))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def item_bytes(x: Array) -> int:
    return math.prod(x.shape[1:]) * x.dtype.itemsize


def stored_dtype(x: Array, *, file: str) -> np.dtype[Any]:
    """uint8 for whole numbers 0..255, else float32. Raises when the numbers are no pixels or not finite."""
    if x.dtype.kind not in "biuf" or x.dtype.itemsize > 8:
        detail = f"{file} holds {x.dtype}, accepted are bool, integers and floats of 16, 32 or 64 bits"
        raise fault("dtype_unsupported", detail, file=file)
    if x.dtype == np.uint8 or x.dtype.kind == "b":
        return np.dtype(np.uint8)
    if x.dtype.kind == "f":
        _check_finite(x, file=file)
        return np.dtype(np.float32)
    fits = all(_within_byte(x[rows]) for rows in chunks(len(x), item_bytes(x)))
    return np.dtype(np.uint8) if fits else np.dtype(np.float32)


def _within_byte(piece: Array) -> bool:
    return bool(piece.min() >= 0 and piece.max() <= 255)


def _check_finite(x: Array, *, file: str) -> None:
    bad, first = 0, -1
    for rows in chunks(len(x), item_bytes(x)):
        with np.errstate(over="ignore"):
            wrong = ~np.isfinite(x[rows].reshape(rows.stop - rows.start, -1).astype(np.float32))
        if wrong.any():
            first = rows.start + int(wrong.any(axis=1).argmax()) if first < 0 else first
            bad += int(wrong.sum())
    if bad:
        detail = f"{file} holds {bad} values that are no finite 32-bit floats, the first in sample {first}"
        raise fault("values_not_finite", detail, file=file)


def check_lengths(x: Array, y: Array, *, file: str, against: str) -> None:
    """`file` holds the labels, `against` the samples."""
    if len(x) != len(y):
        detail = f"{file} holds {len(y)} labels, {against} holds {len(x)} samples"
        raise fault("length_mismatch", detail, file=file, allowed=len(x))


def class_warnings(y: Labels, class_names: Sequence[str], parts: Parts) -> tuple[str, ...]:
    """Raises where no classifier can be trained; returns warnings about what is merely unusual."""
    present = int((np.bincount(y) > 0).sum())
    if present < 2:
        raise fault("too_few_classes", f"at least 2 classes are needed, found {present}", allowed=2)
    if len(y) < 2 * present:
        detail = f"at least 2 samples a class are needed: {len(y)} samples for {present} classes"
        numbers = all(name.removeprefix("-").isdecimal() for name in class_names)
        detail += "; if the labels are quantities, give --problem regression" if numbers and present > 2 else ""
        raise fault("too_few_samples", detail, allowed=2 * present)
    trained = np.bincount(y[slice(*parts["train"])], minlength=len(class_names))
    return tuple(f"class {class_names[i]} has no training samples" for i in np.flatnonzero(trained == 0)[:20])


def stack_parts(found: Mapping[str, tuple[Array, Array]], *, file: str) -> tuple[tuple[Array, ...], Array, Parts]:
    """Pieces, answers and parts of what a source keeps apart as train, val and test: {"train": (x, y), ...}."""
    order = [name for name in ("train", "val", "test") if name in found]
    shapes = {name: found[name][0].shape[1:] for name in order}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise fault("shape_mismatch", f"samples differ in shape between the splits: {listed}", file=file)
    parts: dict[str, tuple[int, int]] = {}
    start = 0
    for name in order:
        stop = start + len(found[name][1])
        parts[name], start = (start, stop), stop
    answers = [found[name][1] for name in order]
    y = answers[0] if len(answers) == 1 else np.concatenate(answers)  # masks may be a file, which stays one
    return tuple(found[name][0] for name in order), y, parts


def common_dtype(pieces: Sequence[Array], *, file: str) -> np.dtype[Any]:
    """The type that holds all pieces: uint8 if each fits, else float32."""
    found = [stored_dtype(piece, file=file) for piece in pieces]
    return np.dtype(np.uint8) if all(dtype == np.uint8 for dtype in found) else np.dtype(np.float32)
