"""Strata of answers of any kind, splits by them, and what is counted of answers."""

from pathlib import Path

import numpy as np
import pytest

from archsmith.errors import InvalidDataset
from workers.datasets import DataStore
from workers.datasets.answers import answer_warnings, counts, target_statistics
from workers.datasets.raw import Array, RawDataset
from workers.datasets.splits import make_splits
from workers.datasets.strata import BINS, known, strata

RNG = np.random.default_rng(0)
LABELS = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0], [1, 0, 0]], dtype=np.uint8)
MASKS = RNG.integers(0, 3, (40, 4, 5)).astype(np.uint8)
SKEWED = np.exp(2 * RNG.normal(size=(1000, 2))).astype(np.float32)


def test_numbers_fall_into_bins_of_equal_size() -> None:
    found = strata(SKEWED, "regression")
    assert np.bincount(found).tolist() == [100] * BINS
    order = np.argsort(SKEWED[:, 0])
    assert (np.diff(found[order]) >= 0).all(), "by the first target, ascending"


@pytest.mark.parametrize(("samples", "bins"), [(9, 1), (25, 2), (100, 10), (5000, 10)])
def test_few_numbers_have_fewer_bins(samples: int, bins: int) -> None:
    assert len(np.unique(strata(RNG.normal(size=(samples, 1)), "regression"))) == bins


def test_equal_numbers_are_in_one_bin() -> None:
    y = np.array([[0.0]] * 80 + [[1.0]] * 20)
    found = strata(y, "regression")
    assert len(set(found[:80])) == 1
    assert len(set(found[80:])) == 1
    assert found[0] != found[80]


def test_labels_go_by_the_rarest() -> None:
    assert strata(LABELS, "multilabel").tolist() == [0, 1, 2, 3, 0]


def test_classes_are_their_own_strata_and_masks_have_none() -> None:
    y = np.array([2, 0, 1, -1])
    assert strata(y, "classification").tolist() == strata(y, "ordinal").tolist() == y.tolist()
    assert strata(MASKS, "segmentation").tolist() == [0] * 40


def test_unknown_answers_have_no_stratum() -> None:
    numbers = np.array([[1.0, 2.0], [np.nan, 1.0], [3.0, np.nan], [4.0, 0.0]])
    assert known(numbers, "regression").tolist() == [True, False, False, True]
    assert strata(numbers, "regression").tolist() == [0, -1, -1, 0]
    labels = np.array([[1, 0], [255, 255], [0, 1]], dtype=np.uint8)
    assert strata(labels, "multilabel").tolist() == [0, -1, 1]
    assert known(np.array([1, -1]), "classification").tolist() == [True, False]


def test_splits_of_numbers_have_the_same_distribution() -> None:
    splits = make_splits(SKEWED, {"train": (0, 1000)}, seed=3, problem="regression")
    assert [len(rows) for rows in (splits.search_train, splits.search_val, splits.test)] == [680, 120, 200]
    bins = strata(SKEWED, "regression")
    assert np.bincount(bins[splits.test]).tolist() == [20] * BINS
    assert np.bincount(bins[splits.search_val]).tolist() == [12] * BINS


def test_a_rare_label_is_in_every_split() -> None:
    y = (RNG.random((500, 3)) < 0.5).astype(np.uint8)
    y[:, 2] = np.arange(500) < 12
    splits = make_splits(y, {"train": (0, 500)}, seed=0, problem="multilabel")
    assert min(y[rows, 2].sum() for rows in (splits.search_train, splits.search_val, splits.test)) >= 1


@pytest.mark.parametrize("problem", ["regression", "multilabel", "segmentation"])
def test_no_group_is_in_two_splits(problem: str) -> None:
    y: dict[str, Array] = {
        "regression": SKEWED[:300],
        "multilabel": (RNG.random((300, 4)) < 0.3).astype(np.uint8),
        "segmentation": RNG.integers(0, 2, (300, 3, 3)).astype(np.uint8),
    }
    groups = np.repeat(np.arange(60), 5)
    splits = make_splits(y[problem], {"train": (0, 300)}, seed=1, groups=groups, problem=problem)
    parts = [set(groups[rows].tolist()) for rows in (splits.search_train, splits.search_val, splits.test)]
    assert all(parts)
    assert sum(map(len, parts)) == 60


