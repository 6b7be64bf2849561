"""What arrays of answers are: by what they hold, by the option `problem`, and refused where the two contradict."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsmith import formats
from archsmith.errors import InvalidDataset
from tests.unit.workers.sources import pixels, rules, write_npz
from workers.conventions import PROBLEMS
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.given_answers import Answers, as_answers
from workers.datasets.ingest import FORMATS, ingest

RNG = np.random.default_rng(0)
N = 30
DECIMALS = RNG.normal(size=N)
TABLE = RNG.normal(size=(N, 2))
MARKS = RNG.integers(0, 2, (N, 3)).astype(np.uint8)
WHOLE = np.arange(N) % 3


def answers(y: Any, asked: str | None = None, names: list[str] | None = None) -> Answers:
    return as_answers({"train": np.asarray(y)}, files={"train": "y"}, asked=asked, names=names)


def test_the_words_are_the_same_everywhere() -> None:
    assert formats.PROBLEMS == PROBLEMS
    assert {name for kind in FORMATS.values() for name in kind.problems} == set(PROBLEMS)


DECIDED: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "decimals": (DECIMALS, "regression", ("target",)),
    "decimals in a column": (DECIMALS[:, None], "regression", ("target",)),
    "a table of decimals": (TABLE, "regression", ("target 0", "target 1")),
    "marks": (MARKS, "multilabel", ("0", "1", "2")),
    "marks of truth": (MARKS.astype(bool), "multilabel", ("0", "1", "2")),
    "signs": (2 * MARKS.astype(int) - 1, "multilabel", ("0", "1", "2")),
    "one-hot": (np.eye(3)[WHOLE], "classification", ("0", "1", "2")),
    "whole numbers": (WHOLE, "classification", ("0", "1", "2")),
    "whole floats": (WHOLE.astype(float), "classification", ("0", "1", "2")),
    "texts": (np.array(["0.5", "a", "b"] * 10), "classification", ("0.5", "a", "b")),
}


@pytest.mark.parametrize("case", DECIDED)
def test_what_answers_are_by_what_they_hold(case: str) -> None:
    y, problem, names = DECIDED[case]
    found = answers(y)
    assert (found.problem, found.names) == (problem, names)
    told = [f"read as {problem}; --problem says otherwise" in text for text in found.warnings]
    assert any(told) == (problem != "classification")
    stored = found.y["train"]
    if problem == "regression":
        assert stored.dtype == np.float32
        assert np.allclose(stored, np.asarray(y).reshape(N, -1))
    if problem == "multilabel":
        assert stored.dtype == np.uint8
        assert stored.tolist() == MARKS.tolist()


ASKED: dict[str, tuple[Any, str, list[str] | None, tuple[str, ...], Any]] = {
    "whole numbers as targets": (WHOLE, "regression", None, ("target",), WHOLE[:, None]),
    "texts of numbers as targets": (DECIMALS.astype(str), "regression", ["age"], ("age",), DECIMALS[:, None]),
    "texts of labels": (np.array(["a|b", "", "b"] * 10), "multilabel", None, ("a", "b"), [[1, 1], [0, 0], [0, 1]] * 10),
    "blanks between labels": (np.array(["b a", "a"] * 15), "multilabel", None, ("a", "b"), [[1, 1], [1, 0]] * 15),
    "commas before blanks": (np.array(["old cat, dog", "dog"] * 15), "multilabel", None, ("dog", "old cat"),
                             [[1, 1], [1, 0]] * 15),
    "one-hot as labels": (np.eye(3)[WHOLE], "multilabel", ["a", "b", "c"], ("a", "b", "c"), np.eye(3)[WHOLE]),
    "ordered numbers": (np.array([10, 2, 9] * 10), "ordinal", None, ("2", "9", "10"), [2, 0, 1] * 10),
    "ordered names": (WHOLE, "ordinal", ["low", "mid", "high"], ("low", "mid", "high"), WHOLE),
    "numbered texts": (np.array(["10_c", "9_a", "1_b"] * 10), "ordinal", None, ("1_b", "9_a", "10_c"), [2, 1, 0] * 10),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_what_answers_are_as_asked(case: str) -> None:
    y, asked, names, shown, stored = ASKED[case]
    found = answers(y, asked, names)
    assert (found.problem, found.names) == (asked, shown)
    assert np.allclose(found.y["train"], stored)


BAD: dict[str, tuple[Any, str | None, str, str]] = {
    "texts as targets": (np.array(["a", "b"] * 15), "regression", "problem_unsuitable", "the text 'a'"),
    "decimals as classes": (DECIMALS, "classification", "problem_unsuitable", "--problem regression"),
    "decimals in an order": (DECIMALS, "ordinal", "problem_unsuitable", "--problem regression"),
    "texts in no order": (np.array(["low", "high"] * 15), "ordinal", "problem_unsuitable", "1_low, 2_medium"),
    "one number twice in an order": (np.array(["1_a", "1_b"] * 15), "ordinal", "problem_unsuitable", "1_a"),
    "classes as labels": (WHOLE, "multilabel", "problem_unsuitable", "a column a label"),
    "several classes": (np.stack([WHOLE, WHOLE]).T, None, "labels_invalid", "--problem regression"),
    "a constant": (np.full(N, 0.5), None, "targets_flat", "0.5 in every training sample"),
    "a constant beside others": (np.stack([DECIMALS, np.full(N, 2.5)]).T, None, "targets_flat", "target 1"),
    "empty rows": (np.where(np.isin(np.arange(N), (3, 7)), np.nan, DECIMALS), None, "values_not_finite", "rows: 3, 7"),
    "many empty rows": (
        np.where(np.arange(N) < 9, np.inf, DECIMALS),
        None,
        "values_not_finite",
        "9 rows: 0, 1, 2, 3, 4",
    ),
    "too large": (DECIMALS * 1e39, "regression", "values_not_finite", "32-bit"),
    "a small change of a large number": (1e9 + DECIMALS, None, "values_not_finite", "subtract a constant"),
    "names of others": (DECIMALS, "regression", "labels_invalid", "2 names"),
    "one label": (np.array(["a", ""] * 15), "multilabel", "labels_invalid", "2 to"),
}


@pytest.mark.parametrize("case", BAD)
def test_answers_that_are_refused(case: str) -> None:
    y, asked, rule, text = BAD[case]
    with pytest.raises(InvalidDataset) as caught:
        answers(y, asked, ["a", "b"] if case == "names of others" else None)
    assert rules(caught) == {rule}
    assert text in caught.value.faults[0].detail
    if rule == "problem_unsuitable":
        assert caught.value.faults[0].pointer == "/problem"


@pytest.mark.parametrize(("y", "told"), [
    (np.arange(300), True),
    (np.concatenate([np.arange(150), np.arange(40)]), True),
    (np.arange(300) // 2, False),
    (np.arange(90), False),
    (np.arange(300).astype(str), False),
])  # fmt: skip
def test_whole_numbers_that_look_like_quantities_are_told(y: np.ndarray, told: bool) -> None:
    assert any("if they are quantities, give --problem regression" in text for text in answers(y).warnings) == told
    assert not answers(y, "classification").warnings


def test_parts_share_their_labels_and_targets() -> None:
    given = {"train": np.array(["a;b", "b"]), "test": np.array(["c"])}
    found = as_answers(given, files={"train": "y_train", "test": "y_test"}, asked="multilabel")
    assert {part: y.tolist() for part, y in found.y.items()} == {"train": [[1, 1, 0], [0, 1, 0]], "test": [[0, 0, 1]]}
    with pytest.raises(InvalidDataset, match="2 and 3 targets"):
        as_answers({"train": TABLE, "test": RNG.normal(size=(4, 3))}, files={"train": "a", "test": "b"})


# ---- whole files


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def read(store: DataStore, folder: Path, problem: str | None = None, **arrays: Any) -> DatasetInfo:
    path = write_npz(folder / "a.npz", **{"x": pixels(N, 8, 8), **arrays})
    return ingest("npz", path, name="sample", store=store, problem=problem)


def test_a_regression_with_names_and_a_given_split(store: DataStore, tmp_path: Path) -> None:
    split = np.array(["train"] * 20 + ["test"] * 10)
    info = read(store, tmp_path, y=TABLE, split=split, target_names=np.array(["width", "height"]))
    assert (info.problem, info.class_names, info.tasks) == ("regression", ("width", "height"), ("image",))
    opened = store.open("sample", seed=0)
    assert np.allclose(opened.test.y, TABLE[20:])
    assert np.allclose(opened.target_mean, TABLE[opened.splits.search_train].mean(axis=0))
    assert "target_names" not in info.report["ignored_files"]


def test_several_labels_with_names(store: DataStore, tmp_path: Path) -> None:
    info = read(store, tmp_path, y=MARKS, class_names=np.array(["a", "b", "c"]))
    assert (info.problem, info.class_names) == ("multilabel", ("a", "b", "c"))
    assert info.counts == tuple(MARKS.sum(axis=0).tolist())
    assert store.open("sample", seed=0).y.tolist() == MARKS.tolist()


def test_names_of_targets_are_no_names_of_classes(store: DataStore, tmp_path: Path) -> None:
    info = read(store, tmp_path, y=WHOLE, target_names=np.array(["a", "b", "c"]))
    assert info.class_names == ("0", "1", "2")
    assert info.report["ignored_files"] == ["target_names"]


def test_ordered_classes_of_a_file(store: DataStore, tmp_path: Path) -> None:
    info = read(store, tmp_path, "ordinal", y=np.array([1, 5, 3] * 10))
    assert (info.problem, info.class_names) == ("ordinal", ("1", "3", "5"))
    assert "the classes are in the order 1 < 3 < 5" in info.report["warnings"]
    plain = ingest("npz", tmp_path / "a.npz", name="plain", store=store)
    assert plain.sha256 != info.sha256


@pytest.mark.parametrize(("kind", "problem", "rule"), [
    ("npz", "guess", "choice_unknown"),
    ("table", "segmentation", "choice_unknown"),
    ("cifar", "ordinal", "combination_unsupported"),
])  # fmt: skip
def test_problems_that_a_format_does_not_know(
    store: DataStore,
    tmp_path: Path,
    kind: str,
    problem: str,
    rule: str,
) -> None:
    path = write_npz(tmp_path / "a.npz", x=pixels(N, 8, 8), y=WHOLE)
    with pytest.raises(InvalidDataset) as caught:
        ingest(kind, path, name="sample", store=store, problem=problem)
    assert (caught.value.faults[0].pointer, caught.value.faults[0].rule) == ("/problem", rule)


def test_many_quantities_as_classes_are_refused_with_the_cure(store: DataStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="--problem regression"):
        read(store, tmp_path, y=np.arange(N))
    assert read(store, tmp_path, "regression", y=np.arange(N)).counts == (N,)
