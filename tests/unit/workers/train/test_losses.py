"""Losses beside sums by hand, class weights, and what a training minimises for each problem."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workers.conventions import LOSSES as NAMES
from workers.conventions import PROBLEMS
from workers.datasets import Split
from workers.train.answering import Answering
from workers.train.class_weights import MOST, balanced
from workers.train.data import TrainData
from workers.train.losses import LOSSES
from workers.train.recipe import Recipe
from workers.train.trainer import Trainer

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 3, generator=GENERATOR)
Y = torch.tensor([0, 1, 2, 2, 1, 2])
WEIGHTS = torch.tensor([3.0, 1.0, 0.5])


def test_there_is_a_loss_for_every_name() -> None:
    assert {name for problem in PROBLEMS for name in NAMES[problem]} == LOSSES.keys()


def test_cross_entropy_is_that_of_torch() -> None:
    expected = F.cross_entropy(LOGITS, Y, weight=WEIGHTS, label_smoothing=0.1)
    assert torch.equal(LOSSES["cross_entropy"](LOGITS, Y, smoothing=0.1, weights=WEIGHTS), expected)


def test_a_weight_of_2_is_as_seeing_the_class_twice() -> None:
    twice = torch.cat([torch.arange(6), torch.tensor([0])])
    weights = torch.tensor([2.0, 1.0, 1.0])
    for name in ("cross_entropy", "squared_steps"):
        found = LOSSES[name](LOGITS, Y, weights=weights)
        assert torch.isclose(found, LOSSES[name](LOGITS[twice], Y[twice]))


def test_pixels_that_are_not_judged_do_not_count() -> None:
    logits = torch.randn(2, 3, 2, 2, generator=GENERATOR)
    y = torch.tensor([[[0, 1], [2, 255]], [[255, 255], [1, 1]]], dtype=torch.uint8)
    judged = y != 255
    flat, truth = logits.movedim(1, -1)[judged], y[judged].long()
    for weights in (None, WEIGHTS):
        expected = F.cross_entropy(flat, truth, weight=weights, label_smoothing=0.1)
        found = LOSSES["cross_entropy"](logits, y, smoothing=0.1, weights=weights)
        assert torch.isclose(found, expected)
    assert torch.isclose(LOSSES["dice"](logits, y), LOSSES["dice"](flat.T[None, :, :, None], truth[None, :, None]))


@pytest.mark.parametrize("name", NAMES["segmentation"])
def test_a_batch_without_a_judged_pixel_has_a_loss_without_slope(name: str) -> None:
    logits = torch.randn(2, 3, 2, 2, requires_grad=True)
    found = LOSSES[name](logits, torch.full((2, 2, 2), 255, dtype=torch.uint8))
    found.backward()
    assert float(found.detach()) == 0.0
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) == 0.0


def test_dice_is_the_cross_entropy_for_a_perfect_answer() -> None:
    y = torch.tensor([[[0, 1], [2, 1]]], dtype=torch.uint8)
    logits = 50.0 * F.one_hot(y.long(), 3).movedim(-1, 1).float()
    assert float(LOSSES["dice"](logits, y)) == pytest.approx(0.0, abs=1e-6)
    wrong = float(LOSSES["dice"](logits.roll(1, dims=1), y))
    assert wrong == pytest.approx(50.0 + 1.0, abs=1e-3)


def test_far_steps_cost_more_than_near_ones() -> None:
    near, far = (torch.full((1, 5), -9.0).index_fill_(1, torch.tensor([place]), 9.0) for place in (1, 4))
    y = torch.tensor([0])
    assert torch.isclose(LOSSES["cross_entropy"](near, y), LOSSES["cross_entropy"](far, y))
    assert float(LOSSES["squared_steps"](far, y)) > float(LOSSES["squared_steps"](near, y)) + 5


def test_labels_are_independent_and_weighted_where_a_sample_has_them() -> None:
    y = torch.tensor([[1, 0, 0], [0, 1, 1]], dtype=torch.uint8)
    logits = LOGITS[:2]
    p = logits.sigmoid()
    each = -(y * p.log() * WEIGHTS + (1 - y.float()) * (1 - p).log())
    assert torch.isclose(LOSSES["binary_cross_entropy"](logits, y, weights=WEIGHTS), each.mean())
    expected = -(0.95 * p.log() + 0.05 * (1 - p).log())[0, 0]
    assert torch.isclose(LOSSES["binary_cross_entropy"](logits[:1, :1], y[:1, :1], smoothing=0.1), expected)


def test_losses_of_numbers_by_hand() -> None:
    outputs, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    expected = {"mse": 5.0, "mae": 2.0, "huber": (0.5 + 2.5) / 2}
    assert {name: float(LOSSES[name](outputs, y)) for name in NAMES["regression"]} == pytest.approx(expected)


def test_balanced_weights() -> None:
    weights = balanced((50, 25, 25), samples=100, labels=False)
    assert weights == pytest.approx((2 / 3, 4 / 3, 4 / 3))
    assert np.dot(weights, (50, 25, 25)) == pytest.approx(100), "1 in the mean over the samples"
    assert balanced((90, 10, 0), samples=100, labels=False)[2] == 1.0
    assert balanced((50, 20, 0, 100), samples=100, labels=True) == pytest.approx((1.0, 4.0, 1.0, 1.0))
    assert balanced((1,), samples=10**6, labels=True) == (MOST,)


# ---- what a training minimises

EPOCHS = 6
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (128, 1, 6, 6), dtype=np.uint8)
LIGHT = X[:, 0, :3].mean((1, 2))


def data(problem: str, y: np.ndarray, *, mean: tuple[float, ...] = (), std: tuple[float, ...] = ()) -> TrainData:
    return TrainData.on(
        "cpu", train=Split(x=X[:96], y=y[:96]), val=Split(x=X[96:], y=y[96:]), mean=(127.5,), std=(74.0,),
        problem=problem, target_mean=mean, target_std=std,
    )  # fmt: skip


def trainer(given: TrainData, outputs: int, **values: object) -> Trainer:
    torch.manual_seed(0)
    recipe = Recipe(epochs=EPOCHS, batch_size=16, augment=0.0, loss=NAMES[given.problem][0], **values)  # type: ignore[arg-type]
    return Trainer(nn.Sequential(nn.Flatten(), nn.Linear(36, outputs)), given, recipe)


def rising(run: Trainer) -> list[float]:
    return [run.epoch().score for _ in range(EPOCHS)]


def numbers() -> TrainData:
    y = np.stack([1000 * LIGHT, -0.01 * LIGHT], axis=1).astype(np.float32)
    mean, std = y[:96].mean(0), y[:96].std(0)
    return data("regression", y, mean=tuple(mean.tolist()), std=tuple(std.tolist()))


@pytest.mark.heavy
def test_numbers_are_learned_in_any_units() -> None:
    given = numbers()
    run = trainer(given, 2)
    assert rising(run)[-1] > 0.8
    val = Split(x=X[96:], y=given.val.y.numpy() if given.val else X)
    score, beside, shares = run.final_outcome(val)
    assert shares is not None
    assert set(beside) == {"r2", "mae", "rmse"}
    assert beside["r2"] == score == pytest.approx(float(shares.mean()), abs=1e-5)
    assert beside["rmse"] == pytest.approx(math.sqrt(1 - score) * 500 * LIGHT[96:].std(), rel=0.4), "in units"


@pytest.mark.heavy
def test_labels_are_learned() -> None:
    y = np.stack([LIGHT > 130, LIGHT < 120, X[:, 0, 0, 0] > 200], axis=1).astype(np.uint8)
    run = trainer(data("multilabel", y), 3, label_smoothing=0.0)
    assert rising(run)[-1] > 0.65, "shares of the labels are 0.4, 0.3 and 0.2"


@pytest.mark.heavy
def test_classes_in_an_order_are_learned() -> None:
    y = np.digitize(LIGHT, np.quantile(LIGHT, [0.25, 0.5, 0.75]))
    assert rising(trainer(data("ordinal", y), 4))[-1] > 0.4


@pytest.mark.heavy
def test_a_large_weight_makes_its_class_found() -> None:
    y = np.digitize(LIGHT, [np.quantile(LIGHT, 0.9)])

    def answered(weights: tuple[float, ...]) -> float:
        run = trainer(data("classification", y), 2, class_weights=weights, score="balanced_accuracy")
        rising(run)
        x = (torch.tensor(X, dtype=torch.float32) - 127.5) / 74.0
        with torch.no_grad():
            return float(run.module(x).argmax(1).float().mean())

    assert answered((1.0, 50.0)) > answered(()) + 0.1


def test_a_loss_of_another_problem_is_refused() -> None:
    with pytest.raises(ValueError, match="'mse' is none of classification"):
        Answering(data("classification", np.arange(128) % 2), Recipe(loss="mse"))
    with pytest.raises(ValueError, match="no class weights"):
        Answering(numbers(), Recipe(loss="mse", class_weights=(1.0, 2.0)))


def test_what_is_scored_of_outputs() -> None:
    given = numbers()
    scored = Answering(given, Recipe(loss="mse")).scored(torch.zeros(2, 2))
    assert torch.allclose(scored, torch.tensor([given.target_mean] * 2))
    logits: Tensor = torch.randn(2, 3, 4, 4)
    masks = data("segmentation", np.zeros((128, 6, 6), dtype=np.uint8))
    assert Answering(masks, Recipe()).scored(logits).dtype == torch.uint8
