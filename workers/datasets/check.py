"""What samples, labels and splits of a data set say about what can be learned and measured from it.

Run once, in the process that read the files, on what was read. Nothing here refuses a data set: each finding is a rule,
a sentence and some examples, kept in `DatasetInfo.check`. Samples are compared by their hashes and counted by sorting,
O(n log n); values are looked at in SAMPLED rows of each split, so time and memory are bounded for any size.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search.planning.rule import WIDE, half_width
from workers.datasets.balance import unequal_classes
from workers.datasets.info import DatasetInfo
from workers.datasets.raw import Array, Labels
from workers.datasets.splits import Splits

MAX_EXAMPLES = 10
FEW = 5
"""Samples of a class up to which it is told: one of them is a fifth of all that is known of the class."""
HOPELESS = 0.25
"""Half-width of a score's 95 % interval (15 samples) from which the score says nothing: 0.5 is 0.25 to 0.75."""
SCALE = 8.0
"""Times the largest value, or the standard deviation, of the training split. Splits of one source stay below 2 (all
sets of `../shared/data`); 0..1 beside 0..255 is 255, 8 bits beside 12 is 16."""
SAMPLED = 1_000
SPLITS = {"search_train": "training", "search_val": "validation", "test": "test"}
PARTS = {"search_train": "train", "search_val": "val", "test": "test"}
_COVERED = {
    "has no training samples": "class_missing",
    "byte for byte repeats of others": "repeats",
    "message passing cannot distinguish": "repeats",
    " is unlike ": "scale_differs",
}
"""Parts of warnings of an import -> the rule of the finding that says the same and more."""

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """examples: names of files, row numbers or classes, at most MAX_EXAMPLES."""

    rule: str
    detail: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What is checked.

    x: (N, …) samples, or features of nodes. y: (N,) labels, -1 unknown; empty without any. splits: of seed 0, of rows
    of y; of links, pairs of nodes. items: (N,) a hash of each sample, None where samples are no items of their own.
    given: whether the source has its own test split. named: a row -> what people call it.
    """

    x: Array
    y: Labels
    splits: Splits
    items: Hashes | None
    given: bool
    named: Callable[[int], str]


def check(info: DatasetInfo, material: Material) -> dict[str, Any]:
    """`DatasetInfo.check`: {"findings": [{"rule", "detail", "examples"}, …]}."""
    found = [
        *_two_classes(info, material),
        *_repeats(info, material),
        *_classes(info, material),
        *_few(info),
        *_scale(info, material),
    ]
    return {
        "findings": [{"rule": one.rule, "detail": one.detail, "examples": list(one.examples)} for one in found],
    }


def split_counts(y: Labels, splits: Splits, *, classes: int) -> dict[str, list[int]] | None:
    """Samples of each class in train, val and test; None without labels (links, where both classes are as large)."""
    if not len(y):
        return None
    rows = {PARTS[name]: np.asarray(getattr(splits, name)) for name in SPLITS}
    return {name: np.bincount(y[own], minlength=classes).tolist() for name, own in rows.items()}


def sentences(info: DatasetInfo) -> list[str]:
    """All that should be told about a data set: findings first, then warnings that none of them covers."""
    if info.check is None:
        return list(info.report.get("warnings", ()))
    rules = {finding["rule"] for finding in info.check["findings"]}
    said = [part for part, rule in _COVERED.items() if rule in rules]
    others = [text for text in info.report.get("warnings", ()) if not any(part in text for part in said)]
    return [*(finding["detail"] for finding in info.check["findings"]), *others]


# ---- the same sample twice


def _two_classes(info: DatasetInfo, material: Material) -> Iterator[Finding]:
    """The same sample under two classes."""
    if material.items is None or not len(material.y):
        return
    order, groups = _groups(material.items)
    first, last = _ends(material.y[order], groups)
    torn = np.flatnonzero(first != last)
    if not len(torn):
        return
    count = int(np.isin(groups, torn).sum())
    same = "message passing cannot distinguish them" if info.kind == "graph" else "they are the same byte for byte"
    yield Finding(
        rule="same_sample_two_classes",
        detail=f"{count} samples are in more than one class at once although {same}: no model can get all of them "
        "right; decide on one class for each, and remove the others",
        examples=tuple(_pairs_of(order, groups, torn, material, apart=material.y)),
    )


def _repeats(info: DatasetInfo, material: Material) -> Iterator[Finding]:
    if material.items is None:
        return
    order, groups = _groups(material.items)
    sizes = np.bincount(groups)
    extra = int((sizes - 1).sum())
    if not extra:
        return
    graphs = info.kind == "graph"
    what = f"message passing cannot distinguish {extra} graphs from others"
    yield Finding(
        rule="repeats",
        detail=what if graphs else f"{extra} samples are byte for byte repeats of others",
        examples=tuple(_pairs_of(order, groups, np.flatnonzero(sizes > 1), material)),
    )
    split = np.zeros(len(material.items), dtype=np.int64)
    for number, name in enumerate(SPLITS, start=1):
        split[getattr(material.splits, name)] = number
    first, last = _ends(split[order], groups)
    across = np.flatnonzero((first != last) & (last == len(SPLITS)) & (first > 0))
    count = int((np.isin(groups, across) & (split[order] == len(SPLITS))).sum())
    if count:
        drawn = "" if material.given else " (as drawn with seed 0)"
        yield Finding(
            rule="repeats_across_splits",
            detail=f"{count} of {len(material.splits.test)} test samples are in the training or validation split "
            f"too{drawn}, so test scores come out too high; remove the repeats",
            examples=tuple(_pairs_of(order, groups, across, material, apart=split)),
        )


def _groups(items: Hashes) -> tuple[Numbers, Numbers]:
    """Rows in an order that puts equal items together, and the group's number of each in that order."""
    order = np.argsort(items, kind="stable")
    ordered = items[order]
    return order, np.cumsum(np.concatenate([[False], ordered[1:] != ordered[:-1]])).astype(np.int64)