def test_what_is_counted() -> None:
    assert counts(LABELS, "multilabel", 3) == (3, 2, 1)
    assert counts(np.array([[1.0, 2.0], [np.nan, 1.0]]), "regression", 2) == (1, 1)
    masks = np.array([[[0, 1], [1, 255]]], dtype=np.uint8)
    assert counts(masks, "segmentation", 3) == (1, 2, 0)
    assert counts(np.array([0, 2, 2, -1]), "ordinal", 3) == (1, 0, 2)


@pytest.mark.parametrize(
    ("problem", "y", "part"),
    [
        ("regression", np.ones((9, 2)), "nothing to learn"),
        ("multilabel", np.ones((9, 2), dtype=np.uint8), "nothing to learn"),
        ("segmentation", np.full((9, 2, 2), 255, dtype=np.uint8), "at least 2 classes of pixels"),
        ("regression", np.ones((2, 1)), "at least 3 samples"),
    ],
)
def test_answers_that_nothing_can_learn_are_refused(problem: str, y: Array, part: str) -> None:
    with pytest.raises(InvalidDataset, match=part):
        answer_warnings(y, ("a", "b"), {"train": (0, len(y))}, problem)


def test_answers_that_are_unusual_are_told() -> None:
    flat = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 6.0], [4.0, 7.0]])
    told = answer_warnings(flat, ("a", "b"), {"train": (0, 2), "test": (2, 4)}, "regression")
    assert told == ("the target b has the same value for all training samples",)
    told = answer_warnings(LABELS, ("a", "b", "c"), {"train": (0, 2), "test": (2, 5)}, "multilabel")
    assert told == ("no training sample has the label c", "every training sample has the label a")
    masks = np.array([[[0, 1]], [[0, 1]], [[2, 2]]], dtype=np.uint8)
    told = answer_warnings(masks, ("x", "y", "z"), {"train": (0, 2), "test": (2, 3)}, "segmentation")
    assert told == ("class z is in no pixel of the training samples",)


def raw(problem: str, y: Array, names: tuple[str, ...]) -> RawDataset:
    x = RNG.integers(0, 256, (len(y), 1, 4, 5), dtype=np.uint8)
    return RawDataset(
        format="npz", pieces=(x,), dtype=x.dtype, y=y, class_names=names, parts={"train": (0, len(y))}, problem=problem
    )


def test_the_store_keeps_answers_of_each_problem(tmp_path: Path) -> None:
    store = DataStore(tmp_path)
    answers: dict[str, Array] = {
        "regression": SKEWED[:200],
        "multilabel": (RNG.random((200, 2)) < 0.3).astype(np.uint8),
        "ordinal": np.arange(200) % 2,
        "segmentation": RNG.integers(0, 2, (200, 4, 5)).astype(np.uint8),
    }
    for problem, y in answers.items():
        info = store.add(problem, raw(problem, y, ("a", "b")))
        opened = store.open(problem, seed=2)
        assert store.describe(problem) == info
        assert (info.problem, opened.problem, opened.classes) == (problem, problem, 2)
        assert info.tasks == (("segmentation",) if problem == "segmentation" else ("image",))
        assert opened.search_val.y.dtype == y.dtype
        assert (opened.search_val.y == y[opened.splits.search_val]).all()
        mean, std = target_statistics(y[opened.splits.search_train]) if problem == "regression" else ((), ())
        assert (opened.target_mean, opened.target_std) == (mean, std)


def test_the_same_labels_as_another_problem_are_another_content(tmp_path: Path) -> None:
    store, y = DataStore(tmp_path), np.arange(40) % 2
    x = raw("classification", y, ("a", "b"))
    as_order = RawDataset(
        format="npz", pieces=x.pieces, dtype=x.dtype, y=y, class_names=x.class_names, parts=x.parts, problem="ordinal"
    )
    assert store.add("one", x).sha256 != store.add("other", as_order).sha256


def test_statistics_of_targets() -> None:
    mean, std = target_statistics(np.array([[1.0, 7.0], [3.0, 7.0]]))
    assert (mean, std) == ((2.0, 7.0), (1.0, 1.0)), "1 for a flat target, that nothing is divided by 0"
