"""What every data set must do, whatever format it came in. A test module subclasses with a fixture `raw`."""

import json
from pathlib import Path

import numpy as np
import pytest

from archsmith.errors import AlreadyExists, NotFound
from workers.datasets import Dataset, DatasetInfo, DataStore
from workers.datasets.raw import RawDataset

SPLITS = ("search_train", "search_val", "test")


class DatasetConformance:
    """`raw`: what the format's reader made of a small, good source with at least 5 samples a class."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> DataStore:
        return DataStore(tmp_path / "store")

    @pytest.fixture
    def info(self, store: DataStore, raw: RawDataset) -> DatasetInfo:
        return store.add("sample", raw)

    @pytest.fixture
    def opened(self, store: DataStore, info: DatasetInfo) -> Dataset:
        return store.open(info.name, seed=3)

    def test_the_info_says_what_is_there(self, store: DataStore, info: DatasetInfo, opened: Dataset) -> None:
        assert opened.x.shape == (sum(info.counts), *info.input_shape)
        assert opened.x.dtype == info.dtype
        assert info.dtype in ("uint8", "float32")
        assert info.classes == len(info.class_names) == len(info.counts)
        assert np.bincount(opened.y, minlength=info.classes).tolist() == list(info.counts)
        assert store.describe("sample") == info
        assert DatasetInfo.from_json(json.loads(json.dumps(info.to_json()))) == info

    def test_no_sample_is_in_two_splits_and_none_is_lost(self, info: DatasetInfo, opened: Dataset) -> None:
        rows = [getattr(opened.splits, name) for name in SPLITS]
        assert sorted(np.concatenate(rows).tolist()) == list(range(sum(info.counts)))
        assert [len(r) for r in rows] == [info.train, info.val, info.test]
        assert sorted(opened.splits.final_train.tolist()) == sorted([*rows[0].tolist(), *rows[1].tolist()])
        assert len(opened.final_train) == info.train + info.val

    def test_every_class_is_in_every_split(self, info: DatasetInfo, opened: Dataset) -> None:
        for name in SPLITS:
            assert set(getattr(opened, name).y.tolist()) == set(range(info.classes)), name

    def test_the_same_seed_gives_the_same_splits_in_another_store(
        self, tmp_path: Path, raw: RawDataset, opened: Dataset
    ) -> None:
        other = DataStore(tmp_path / "other")
        assert other.add("again", raw).sha256 == opened.sha256
        assert other.open("again", seed=3).split_hashes == opened.split_hashes
        given = {"val", "test"} <= set(raw.parts)  # then there is nothing to draw
        assert (other.open("again", seed=4).split_hashes == opened.split_hashes) == given

    def test_splits_are_made_once(self, store: DataStore, opened: Dataset) -> None:
        files = sorted(p.name for p in (store.root / "sample").iterdir())
        assert "splits-3.npz" in files
        before = (store.root / "sample" / "splits-3.npz").stat().st_mtime_ns
        assert store.open("sample", seed=3).split_hashes == opened.split_hashes
        assert (store.root / "sample" / "splits-3.npz").stat().st_mtime_ns == before

    def test_the_sources_own_test_split_is_kept(self, raw: RawDataset, opened: Dataset) -> None:
        for part, split in (("test", opened.splits.test), ("val", opened.splits.search_val)):
            if part in raw.parts:
                assert split.tolist() == list(range(*raw.parts[part]))

    def test_normalisation_is_of_the_search_training_split_alone(self, opened: Dataset) -> None:
        x = opened.search_train.x.astype(np.float64)
        assert opened.mean == pytest.approx(x.mean(axis=(0, 2, 3)).tolist(), rel=1e-6)
        assert opened.std == pytest.approx(x.std(axis=(0, 2, 3)).tolist(), rel=1e-4)

    def test_a_name_is_taken_once(self, store: DataStore, info: DatasetInfo, raw: RawDataset) -> None:
        with pytest.raises(AlreadyExists):
            store.add(info.name, raw)
        assert store.names() == ["digits", "sample"]

    def test_an_unknown_name_is_not_found(self, store: DataStore, info: DatasetInfo) -> None:
        for name in ("nothing", "../sample", ".", "", "sample/../sample", "a" * 300, "x\0y"):
            with pytest.raises(NotFound):
                store.open(name, seed=0)
