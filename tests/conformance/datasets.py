"""What every data set must do, whatever format it came in. A test module subclasses with a fixture `raw`."""

import json
from pathlib import Path

import numpy as np
import pytest

from archsmith.errors import AlreadyExists, InvalidDataset, NotFound
from tests.splits import check_graph_split, check_links_are_held_out
from workers.datasets import Dataset, DatasetInfo, DataStore
from workers.datasets.graphs import RawGraphs
from workers.datasets.raw import RawDataset
from workers.datasets.values import KINDS, TASKS

SPLITS = ("search_train", "search_val", "test")


class _Stored:
    """What holds for samples and for graphs."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> DataStore:
        return DataStore(tmp_path / "store")

    @pytest.fixture
    def info(self, store: DataStore, raw: RawDataset | RawGraphs) -> DatasetInfo:
        return store.add("sample", raw)

    @pytest.fixture
    def opened(self, store: DataStore, info: DatasetInfo) -> Dataset:
        return store.open(info.name, seed=3)

    def test_the_info_can_be_written_and_read(self, store: DataStore, info: DatasetInfo) -> None:
        assert info.kind in KINDS
        assert info.tasks
        assert set(info.tasks) <= set(TASKS)
        assert info.dtype in ("uint8", "float32")
        assert info.classes == len(info.class_names) == len(info.counts)
        assert store.describe("sample") == info
        assert DatasetInfo.from_json(json.loads(json.dumps(info.to_json()))) == info

    def test_every_task_has_its_splits_and_no_other_task_has(self, info: DatasetInfo, opened: Dataset) -> None:
        assert opened.task == info.tasks[0]
        assert list(opened.split_sizes.values()) == [info.train, info.val, info.test]
        for task in info.tasks:
            seen = opened.view(task)
            assert (seen.task, seen.seed, seen.sha256) == (task, 3, info.sha256)
            assert [len(getattr(seen, name)) for name in SPLITS] == list(seen.split_sizes.values())
            assert len(seen.class_names) == seen.classes >= 2
        for task in {*TASKS, "", "../nodes"} - set(info.tasks):
            with pytest.raises(InvalidDataset, match="has the tasks"):
                opened.view(task)

    def test_every_class_is_in_every_split(self, info: DatasetInfo, opened: Dataset) -> None:
        for task in info.tasks:
            for name in SPLITS:
                assert set(getattr(opened.view(task), name).y.tolist()) == set(range(opened.view(task).classes)), name

    def test_a_name_is_taken_once(self, store: DataStore, info: DatasetInfo, raw: RawDataset | RawGraphs) -> None:
        with pytest.raises(AlreadyExists):
            store.add(info.name, raw)
        assert store.names() == ["digits", "sample"]

    def test_an_unknown_name_is_not_found(self, store: DataStore, info: DatasetInfo) -> None:
        for name in ("nothing", "../sample", ".", "", "sample/../sample", "a" * 300, "x\0y"):
            with pytest.raises(NotFound):
                store.open(name, seed=0)

    def test_splits_are_made_once(self, store: DataStore, opened: Dataset) -> None:
        files = {p: p.stat().st_mtime_ns for p in (store.root / "sample").glob("splits-3*.npz")}
        assert files
        assert store.open("sample", seed=3).split_hashes == opened.split_hashes
        assert {p: p.stat().st_mtime_ns for p in (store.root / "sample").glob("splits-3*.npz")} == files


class DatasetConformance(_Stored):
    """`raw`: what the format's reader made of a small, good source with at least 5 samples a class."""

    def test_the_info_says_what_is_there(self, info: DatasetInfo, opened: Dataset) -> None:
        assert opened.x.shape == (sum(info.counts), *info.input_shape)
        assert opened.x.dtype == info.dtype
        assert len(info.input_shape) == {"image": 3, "volume": 4}[info.kind]
        assert info.tasks == (info.kind,)
        assert np.bincount(opened.y, minlength=info.classes).tolist() == list(info.counts)

    def test_no_sample_is_in_two_splits_and_none_is_lost(self, info: DatasetInfo, opened: Dataset) -> None:
        rows = [getattr(opened.splits, name) for name in SPLITS]
        assert sorted(np.concatenate(rows).tolist()) == list(range(sum(info.counts)))
        assert [len(r) for r in rows] == [info.train, info.val, info.test]
        assert sorted(opened.splits.final_train.tolist()) == sorted([*rows[0].tolist(), *rows[1].tolist()])
        assert len(opened.final_train) == info.train + info.val

    def test_the_same_seed_gives_the_same_splits_in_another_store(
        self, tmp_path: Path, raw: RawDataset, opened: Dataset
    ) -> None:
        other = DataStore(tmp_path / "other")
        assert other.add("again", raw).sha256 == opened.sha256
        assert other.open("again", seed=3).split_hashes == opened.split_hashes
        given = {"val", "test"} <= set(raw.parts)  # then there is nothing to draw
        assert (other.open("again", seed=4).split_hashes == opened.split_hashes) == given

    def test_the_sources_own_test_split_is_kept(self, raw: RawDataset, opened: Dataset) -> None:
        for part, split in (("test", opened.splits.test), ("val", opened.splits.search_val)):
            if part in raw.parts:
                assert split.tolist() == list(range(*raw.parts[part]))

    def test_normalisation_is_of_the_search_training_split_alone(self, opened: Dataset) -> None:
        x = opened.search_train.x.astype(np.float64)
        others = (0, *range(2, x.ndim))
        assert opened.mean == pytest.approx(x.mean(axis=others).tolist(), rel=1e-6)
        assert opened.std == pytest.approx(x.std(axis=others).tolist(), rel=1e-4)


