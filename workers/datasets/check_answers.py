"""The check of answers that are no single class: numbers, several labels, and masks; and a description of each.

As in `check`, nothing here refuses a data set, and memory is bounded: masks are read a piece at a time.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.datasets.raw import Array, chunks, item_bytes
from workers.datasets.splits import Splits
from workers.datasets.strata import UNKNOWN, known

MAX_EXAMPLES = 10
FAR = 10.0
"""Times the distance of the quartiles, from the nearer one, at which a value lies far from all others. Of a normal
distribution one in 10^43 does, of an exponential one in 50,000."""
FEW_VALUES = 10
"""Different values of a target up to which it may be ordered classes."""
BEYOND = 0.05
"""Share of the validation or test values beyond all training values, from which it is told."""
SMALL_SHARE = 0.001
"""Share of the judged pixels below which a class hides in the pixel accuracy."""
HALF = 0.5
RARE = 5
"""Samples with a label up to which it is told, as for classes."""
NAMES = {"search_train": "training", "search_val": "validation", "test": "test"}

Answered = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What is checked. y: as in `RawDataset`, (N, …); rows with unknown answers are in no split.

    named: a row -> what people call it. given: whether the source has its own test split.
    """

    problem: str
    y: Array
    names: Sequence[str]
    splits: Splits
    named: Callable[[int], str]
    given: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """As `check.Finding`."""

    rule: str
    detail: str
    examples: tuple[str, ...] = ()


def described(seen: Seen) -> dict[str, Any]:
    """Of the answers that are known, for people: see `api.views.resources.AnswersView`. {} for single classes."""
    if seen.problem == "regression":
        y = _known(seen)
        return {"targets": [_target(name, y[:, number]) for number, name in enumerate(seen.names)]}
    if seen.problem == "multilabel":
        y = _known(seen)
        each = y.sum(axis=1, dtype=np.int64)
        return {"without": int((each == 0).sum()), "labels_each": round(float(each.mean()), 3)}
    if seen.problem == "segmentation":
        pixels, single = _pixels(seen.y)
        judged = max(1, int(pixels[:UNKNOWN].sum()))
        shares = [_rounded(count / judged) for count in pixels[: len(seen.names)].tolist()]
        return {"shares": shares, "not_judged": _rounded(pixels[UNKNOWN] / pixels.sum()), "one_class": single}
    return {}


def findings(seen: Seen) -> Iterator[Told]:
    if seen.problem == "regression":
        for number, name in enumerate(seen.names):
            yield from _of_target(seen, number, name)
    elif seen.problem == "multilabel":
        yield from _of_labels(seen)
    elif seen.problem == "segmentation":
        yield from _of_pixels(seen)


