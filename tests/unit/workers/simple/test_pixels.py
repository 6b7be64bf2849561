"""Simple models of masks: they learn what colours and surroundings tell, by the score of the networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.masks import shapes
from tests.unit.workers.simple.test_models import given
from workers.datasets import Split
from workers.datasets.strata import UNKNOWN
from workers.simple import estimators, pixels
from workers.simple.models import SimpleTask, fit_and_score
from workers.simple.pixels import Pixels, features
from workers.simple.sampling import Samples
from workers.train.of_pixels import mean_iou, pixel_accuracy


def samples(train: int = 12, held_out: int = 6) -> Samples:
    first, second = (Split(x=x, y=y) for x, y in (shapes(train, 16, seed=0), shapes(held_out, 16, seed=1)))
    return replace(given(first, second, "segmentation", 4), problem="segmentation")


def test_features_are_of_windows_around_each_pixel() -> None:
    x = np.random.default_rng(0).random((2, 3, 9, 7), dtype=np.float32)
    found = features(x)
    assert found.shape == (2, 9, 7, 3 * 6 + 3)
    around = x[1, :, 2:5, 0:2].reshape(3, -1)  # of the pixel (3, 0), within the picture
    np.testing.assert_allclose(found[1, 3, 0, 3:6], around.mean(1), rtol=1e-5)
    np.testing.assert_allclose(found[1, 3, 0, 12:15], around.std(1), rtol=1e-3, atol=1e-5)
    assert found[1, 8, 6, -2:].tolist() == [1.0, 1.0]


def test_only_judged_pixels_are_drawn_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "FITTED", 12 * 20)
    whole = samples()
    made = Pixels(whole, seed=1)
    assert made.x.shape == (240, 21)
    assert made.y.max() < 4
    y = torch.from_numpy(whole.held_out.data.y)
    for name, score in (("mean_iou", mean_iou), ("pixel_accuracy", pixel_accuracy)):
        found = made.score(name, lambda x: np.eye(4)[np.full(len(x), 1)])
        assert found == pytest.approx(score(torch.ones(y.shape, dtype=torch.uint8), y))


def test_masks_without_a_judged_pixel_have_no_score() -> None:
    whole = samples(held_out=2)
    held_out = replace(whole.held_out, data=replace(whole.held_out.data, y=np.full((2, 16, 16), UNKNOWN, np.uint8)))
    made = Pixels(replace(whole, held_out=held_out), seed=0)
    assert made.score("mean_iou", lambda x: np.zeros((len(x), 4))) == 0.0


@pytest.mark.heavy
@pytest.mark.parametrize("model", ["linear", "boosted"])
def test_a_simple_model_of_pixels_learns_and_does_so_again(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimators, "ROUNDS", (1, 10))
    monkeypatch.setattr(pixels, "FITTED", 2_000)
    task = SimpleTask(model=model, score="mean_iou", seed=3, strength=0.1 if model == "linear" else None)
    found, again = (fit_and_score(task, samples()) for _ in range(2))
    assert found.score is not None
    assert found.score > 0.25, "ground alone has 0.2"
    assert found.features == 21
    assert replace(found, seconds=0.0) == replace(again, seconds=0.0)