class GraphConformance(_Stored):
    """`raw`: what the format's reader made of a small, good source with at least 5 answers a class."""

    def test_the_info_says_what_is_there(self, raw: RawGraphs, info: DatasetInfo, opened: Dataset) -> None:
        assert (info.kind, info.format, info.tasks) == ("graph", raw.format, raw.tasks)
        assert info.input_shape == (opened.x.shape[1],)
        assert (str(opened.x.dtype), len(opened.x)) == (info.dtype, info.report["nodes"])
        assert opened.edges.tolist() == raw.edges.tolist()
        assert info.report["edges"]["undirected"] == raw.edges.shape[1]
        if "links" not in info.tasks[:1]:
            assert np.bincount(opened.y[opened.y >= 0], minlength=info.classes).tolist() == list(info.counts)

    def test_every_split_can_be_trained_on(self, info: DatasetInfo, opened: Dataset) -> None:
        for task in info.tasks:
            seen = opened.view(task)
            for name in (*SPLITS, "final_train"):
                check_graph_split(getattr(seen, name), task=task, features=info.input_shape[0], classes=seen.classes)

    def test_no_answer_is_in_two_splits(self, info: DatasetInfo, opened: Dataset) -> None:
        for task in info.tasks:
            if task == "links":
                check_links_are_held_out(opened.view(task), opened.edges)
                continue
            rows = np.concatenate([getattr(opened.view(task).splits, name) for name in SPLITS])
            assert len(set(rows.tolist())) == len(rows)
            assert opened.view(task).y[rows].min() >= 0

    def test_the_same_seed_gives_the_same_splits_in_another_store(
        self, tmp_path: Path, raw: RawGraphs, info: DatasetInfo, opened: Dataset
    ) -> None:
        other = DataStore(tmp_path / "other")
        assert other.add("again", raw).sha256 == opened.sha256
        for task in info.tasks:
            here = opened.view(task).split_hashes
            assert other.open("again", seed=3, task=task).split_hashes == here
            given = task == "nodes" and raw.part is not None and 2 in raw.part  # then there is nothing to draw
            assert (other.open("again", seed=4, task=task).split_hashes == here) == given

    def test_given_nodes_are_kept_and_finalists_train_on_the_sources_own(self, raw: RawGraphs, opened: Dataset) -> None:
        if opened.task != "nodes":
            return
        final = set(opened.final_train.index.tolist())
        if raw.part is None:
            assert final == {*opened.search_train.index.tolist(), *opened.search_val.index.tolist()}
        else:
            assert final == set(np.flatnonzero(raw.part == 1).tolist())
            assert opened.test.index.tolist() == np.flatnonzero(raw.part == 3).tolist()

    def test_features_are_normalised_unless_they_are_marks(self, opened: Dataset) -> None:
        if opened.x.dtype == np.uint8 and opened.x.max() <= 1:
            assert (set(opened.mean), set(opened.std)) == ({0.0}, {1.0})
        else:
            x = np.asarray(opened.search_train.x, dtype=np.float64)  # of nodes and links: all nodes
            assert opened.mean == pytest.approx(x.mean(axis=0).tolist(), rel=1e-5, abs=1e-6)
        assert len(opened.mean) == len(opened.std) == opened.x.shape[1]
