"""The split that comes with arrays x and y: row numbers, truth values, or a name for each sample.

    train_idx, val_idx, test_idx     (k,) row numbers from 0; also _index, _indices, _ids of train, val, valid, test
    train_mask, val_mask, test_mask  (N,) truth values; (N, k), several splits: the first is taken, and that is said
    split                            (N,) the texts train, val or test

Rows in no part are left out. Without a validation part it is drawn from train, as for x_train and x_test.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from workers.datasets.named import NUMBERS, TEXTS, NamedArrays
from workers.datasets.raw import Array, chunks, fault, item_bytes
from workers.datasets.splits import Indices
from workers.datasets.texts import as_texts

_NAME = re.compile(
    r"(?P<part>train(?:ing)?|val|valid|validation|dev|test)_?(?P<how>idx|index|indices|ids|mask)"
    r"|(?P<how2>idx|index|indices|mask)_(?P<part2>train(?:ing)?|val|valid|validation|dev|test)",
    re.IGNORECASE,
)
PARTS = {"train": "train", "training": "train", "test": "test"} | dict.fromkeys(
    ("val", "valid", "validation", "dev"), "val"
)
SPLIT = ("split", "splits", "subset")


def names_of(arrays: NamedArrays) -> dict[str, str]:
    """Array name -> "train", "val", "test" for row numbers and masks, "" for a column of names."""
    found = {name: _NAME.fullmatch(name) for name in arrays.names}
    parts = {name: PARTS[(m["part"] or m["part2"]).lower()] for name, m in found.items() if m}
    return parts | {name: "" for name in SPLIT if name in arrays.names}


def given_rows(arrays: NamedArrays, *, count: int) -> tuple[dict[str, Indices], tuple[str, ...]]:
    """Rows of each part, ascending, {} where no split is given; and remarks. Raises `masks_invalid`."""
    names = names_of(arrays)
    if not names:
        return {}, ()
    twice = len(set(names.values())) < len(names) or ("" in names.values() and len(names) > 1)
    if twice:
        raise _invalid(arrays, f"{', '.join(names)} give a split twice; keep one of them")
    if "" in names.values():
        rows, remarks = _of_names(arrays, next(iter(names)), count)
    else:
        read = {part: _rows(arrays, name, count) for name, part in names.items()}
        rows = {part: found for part, (found, _) in read.items()}
        remarks = tuple(remark for _, remark in read.values() if remark)
    return _checked(arrays, rows, remarks, ", ".join(names), count)


def _checked(
    arrays: NamedArrays, rows: dict[str, Indices], remarks: tuple[str, ...], names: str, count: int
) -> tuple[dict[str, Indices], tuple[str, ...]]:
    taken = np.zeros(count, dtype=np.int64)
    for found in rows.values():
        taken[found] += 1
    if (taken > 1).any():
        raise _invalid(arrays, f"{names} put sample {int((taken > 1).argmax())} into two parts")
    if "train" not in rows and "test" in rows:  # what is held out is named, the rest is for training
        rest = np.flatnonzero(taken == 0)
        return rows | {"train": rest}, (*remarks, f"{names}: the other {len(rest)} samples are the training samples")
    left = int((taken == 0).sum())
    if "train" not in rows or ("test" not in rows and left):
        raise _invalid(arrays, f"there is {names} only: a split needs the rows of train and of test, perhaps of val")
    if left:
        remarks = (*remarks, f"{left} of {count} samples are in no part of the given split and are left out")
    return rows, remarks


def _rows(arrays: NamedArrays, name: str, count: int) -> tuple[Indices, str]:
    found, remark = np.asarray(arrays.read(name, kinds=NUMBERS)), ""
    mask = name.lower().endswith("mask") or name.lower().startswith("mask") or found.dtype.kind == "b"
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if mask and found.ndim == 2 and len(found) == count:
        remark = f"{name} holds {found.shape[1]} splits; the first is used"
        found = found[:, 0]
    if mask:
        if found.shape != (count,) or not np.isin(found, (0, 1)).all() or not found.any():
            raise _invalid(arrays, f"{name} must hold a truth value for each of {count} samples, some true", name)
        return np.flatnonzero(found), remark
    if found.ndim != 1 or found.dtype.kind not in "iu" or found.min() < 0 or found.max() >= count:
        raise _invalid(arrays, f"{name} must be a list of row numbers from 0 to {count - 1}", name)
    rows = np.unique(found).astype(np.int64)
    if len(rows) < len(found):
        raise _invalid(arrays, f"{name} names {len(found) - len(rows)} rows twice", name)
    return rows, remark


def _of_names(arrays: NamedArrays, name: str, count: int) -> tuple[dict[str, Indices], tuple[str, ...]]:
    found = arrays.read(name, kinds=NUMBERS + TEXTS)
    if found.shape != (count,) or found.dtype.kind not in TEXTS:
        detail = f"{name} must hold train, val or test for each of {count} samples; it is {found.dtype} {found.shape}"
        raise _invalid(arrays, detail, name)
    kinds, where = np.unique(found, return_inverse=True)
    texts = [text.lower() for text in as_texts(kinds, file=name)]
    if unknown := [text for text in texts if text not in PARTS]:
        raise _invalid(arrays, f"{name} holds {unknown[0][:40]!r}; known are train, val and test", name)
    parts = np.array([PARTS[text] for text in texts])[where.reshape(-1)]
    return {part: np.flatnonzero(parts == part) for part in dict.fromkeys(parts.tolist())}, ()


def _invalid(arrays: NamedArrays, detail: str, name: str = "") -> Exception:
    return fault("masks_invalid", detail, file=name or arrays.file)


def gathered(x: Array, rows: Mapping[str, Indices], *, scratch: Path) -> dict[str, Array]:
    """x[rows] of each part as a mapped file, a bounded number of samples at a time."""
    out: dict[str, Array] = {}
    for part, found in rows.items():
        path = scratch / f"part-{part}.npy"
        target = np.lib.format.open_memmap(path, mode="w+", dtype=x.dtype, shape=(len(found), *x.shape[1:]))
        for piece in chunks(len(found), item_bytes(x)):
            target[piece] = x[found[piece]]
        out[part] = target
    return out
