"""Large data sets: mapped, gathered batch by batch, and the same to the last bit as those that are held."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archsmith.errors import TrialFailure
from tests.unit.workers.sources import labels, pixels, write_npz
from workers.datasets import Dataset, DataStore, MappedSplit, Split, dataset, mapped
from workers.datasets.ingest import ingest
from workers.datasets.mapped import MappedRows, memory_limit
from workers.train.data import TrainData
from workers.train.job_data import JobData, final_data, search_data
from workers.train.maps import Maps
from workers.train.on_host import OnHost
from workers.train.recipe import Recipe
from workers.train.trainer import Trainer

COUNT = 96
SHAPES = {"pictures": (COUNT, 12, 10, 3), "volumes": (COUNT, 17, 18, 19)}
RECIPES: dict[str, dict[str, Any]] = {
    "plain": {"augment": 0.0},
    "shifted": {"shift": 0.2},
    "channels last, mirrored": {"shift": 0.1, "flip": True, "augment": 0.5, "layout": "nhwc"},
    "part of it": {"shift": 0.1, "subset": 0.4, "flip": True},
    "smaller": {"shift": 0.2, "resolution": 8, "zoom": 0.3, "cutout": 0.3, "layout": "nhwc"},
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> DataStore:
    folder = tmp_path_factory.mktemp("large")
    made = DataStore(folder / "store")
    for name, shape in SHAPES.items():
        x = pixels(*shape) if name == "pictures" else pixels(*shape).astype(np.float32) / 7
        ingest("npz", write_npz(folder / f"{name}.npz", x=x, y=labels(COUNT)), name=name, store=made)
    return made


def opened(stored: DataStore, name: str = "pictures") -> Dataset:
    return stored.open(name, seed=1)


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "memory_limit", lambda: 1000)


def on_cpu(data: JobData) -> TrainData:
    return TrainData.on("cpu", task=data.task, train=data.train, val=data.val, mean=data.mean, std=data.std)


def both(stored: DataStore, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[TrainData, TrainData]:
    """The data held in memory, and mapped."""
    held = on_cpu(search_data(opened(stored, name)))
    monkeypatch.setattr(dataset, "memory_limit", lambda: 1000)
    data = search_data(opened(stored, name))
    assert isinstance(data.train, MappedSplit)
    return held, on_cpu(data)


@pytest.mark.heavy
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_mapped_batches_are_the_same(
    stored: DataStore, name: str, recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = Recipe(batch_size=8, min_steps=1, **recipe)
    tasks = [Maps(data.at(values.resolution), values) for data in both(stored, name, monkeypatch)]
    one, other = (list(task.batches(torch.Generator().manual_seed(3))) for task in tasks)
    assert len(one) == len(other) > 1
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a.inputs[0], b.inputs[0])
        assert a.inputs[0].stride() == b.inputs[0].stride()
        assert torch.equal(a.y, b.y)


@pytest.mark.heavy
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("side", [None, 8])
def test_scores_and_norms_see_the_same(
    stored: DataStore, name: str, side: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, large = (data.at(side) for data in both(stored, name, monkeypatch))
    assert held.train.shape == large.train.shape
    one, other = (Maps(data, Recipe()) for data in (held, large))
    assert held.val is not None
    assert large.val is not None
    for a, b in zip([*one.whole(held.val), *one.few(9)], [*other.whole(large.val), *other.few(9)], strict=True):
        assert torch.equal(a.inputs[0], b.inputs[0])
        assert torch.equal(a.y, b.y)


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


@pytest.mark.heavy
@pytest.mark.parametrize("resolution", [None, 8])
def test_a_training_and_its_final_score_are_the_same(
    stored: DataStore, resolution: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = final_data(opened(stored)).test
    found = []
    for data in both(stored, "pictures", monkeypatch):
        trainer = Trainer(Tiny(), data, Recipe(epochs=2, batch_size=16, resolution=resolution, flip=True, shift=0.2))
        scores = [(one.score, one.train_loss) for one in (trainer.epoch(), trainer.epoch())]
        trainer.recompute_norms()
        split = test if data.train.on_host is None else final_data(opened(stored)).test
        assert split is not None
        assert isinstance(split, Split if data.train.on_host is None else MappedSplit)
        assert trainer.example()[0].shape == (1, 3, 12, 10)
        found.append(
            (
                scores,
                trainer.final_outcome(split)[:2],
                torch.cat([w.detach().flatten() for w in trainer.module.parameters()]),
            )
        )
    assert found[0][:2] == found[1][:2]
    assert torch.equal(found[0][2], found[1][2])


@pytest.mark.usefixtures("small_limit")
def test_only_path_and_rows_are_sent(stored: DataStore) -> None:
    data = search_data(opened(stored))
    assert len(pickle.dumps(data)) < 4000 < opened(stored).x.nbytes
    arrived: JobData = pickle.loads(pickle.dumps(data))
    assert isinstance(arrived.train, MappedSplit)
    assert (arrived.train.x.read() == opened(stored).search_train.x).all()
    assert (arrived.train.y == data.train.y).all()
    assert arrived.train.x.shape == (len(data.train), 3, 12, 10)
    seen = on_cpu(arrived)
    assert seen.train.x.untyped_storage().nbytes() == opened(stored).x.nbytes  # the file, not a copy of the rows


def test_a_node_without_the_file_says_so(stored: DataStore) -> None:
    found = MappedRows.of(opened(stored).x, np.arange(3))
    assert found is not None
    with pytest.raises(TrialFailure, match=r"x\.npy-not cannot be read on this node .* shared file system") as caught:
        replace(found, path=f"{found.path}-not").read()
    assert caught.value.cause == "data_missing"


def test_small_data_sets_and_views_of_a_part_are_held(stored: DataStore) -> None:
    assert isinstance(search_data(opened(stored)).train, Split)
    x = opened(stored).x
    assert MappedRows.of(x[3:], np.arange(2)) is None
    assert MappedRows.of(np.asarray(x), np.arange(2)) is None


def test_the_limit_is_a_share_of_the_memory_of_a_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.datasets.mapped.os.cpu_count", lambda: 2)
    monkeypatch.setattr(mapped, "CGROUP", tmp_path / "memory.max")
    whole = memory_limit()
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_limit() == whole
    (tmp_path / "memory.max").write_text(f"{2**25}\n")
    assert memory_limit() == 2**20


def test_samples_beside_a_card_that_is_too_small_are_taken_as_they_are() -> None:
    x = torch.arange(24, dtype=torch.uint8).view(6, 1, 2, 2)
    on_host = OnHost(rows=None, device="cpu", side=1)
    assert on_host.shape(x) == (1, 1, 1)
    assert on_host.batch(x, torch.tensor([4, 0])).flatten().tolist() == [18, 2]  # means of 16..19 and of 0..3, rounded
    assert on_host.batch(x, slice(1, 2)).flatten().tolist() == [6]