def _ends(values: Numbers, groups: Numbers) -> tuple[Numbers, Numbers]:
    """The smallest and the largest value of each group."""
    starts = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
    return np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def _pairs_of(
    order: Numbers, groups: Numbers, wanted: Numbers, material: Material, *, apart: Numbers | None = None
) -> Iterator[str]:
    """ "a = b" for some groups: the first two rows, or with `apart` the two with its smallest and largest value."""
    for group in wanted[:MAX_EXAMPLES]:
        start, stop = np.searchsorted(groups, [group, group + 1])
        rows = order[start:stop]
        one, other = rows[:2] if apart is None else (rows[apart[rows].argmin()], rows[apart[rows].argmax()])
        yield f"{material.named(int(one))} = {material.named(int(other))}"


# ---- classes


def _classes(info: DatasetInfo, material: Material) -> Iterator[Finding]:
    if not len(material.y):
        return
    names, counts = info.class_names, np.array(info.counts)
    small = np.flatnonzero((counts > 0) & (counts <= FEW))
    if len(small):
        named = _listed([f"{names[i]!r} ({counts[i]})" for i in small])
        yield Finding(
            rule="small_class",
            detail=f"{_classes_of(len(small))} {FEW} samples or fewer: {named}; so few teach nothing, and "
            "no score of such a class means anything: give more samples, or leave the class out",
            examples=_examples(small, names),
        )
    if (unequal := unequal_classes("auto", info, info.tasks[0])) is not None:
        yield Finding(rule="unequal_classes", detail=unequal)
    for name, called in SPLITS.items():
        here = np.bincount(material.y[getattr(material.splits, name)], minlength=len(names))
        missing = np.flatnonzero((here == 0) & (counts > 0)) if name != "search_train" else np.flatnonzero(here == 0)
        if len(missing):
            yield Finding(
                rule="class_missing",
                detail=f"the {called} split has no sample of {_listed([repr(names[i]) for i in missing])}, so "
                f"{_WITHOUT[name]}",
                examples=_examples(missing, names),
            )


