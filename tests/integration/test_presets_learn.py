"""The networks that the presets begin with learn digits, as the trainer is."""

from dataclasses import replace

import pytest
import torch

from space import presets
from space.build import build
from space.space import Space, replay
from tests.masks import shapes
from workers.datasets import DataStore, Split
from workers.train.data import TrainData
from workers.train.recipe import Recipe
from workers.train.trainer import Trainer


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainData:
    opened = DataStore(tmp_path_factory.mktemp("store")).open("digits", seed=0)
    train, val = opened.search_train, opened.search_val
    return TrainData.on("cpu", train=train, val=val, mean=opened.mean, std=opened.std)


QUICK = ("capsule", "resnext")
NAMES = [*QUICK, "densenet", "highway", "inception", "nonlocal", "resnet"]


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in NAMES])
def test_the_baseline_learns_digits(name: str, data: TrainData) -> None:
    """Four epochs in a second or two; the first seven seeds gave 0.98 to 1.00 for each."""
    torch.set_num_threads(1)
    space = Space.parse(presets.load(name), input_shape=(1, 8, 8), classes=10)
    torch.manual_seed(0)
    module = build(space.sample(replay(space.baseline())))
    trainer = Trainer(module, data, Recipe(epochs=4))
    scores = [trainer.epoch().score for _ in range(4)]
    assert scores[-1] > 0.95, scores


def test_the_baseline_for_series_learns_digits_row_by_row(data: TrainData) -> None:
    """8 channels (rows) of 8 steps (columns)."""
    torch.set_num_threads(1)
    space = Space.parse(presets.load("series"), input_shape=(8, 8), classes=10)
    torch.manual_seed(0)
    module = build(space.sample(replay(space.baseline())))
    rows = {name: replace(part, x=part.x[:, 0]) for name, part in (("train", data.train), ("val", data.val)) if part}
    series = TrainData(task="series", train=rows["train"], val=rows["val"], mean=data.mean * 8, std=data.std * 8)
    trainer = Trainer(module, series, Recipe(epochs=4))
    scores = [trainer.epoch().score for _ in range(4)]
    assert scores[-1] > 0.95, scores


@pytest.mark.parametrize("name", ["fcn", pytest.param("unet", marks=pytest.mark.slow)])
def test_the_baseline_learns_masks(name: str) -> None:
    """80 steps in three or four seconds. Ground alone has 0.2; the first two seeds gave 0.56 to 0.59."""
    torch.set_num_threads(1)
    x, y = shapes(160, 24, seed=0)
    train, val = Split(x=x[:120], y=y[:120]), Split(x=x[120:], y=y[120:])
    data = TrainData.on(
        "cpu", train=train, val=val, mean=(120.0,) * 3, std=(50.0,) * 3, task="segmentation", problem="segmentation"
    )
    space = Space.parse(presets.load(name), input_shape=(3, 24, 24), classes=4)
    torch.manual_seed(0)
    module = build(space.sample(replay(space.baseline())))
    recipe = Recipe(epochs=2, rungs=(40, 80), batch_size=16, min_steps=1, label_smoothing=0.0)
    trainer = Trainer(module, data, recipe)
    scores = [trainer.epoch().score for _ in range(2)]
    assert scores[-1] > 0.45, scores