def codes(y: Array) -> Answered:
    """(N,) equal numbers for equal answers. y: (N, K) or (N, H, W)."""
    if y.ndim == 2:
        return np.unique(y, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    digests = [hashlib.blake2b(np.ascontiguousarray(mask).data, digest_size=8).digest() for mask in y]
    return np.unique(np.frombuffer(b"".join(digests), dtype="<u8"), return_inverse=True)[1].astype(np.int64)


def split_counts(y: Array, splits: Mapping[str, Array], *, classes: int, problem: str) -> dict[str, list[int]] | None:
    """Samples with each label, or pixels of each class, in each split; None for numbers."""
    if problem == "multilabel":
        return {name: y[rows].sum(axis=0, dtype=np.int64).tolist() for name, rows in splits.items()}
    if problem == "segmentation":
        return {name: _pixels(y, rows)[0][:classes].tolist() for name, rows in splits.items()}
    return None


def half_width_r2(count: int) -> float:
    """Of the 95 % interval of R² near 0.5: var(R²) is about 4 R² (1 - R²)² / n (Olkin and Finn 1995, eq. 10)."""
    return 1.96 * math.sqrt(4 * 0.5 * 0.25 / max(1, count))


# ---- numbers


def _known(seen: Seen) -> Array:
    return np.asarray(seen.y[known(seen.y, seen.problem)])


def _target(name: str, values: Array) -> dict[str, Any]:
    least, low, middle, high, largest = np.percentile(values.astype(np.float64), [0, 25, 50, 75, 100])
    numbers = {
        "least": least, "lower_quartile": low, "median": middle, "upper_quartile": high, "largest": largest,
        "mean": values.mean(dtype=np.float64), "std": values.std(dtype=np.float64),
    }  # fmt: skip
    return {"name": name, **{key: float(f"{value:.6g}") for key, value in numbers.items()}}


def _of_target(seen: Seen, number: int, name: str) -> Iterator[Told]:
    values = seen.y[:, number].astype(np.float64)
    rows = np.flatnonzero(known(seen.y, seen.problem))
    low, high = np.percentile(values[rows], [25, 75])
    spread = high - low
    far = rows[(values[rows] < low - FAR * spread) | (values[rows] > high + FAR * spread)] if spread > 0 else rows[:0]
    if len(far):
        shown = ", ".join(f"{value:g}" for value in np.unique(values[far])[:5])
        yield Told(
            rule="far_values",
            detail=f"{len(far)} values of the target {name} lie far from all others (half of these are {low:g} to "
            f"{high:g}), as {shown}: a mark for a missing value? Squared errors of so few hide all others",
            examples=tuple(f"{seen.named(int(row))}: {values[row]:g}" for row in far[:MAX_EXAMPLES]),
        )
    kinds = np.unique(values[rows])
    if len(kinds) <= FEW_VALUES and (np.floor(kinds) == kinds).all():
        yield Told(
            rule="few_values",
            detail=f"the target {name} has {len(kinds)} different values, all whole ({kinds[0]:g} to {kinds[-1]:g}): "
            "if they are classes in an order, give --problem ordinal",
        )
    yield from _beyond(seen, values, name) if seen.given else ()


def _beyond(seen: Seen, values: Array, name: str) -> Iterator[Told]:
    """Validation and test values that no training value comes near to. Drawn splits cannot have many."""
    train = values[seen.splits.search_train]
    for split in ("search_val", "test"):
        rows = np.asarray(getattr(seen.splits, split))
        out = rows[(values[rows] < train.min()) | (values[rows] > train.max())]
        if len(out) > BEYOND * len(rows):
            yield Told(
                rule="range_differs",
                detail=f"{len(out)} of {len(rows)} {NAMES[split]} values of the target {name} are beyond all training "
                f"values ({train.min():g} to {train.max():g}): other units, or another part of the world?",
                examples=tuple(f"{seen.named(int(row))}: {values[row]:g}" for row in out[:MAX_EXAMPLES]),
            )


# ---- several labels


def _of_labels(seen: Seen) -> Iterator[Told]:
    y = seen.y
    rows = known(y, seen.problem)
    counts = y[rows].sum(axis=0, dtype=np.int64)
    rare = np.flatnonzero((counts > 0) & (counts <= RARE)).tolist()
    if rare:
        shown = _listed([f"{seen.names[i]!r} ({counts[i]})" for i in rare])
        yield Told(
            rule="small_class",
            detail=f"{len(rare)} labels are on {RARE} samples or fewer: {shown}; "
            "no score of such a label means anything: give more samples, or leave the label out",
            examples=tuple(seen.names[i] for i in rare[:MAX_EXAMPLES]),
        )
    for split, called in NAMES.items():
        here = y[np.asarray(getattr(seen.splits, split))].sum(axis=0, dtype=np.int64)
        missing = np.flatnonzero(here == 0).tolist()
        if missing:
            yield _missing(called, [seen.names[i] for i in missing], "no sample with")
    yield from _twins(y[rows], seen.names)
    without = int((y[rows].sum(axis=1, dtype=np.int64) == 0).sum())
    if without > HALF * rows.sum():
        yield Told(
            rule="without_labels",
            detail=f"{without} of {int(rows.sum())} samples have none of the labels: is that so, or are they unknown?",
        )


def _twins(y: Array, names: Sequence[str]) -> Iterator[Told]:
    """Labels that are on the same samples."""
    seen: dict[bytes, int] = {}
    pairs = []
    for number in range(y.shape[1]):
        first = seen.setdefault(np.packbits(y[:, number]).tobytes(), number)
        pairs += [(first, number)] if first != number and y[:, number].any() else []
    if pairs:
        yield Told(
            rule="labels_equal",
            detail=f"{len(pairs)} labels are on the same samples as another one: they say nothing of their own",
            examples=tuple(f"{names[a]} = {names[b]}" for a, b in pairs[:MAX_EXAMPLES]),
        )


# ---- masks


def _of_pixels(seen: Seen) -> Iterator[Told]:
    pixels, _ = _pixels(seen.y)
    judged = max(1, int(pixels[:UNKNOWN].sum()))
    small = [i for i in range(len(seen.names)) if 0 < pixels[i] < SMALL_SHARE * judged]
    if small:
        shown = _listed([f"{seen.names[i]!r} ({100 * pixels[i] / judged:.2g} %)" for i in small])
        yield Told(
            rule="small_class",
            detail=f"{len(small)} classes have under {100 * SMALL_SHARE:g} % of the pixels: {shown}; the pixel "
            "accuracy hides them, mean_iou does not",
            examples=tuple(seen.names[i] for i in small[:MAX_EXAMPLES]),
        )
    for split, called in NAMES.items():
        here, _ = _pixels(seen.y, np.asarray(getattr(seen.splits, split)))
        missing = [seen.names[i] for i in range(len(seen.names)) if here[i] == 0]
        if missing:
            yield _missing(called, missing, "no pixel of")
    share = pixels[UNKNOWN] / max(1, pixels.sum())
    if share > HALF:
        yield Told(rule="not_judged", detail=f"{100 * share:.0f} % of the pixels are not judged")


def _pixels(y: Array, rows: Array | None = None) -> tuple[Answered, int]:
    """Pixels of each number, (256,), and how many masks hold one class only. y: (N, H, W)."""
    total, single = np.zeros(UNKNOWN + 1, dtype=np.int64), 0
    count = len(y) if rows is None else len(rows)
    for piece in chunks(count, item_bytes(y)):
        masks = np.asarray(y[piece] if rows is None else y[rows[piece]])
        total += np.bincount(masks.ravel(), minlength=UNKNOWN + 1)
        flat = masks.reshape(len(masks), -1)
        high = np.where(flat == UNKNOWN, 0, flat).max(axis=1)
        single += int((high == flat.min(axis=1)).sum())
    return total, single


# ---- words


def _missing(called: str, names: Sequence[str], what: str) -> Told:
    uses = {
        "training": "no model can learn it; give training samples of each",
        "validation": "whether a model knows it has no influence on the search; give more samples of each",
        "test": "the final score says nothing about it; give more samples of each",
    }
    return Told(
        rule="class_missing",
        detail=f"the {called} split has {what} {_listed([repr(name) for name in names])}, so {uses[called]}",
        examples=tuple(names[:MAX_EXAMPLES]),
    )


def _listed(words: Sequence[str], *, most: int = 5) -> str:
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


def _rounded(share: float) -> float:
    return float(f"{share:.4g}")
