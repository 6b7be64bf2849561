"""Folds of small data sets: who is judged where, and what their scores come to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.objective import Objective
from tests.unit.workers.sources import labels, pixels, write_npz
from workers.datasets import Dataset, DataStore, Split
from workers.datasets.ingest import ingest
from workers.finalists.folds import FIRST, FOLDS, dealt, fold_data, merged, possible
from workers.finalists.selection import Selection, train_candidate
from workers.finalists.training import FinalistTask
from workers.report.contents import chosen_by
from workers.train.recipe import Recipe


def opened(tmp_path: Path, *, count: int = 60, name: str = "few") -> Dataset:
    store = DataStore(tmp_path / "store")
    ingest("npz", write_npz(tmp_path / f"{name}.npz", x=pixels(count, 6, 6), y=labels(count)), name=name, store=store)
    return store.open(name, seed=3)


def test_folds_have_each_class_alike() -> None:
    y = np.repeat([0, 1, 2], [20, 11, 4])
    place = dealt(y, seed=1)
    assert np.bincount(place).tolist() == [7] * 5
    for label in range(3):
        sizes = np.bincount(place[y == label], minlength=FOLDS)
        assert sizes.max() - sizes.min() <= 1
    assert (place == dealt(y, seed=1)).all()
    assert (place != dealt(y, seed=2)).any()


def test_each_sample_but_those_of_the_test_split_is_judged_once(tmp_path: Path) -> None:
    dataset = opened(tmp_path)
    found = fold_data(dataset)
    judged: list[bytes] = []
    for data in found:
        assert isinstance(data.train, Split)
        assert isinstance(data.val, Split)
        assert data.test is None
        assert len(data.train) + len(data.val) == 48
        train, val = ({row.tobytes() for row in split.x} for split in (data.train, data.val))
        assert not train & val
        judged += [row.tobytes() for row in data.val.x]
    assert len(set(judged)) == len(judged) == 48
    assert not set(judged) & {row.tobytes() for row in dataset.test.x}
    assert len({data.key for data in found}) == FOLDS


def test_only_small_sets_of_samples_that_stand_alone_have_folds(tmp_path: Path) -> None:
    small, digits = opened(tmp_path), DataStore(tmp_path / "store").open("digits", seed=0)
    assert possible(small)
    assert not possible(digits), "172 validation samples rank better than folds are worth"
    small.info.report["groups"] = {"by": "patient", "count": 9}
    assert not possible(small)


def tasks(*ranks: int) -> list[FinalistTask]:
    return [
        FinalistTask(rank=rank, number=rank, seed=FIRST + fold, architecture={}, recipe=Recipe())
        for fold in range(2)
        for rank in ranks
    ]


def test_the_score_is_the_mean_over_samples_and_needs_all_folds() -> None:
    asked = tasks(1, 2, 3)
    found = {
        (task.rank, task.seed): Selection(score=0.5 * (task.seed - FIRST), seconds=1.0, epochs=2) for task in asked
    }
    del found[2, FIRST]
    found[3, FIRST] = Selection(score=None, seconds=1.0, epochs=2, reason="diverged")
    whole = merged(asked, found, sizes=(10, 30))
    assert whole == {
        1: Selection(score=0.375, seconds=2.0, epochs=4, folds=2),
        3: Selection(score=None, seconds=2.0, epochs=4, reason="diverged", folds=2),
    }


def test_a_candidate_is_trained_on_the_data_of_its_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    class Fake:
        def train_epoch(self) -> None: ...

        def recompute_norms(self) -> None: ...

        def score(self, split: Any) -> float:
            seen.append(split)
            return 0.5

    monkeypatch.setattr("workers.train.prepare.new_trainer", lambda *_: Fake())
    data = fold_data(opened(tmp_path))
    for task in tasks(1):
        assert train_candidate(task, data).score == 0.5
    assert seen == [data[0].val, data[1].val]


def test_the_report_says_by_what_was_chosen() -> None:
    said = chosen_by(Objective(), finalists=2, planned=True, folds=5)
    assert said.startswith("the best of 2 finalists over 5 folds of training and validation split, each after a third")
