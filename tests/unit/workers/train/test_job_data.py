"""Which parts of a data set are sent to the trials, and which never are."""

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.workers.graph_sources import masks, write_graph, write_tu
from tests.unit.workers.sources import labels, pixels, write_npz
from workers.datasets import DataStore
from workers.datasets.ingest import ingest
from workers.train.job_data import final_data, search_data


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    made = DataStore(tmp_path / "store")
    ingest("graph", write_graph(tmp_path / "a.npz", **masks()), name="graph", store=made)
    ingest("tu", write_tu(tmp_path / "a.zip"), name="graphs", store=made)
    ingest("npz", write_npz(tmp_path / "v.npz", x=pixels(60, 17, 18, 19), y=labels(60)), name="volumes", store=made)
    return made


CASES = [("digits", "image"), ("volumes", "volume"), ("graph", "nodes"), ("graph", "links"), ("graphs", "graphs")]


@pytest.mark.parametrize(("name", "task"), CASES)
def test_a_search_never_holds_the_test_split(store: DataStore, name: str, task: str) -> None:
    dataset = store.open(name, seed=1, task=task)
    search, final = search_data(dataset), final_data(dataset)
    assert (search.task, search.test, final.task, final.val) == (task, None, task, None)
    assert search.val is not None
    assert final.test is not None
    assert (len(search.train), len(search.val), len(final.test)) == tuple(dataset.split_sizes.values())
    assert len({search.key, final.key, search_data(store.open(name, seed=2, task=task)).key}) == 3
    assert (search.mean, final.std) == (dataset.mean, dataset.std)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_search_data_has_no_item_of_the_test_split(store: DataStore, name: str, task: str) -> None:
    dataset = store.open(name, seed=1, task=task)
    data: Any = search_data(dataset)
    test = dataset.splits.test
    parts = [getattr(split, field.name) for split in (data.train, data.val) for field in fields(split)]
    assert not any(part.shape == test.shape and (part == test).all() for part in parts)
    if task in ("nodes", "links"):  # of the other tasks nothing carries numbers of the data set's
        kept_out = set(map(tuple, np.atleast_2d(test).T.tolist()))
        asked = np.concatenate([np.atleast_2d(split.index) for split in (data.train, data.val)], axis=1)
        assert not kept_out & set(map(tuple, asked.T.tolist()))
    if task == "links":  # the links of the test split are no edges along which messages pass
        assert not kept_out & {tuple(sorted(edge)) for edge in data.train.edges.T.tolist()}


@pytest.mark.parametrize("task", ["nodes", "links"])
def test_one_graph_is_sent_once(store: DataStore, task: str) -> None:
    dataset = store.open("graph", seed=1, task=task)
    for data, second in ((search_data(dataset), "val"), (final_data(dataset), "test")):
        arrived = pickle.loads(pickle.dumps(data))
        assert arrived.train.x is getattr(arrived, second).x
        assert arrived.train.edges is getattr(arrived, second).edges
        assert (arrived.train.x == dataset.x).all()


def test_graphs_of_two_splits_share_nothing(store: DataStore) -> None:
    data = search_data(store.open("graphs", seed=1))
    assert len(data.train.x) > len(data.val.x)
