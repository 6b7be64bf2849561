"""Splits of samples: search_train, search_val and test, disjoint, made once per data set and seed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.datasets.group_splits import carve_groups
from workers.datasets.raw import Array, Labels, Parts, chunks, fault, item_bytes
from workers.datasets.strata import strata

Indices = npt.NDArray[np.int64]

TEST_SHARE = 0.2
VAL_SHARE = 0.15
"""Share of what is left after the test split."""
MOST_TEST, MOST_VAL = 50_000, 20_000
"""Samples that are drawn at most: on 50,000 an accuracy of 0.5 is known to 0.0044 (95 %), on 20,000 to 0.0069, and each
score costs a pass over its split. Of 1,000,000 pictures a share alone would take 200,000 and 120,000."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Splits:
    """Sorted row numbers. The search sees search_train and search_val; test is for the finalists, once."""

    search_train: Indices
    search_val: Indices
    test: Indices

    @property
    def final_train(self) -> Indices:
        """search_train and search_val together: what a finalist is trained on."""
        return np.sort(np.concatenate([self.search_train, self.search_val]))

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each split's row numbers (little-endian int64)."""
        return {name: index_hash(getattr(self, name)) for name in ("search_train", "search_val", "test")}


def index_hash(indices: Indices) -> str:
    return hashlib.sha256(np.ascontiguousarray(indices, dtype="<i8").tobytes()).hexdigest()


def make_splits(
    y: Array, parts: Parts, *, seed: int, groups: Labels | None = None, problem: str = "classification"
) -> Splits:
    """Keeps the source's own val and test rows; takes what is missing from train, stratum by stratum.

    y: answers, for classes (N,); what the strata are for another problem is said in `strata`.
    groups: (N,) the group of each sample; no group is in two of the splits that are drawn.

    Raises InvalidDataset (too_few_samples) when a split would be empty.
    """
    return complete_splits(
        {name: np.arange(*parts[name], dtype=np.int64) for name in parts}, strata(y, problem), seed=seed, groups=groups
    )


def complete_splits(rows: Mapping[str, Indices], y: Labels, *, seed: int, groups: Labels | None = None) -> Splits:
    """The same for parts given as row numbers, "train" and perhaps "val" and "test". y: (N,) strata."""
    train, test, val = rows["train"], rows.get("test"), rows.get("val")
    if groups is not None:
        if test is None:
            share = _share(TEST_SHARE, train, MOST_TEST)
            train, test = carve_groups(train, y, groups, share=share, seed=seed, number=1)
        if val is None:
            share = _share(VAL_SHARE, train, MOST_VAL)
            train, val = carve_groups(train, y, groups, share=share, seed=seed, number=2)
    if test is None:
        share = _share(TEST_SHARE, train, MOST_TEST)
        train, test = _carve(train, y, share=share, keep=1 if val is not None else 2, seed=(seed, 1))
    if val is None:
        train, val = _carve(train, y, share=_share(VAL_SHARE, train, MOST_VAL), keep=1, seed=(seed, 2))
    for name, indices in (("training", train), ("validation", val), ("test", test)):
        if not len(indices):
            detail = f"too few samples: of {len(y)} none is left for the {name} split; give 3 samples a class or more"
            detail += "" if groups is None else ", in 3 groups or more"
            raise fault("too_few_samples", detail)
    return Splits(search_train=train, search_val=val, test=test)


def _share(usual: float, rows: Indices, most: int) -> float:
    return min(usual, most / max(1, len(rows)))


def _carve(rows: Indices, y: Labels, *, share: float, keep: int, seed: tuple[int, int]) -> tuple[Indices, Indices]:
    """Takes `share` of each class out of `rows`: at least one sample, but always leaves `keep` of the class."""
    taken: list[Indices] = []
    for label in np.unique(y[rows]):
        members = rows[y[rows] == label]
        count = min(max(1, round(share * len(members))), len(members) - keep)
        if count > 0:
            order = np.random.default_rng([*seed, int(label)]).permutation(len(members))
            taken.append(members[order[:count]])
    out = np.sort(np.concatenate(taken)) if taken else np.empty(0, dtype=np.int64)
    return np.setdiff1d(rows, out, assume_unique=True), out


def channel_statistics(x: Array, rows: Indices) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of x[rows], in the units of x; a flat channel gets 1.

    x: (N, C, ...) with any number of axes behind the channels.
    """
    channels, others = x.shape[1], (0, *range(2, x.ndim))
    total, squares, count = np.zeros(channels), np.zeros(channels), 0
    for piece in chunks(len(rows), item_bytes(x) * 8 // x.dtype.itemsize):
        values = np.asarray(x[rows[piece]], dtype=np.float64)
        total += values.sum(axis=others)
        squares += np.square(values).sum(axis=others)
        count += values.size // channels
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    std = np.where(variance > 1e-12, np.sqrt(variance), 1.0)
    return tuple(mean.tolist()), tuple(std.tolist())


def duplicates_across(item_hashes: npt.NDArray[np.uint64], splits: Splits) -> dict[str, int]:
    """How many samples of the later split are byte for byte in the earlier one."""
    seen, val, test = (item_hashes[rows] for rows in (splits.search_train, splits.search_val, splits.test))
    return {
        "search_val_in_search_train": int(np.isin(val, seen).sum()),
        "test_in_search_train": int(np.isin(test, seen).sum()),
        "test_in_search_val": int(np.isin(test, val).sum()),
    }