_WITHOUT = {
    "search_train": "no model can learn to answer it; give training samples of each class",
    "search_val": "whether a model knows it has no influence on the search; give more samples of each class",
    "test": "the final score says nothing about it; give more samples of each class",
}


def _classes_of(count: int) -> str:
    return "one class has" if count == 1 else f"{count} classes have"


def _examples(classes: Numbers, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(names[i] for i in classes[:MAX_EXAMPLES])


def _listed(words: Sequence[str], *, most: int = 5) -> str:
    """The first few, and how many more there are."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


# ---- sizes and values


def _few(info: DatasetInfo) -> Iterator[Finding]:
    """Validation and test splits too small to rank architectures, or to measure one."""
    sizes = {"search_val": info.val, "test": info.test}
    wide = {name: half_width(size) for name, size in sizes.items() if half_width(size) > WIDE}
    for name, width in wide.items():
        hopeless = width >= HOPELESS
        use = {
            ("search_val", True): "nothing can be ranked",
            ("search_val", False): "architectures closer to each other than that cannot be ranked",
            ("test", True): "nothing can be measured",
            ("test", False): "smaller differences cannot be measured",
        }[name, hopeless]
        yield Finding(
            rule="few_samples",
            detail=f"the {SPLITS[name]} split has {sizes[name]} samples: a score near 0.5 is known to ± {width:.2f} "
            f"(95 %), so {use}; give more samples" + (", a hundred a class or more" if hopeless else ""),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Values:
    low: float
    high: float
    mean: float
    std: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} (mean {self.mean:.3g}, standard deviation {self.std:.3g})"


def _scale(info: DatasetInfo, material: Material) -> Iterator[Finding]:
    """Splits of the source in other units than its training split. Drawn splits cannot differ by that much."""
    if not material.given or info.tasks[0] not in ("image", "volume", "series", "nodes"):
        return
    train = _values(material.x, material.splits.search_train)
    for name in ("search_val", "test"):
        other = _values(material.x, getattr(material.splits, name))
        if _apart(train, other):
            yield Finding(
                rule="scale_differs",
                detail=f"values of the {SPLITS[name]} split are {other}, of the training split {train}: other units? "
                f"A network sees them as other {_called(info)} altogether; bring them to one scale",
            )


def _called(info: DatasetInfo) -> str:
    return info.kind if info.kind == "series" else "pictures"


def _values(x: Array, rows: Numbers) -> _Values:
    """Of at most SAMPLED rows at even steps."""
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), SAMPLED)).astype(np.int64))]
    seen = np.asarray(x[some], dtype=np.float32)
    return _Values(
        low=float(seen.min()),
        high=float(seen.max()),
        mean=float(seen.mean(dtype=np.float64)),
        std=float(seen.std(dtype=np.float64)),
    )


def _apart(train: _Values, other: _Values) -> bool:
    """Both the reach and the spread of one are SCALE times those of the other: one blank picture is not enough."""
    reach = [max(abs(values.low), abs(values.high)) for values in (train, other)]
    spread = [train.std, other.std]
    return all(max(pair) > SCALE * min(pair) for pair in (reach, spread))


def names_of_rows(parts: Mapping[str, tuple[int, int]], names: Sequence[str], *, noun: str) -> Callable[[int], str]:
    """What people call a row: its name in the source, else its number, counted in its own part where there are some."""

    def named(row: int) -> str:
        if names:
            return names[row]
        for part, (start, stop) in parts.items():
            if len(parts) > 1 and start <= row < stop:
                return f"{part} {noun} {row - start}"
        return f"{noun} {row}"

    return named
