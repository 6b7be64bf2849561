"""Labels as classes by value, the meaning of axes, given splits, and training and test of one scale."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsmith.errors import InvalidDataset
from tests.unit.workers.sources import labels, pixels, rules, write_npz
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.axes import as_samples
from workers.datasets.ingest import ingest
from workers.datasets.labels import Classes, as_classes
from workers.datasets.scale import scale_warnings


def classes(y: Any, names: list[str] | None = None) -> Classes:
    return as_classes({"train": np.asarray(y)}, files={"train": "y"}, names=names)


GOOD: dict[str, tuple[Any, list[str] | None, tuple[str, ...], list[int]]] = {
    "from 1": ([1, 3, 2], None, ("1", "2", "3"), [0, 2, 1]),
    "far apart": ([512, 3, 17], None, ("3", "17", "512"), [2, 0, 1]),
    "signs": ([-1, 1, 1], None, ("-1", "1"), [0, 1, 1]),
    "whole floats": ([2.0, 10.0], None, ("2", "10"), [0, 1]),
    "truth values": ([True, False], None, ("0", "1"), [1, 0]),
    "texts": (["b", "a ", "b"], None, ("a", "b"), [1, 0, 1]),
    "bytes": ([b"b", b"a"], None, ("a", "b"), [1, 0]),
    "two spellings": (["e\u0301", "\u00e9", "x"], None, ("x", "\u00e9"), [1, 1, 0]),
    "numbers as texts": (["10", "9"], None, ("9", "10"), [1, 0]),
    "one-hot": ([[0, 1, 0], [1, 0, 0], [0, 0, 1]], None, ("0", "1", "2"), [1, 0, 2]),
    "one-hot with names": ([[0, 1, 0], [1, 0, 0]], ["a", "b", "c"], ("a", "b", "c"), [1, 0]),
    "a column": ([[4], [7]], None, ("4", "7"), [0, 1]),
    "a row": ([[4, 7, 4]], None, ("4", "7"), [0, 1, 0]),
    "names by position": ([1, 2, 3], ["a", "b", "c"], ("a", "b", "c"), [0, 1, 2]),
    "names by value": ([0, 2], ["a", "b", "c"], ("a", "b", "c"), [0, 2]),
    "names of texts": (["b", "a"], ["b", "c", "a"], ("b", "c", "a"), [0, 2]),
    "three with -1, named": ([-1, 0, 1], ["no", "so", "yes"], ("no", "so", "yes"), [0, 1, 2]),
}


@pytest.mark.parametrize("case", GOOD)
def test_labels_become_classes_by_value(case: str) -> None:
    y, names, shown, numbers = GOOD[case]
    found = classes(y, names)
    assert (found.names, found.y["train"].tolist()) == (shown, numbers)


BAD: dict[str, tuple[Any, list[str] | None, str]] = {
    "halves": ([0, 0.5], None, "not a whole number"),
    "not a number": ([0, np.nan], None, "not a whole number"),
    "unlabelled?": ([-1, 0, 1], None, "without a label"),
    "several labels": ([[1, 1, 0], [1, 0, 0]], None, "several labels"),
    "shares": ([[0.5, 0.5], [1, 0]], None, "several labels"),
    "empty text": (["a", ""], None, "index 1 of y is empty"),
    "no UTF-8": ([b"\xff", b"a"], None, "UTF-8"),
    "names from 0 or from 1?": ([1, 2], ["a", "b", "c"], "cannot be told"),
    "names too few": ([0, 1, 2], ["a", "b"], "cannot be told"),
    "names that are the labels in another order": ([0, 1], ["1", "0"], "two names"),
    "a text without a name": (["a", "d"], ["a", "b"], "'d'"),
    "columns and names": ([[1, 0], [0, 1]], ["a", "b", "c"], "2 columns"),
    "too many": (np.arange(10_001), None, "are they classes"),
    "complex": ([1j, 2], None, "cannot be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_labels_that_cannot_be_told_are_refused(case: str) -> None:
    y, names, text = BAD[case]
    with pytest.raises(InvalidDataset, match=text):
        classes(y, names)


@given(st.lists(st.integers(-(2**40), 2**40), min_size=3, max_size=40))
def test_each_label_keeps_its_value_as_the_name(values: list[int]) -> None:
    if min(values) == -1 and len(set(values)) > 2:
        return
    found = classes(values)
    assert [int(found.names[number]) for number in found.y["train"]] == values
    assert list(found.names) == [str(value) for value in sorted(set(values))]


def test_labels_of_all_splits_are_one_list() -> None:
    found = as_classes({"train": np.array([5, 7]), "test": np.array([7, 9])}, files={"train": "a", "test": "b"})
    assert found.names == ("5", "7", "9")
    assert {part: y.tolist() for part, y in found.y.items()} == {"train": [0, 1], "test": [1, 2]}
    with pytest.raises(InvalidDataset, match="texts in one split"):
        as_classes({"train": np.array([5]), "test": np.array(["7"])}, files={"train": "a", "test": "b"})


# --- axes


@pytest.mark.parametrize("sides", [(5, 5, 9), (16, 12, 40), (9, 9, 200), (40, 12, 16)])
def test_axes_with_two_readings_are_refused(sides: tuple[int, ...]) -> None:
    with pytest.raises(InvalidDataset, match="may be pictures") as caught:
        as_samples(np.zeros((3, *sides), np.uint8), file="x")
    assert rules(caught) == {"shape_invalid"}


def test_thirteen_channels_are_channels_wherever_they_are() -> None:
    for sides in ((13, 64, 64), (64, 64, 13)):
        samples, remarks = as_samples(np.zeros((3, *sides), np.uint8), file="x")
        assert samples.shape == (3, 13, 64, 64)
        assert "13 channels" in remarks[0]


# --- splits that come along


def read(path: Path, store: Path, **arrays: Any) -> tuple[DatasetInfo, DataStore]:
    kept = DataStore(store)
    return ingest("npz", write_npz(path, **arrays), name="sample", store=kept), kept


def parts_of(store: DataStore) -> list[np.ndarray]:
    splits = store.open("sample", seed=0).splits
    return [splits.search_train, splits.search_val, splits.test]


X, Y = pixels(60, 4, 4), labels(60)
ROWS = np.random.default_rng(0).permutation(60)
TRAIN, VAL, TEST = np.split(ROWS, [30, 45])


def mask(rows: np.ndarray) -> np.ndarray:
    return np.isin(np.arange(60), rows)


NAMED = np.full(60, "train", dtype="<U5")
NAMED[VAL], NAMED[TEST] = "val", "test"
SPLITS: dict[str, dict[str, Any]] = {
    "row numbers": {"train_idx": TRAIN, "val_idx": VAL, "test_idx": TEST},
    "masks": {"train_mask": mask(TRAIN), "valid_mask": mask(VAL), "test_mask": mask(TEST)},
    "masks of several splits": {
        "train_mask": np.stack([mask(TRAIN), mask(TEST)], axis=1),
        "val_mask": np.stack([mask(VAL), mask(VAL)], axis=1),
        "test_mask": np.stack([mask(TEST), mask(TRAIN)], axis=1),
    },
    "names": {"split": NAMED},
}


@pytest.mark.parametrize("case", SPLITS)
def test_a_given_split_is_the_split(tmp_path: Path, case: str) -> None:
    info, store = read(tmp_path / "a.npz", tmp_path / "store", x=X, y=Y, **SPLITS[case])
    assert (info.train, info.val, info.test) == (30, 15, 15)
    data = store.open("sample", seed=0)
    for split, rows in ((data.search_train, TRAIN), (data.search_val, VAL), (data.test, TEST)):
        assert (split.x[:, 0] == X[np.sort(rows)]).all()
        assert (split.y == Y[np.sort(rows)]).all()
    assert info.report["ignored_files"] == []


def test_rows_in_no_part_and_a_test_part_alone(tmp_path: Path) -> None:
    info, _ = read(tmp_path / "a.npz", tmp_path / "a", x=X, y=Y, train_idx=TRAIN, test_idx=TEST)
    assert info.train + info.val == 30
    assert info.test == 15
    assert any("15 of 60 samples are in no part" in text for text in info.report["warnings"])
    info, _ = read(tmp_path / "b.npz", tmp_path / "b", x=X, y=Y, test_mask=mask(TEST))
    assert (info.train + info.val, info.test) == (45, 15)


@pytest.mark.parametrize(
    "arrays",
    [
        {"train_idx": TRAIN, "test_idx": TRAIN},
        {"train_idx": TRAIN},
        {"train_idx": TRAIN + 40, "test_idx": TEST},
        {"train_idx": np.repeat(TRAIN, 2), "test_idx": TEST},
        {"train_mask": mask(TRAIN)[:50], "test_mask": mask(TEST)},
        {"train_mask": mask(TRAIN), "train_idx": TRAIN, "test_idx": TEST},
        {"split": np.full(60, "fold1")},
        {"train_idx": TRAIN, "test_idx": TEST, "x_test": X, "y_test": Y},
    ],
)
def test_splits_that_are_none_are_refused(tmp_path: Path, arrays: dict[str, Any]) -> None:
    with pytest.raises(InvalidDataset) as caught:
        read(tmp_path / "a.npz", tmp_path / "store", x=X, y=Y, **arrays)
    assert rules(caught) == {"masks_invalid"}


def test_an_array_that_looks_like_a_split_is_never_passed_over_in_silence(tmp_path: Path) -> None:
    info, _ = read(tmp_path / "a.npz", tmp_path / "store", x=X, y=Y, folds=Y, sample_weight=Y, other=Y)
    assert [text.split()[2] for text in info.report["warnings"]] == ["folds", "sample_weight"]
    assert info.report["ignored_files"] == ["folds", "other", "sample_weight"]


# --- one scale


def scaled(train: np.ndarray, test: np.ndarray) -> tuple[str, ...]:
    return scale_warnings({"train": train, "test": test}, {"train": "x_train", "test": "x_test"})


def test_other_scales_and_types_are_said() -> None:
    x = pixels(60, 8, 8).astype(np.float32)
    assert "255 times" in scaled(x / 255, x)[0]
    assert "below 0" in scaled(x / 255, x / 255 - 0.5)[0]
    assert "floats" in scaled(x.astype(np.uint8), x)[0]
    assert "mean" in scaled(x, x + 1000)[0]
    assert scaled(x[:40], x[40:]) == ()
    assert scaled(x.astype(np.uint8), x.astype(np.int64)) == ()
    assert scaled(np.zeros((9, 4, 4)), x) == ()


def test_honest_splits_are_never_called_unlike() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        for x in (rng.normal(size=(50, 6, 6)), rng.exponential(size=(50, 6, 6)), rng.random((50, 6, 6)) < 0.02):
            assert scaled(np.asarray(x[:35]), np.asarray(x[35:])) == ()
