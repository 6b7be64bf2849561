"""Scores of orders, labels, numbers and pixels beside those of scikit-learn, and the shares of all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn import metrics as sklearn
from torch import Tensor

from workers.conventions import ERRORS, PROBLEM_SCORES, PROBLEMS, SCORES, loss_name, score_name
from workers.train import of_pixels
from workers.train.metrics import METRICS, measures
from workers.train.shares import SHARES, shares

Array = npt.NDArray[np.float64]
N = 60


@dataclass(frozen=True, kw_only=True)
class Case:
    """outputs, y: as METRICS has them. weighted: scikit-learn's score as a function of the samples' weights."""

    outputs: Tensor
    y: Tensor
    weighted: Callable[[Array], float]

    @property
    def score(self) -> float:
        return self.weighted(np.ones(N))


def ordinal(rng: np.random.Generator) -> Case:
    y = rng.choice(5, N, p=[0.1, 0.2, 0.4, 0.2, 0.1])
    logits = rng.normal(size=(N, 5)) - 0.5 * np.abs(np.arange(5) - y[:, None])
    found = logits.argmax(1)

    def weighted(w: Array) -> float:
        return float(sklearn.cohen_kappa_score(y, found, weights="quadratic", sample_weight=w))

    return Case(outputs=torch.tensor(logits).float(), y=torch.tensor(y), weighted=weighted)


def labels(rng: np.random.Generator, name: str) -> Case:
    y = (rng.random((N, 4)) < [0.5, 0.3, 0.1, 0.2]).astype(np.uint8)
    logits = np.round(2 * (rng.normal(size=y.shape) + y - 0.5)) / 2
    if name == "f1":
        return Case(
            outputs=torch.tensor(logits).float(), y=torch.tensor(y),
            weighted=lambda w: float(sklearn.f1_score(y, logits >= 0, average="macro", sample_weight=w)),
        )  # fmt: skip
    return Case(
        outputs=torch.tensor(logits).float(), y=torch.tensor(y),
        weighted=lambda w: float(sklearn.average_precision_score(y, logits, average="macro", sample_weight=w)),
    )  # fmt: skip


def numbers(rng: np.random.Generator, name: str) -> Case:
    of = {
        "r2": sklearn.r2_score,
        "mae": sklearn.mean_absolute_error,
        "rmse": sklearn.root_mean_squared_error,
    }[name]
    y = (rng.normal(size=(N, 2)) * [1.0, 50.0] + [0.0, 1000.0]).astype(np.float32)
    found = (y + rng.normal(size=y.shape) * [0.5, 40.0]).astype(np.float32)
    return Case(
        outputs=torch.tensor(found), y=torch.tensor(y),
        weighted=lambda w: float(of(y.astype(float), found.astype(float), sample_weight=w)),
    )  # fmt: skip


def pixels(rng: np.random.Generator, name: str) -> Case:
    y = rng.choice([0, 1, 2, 255], (N, 3, 4), p=[0.5, 0.3, 0.1, 0.1]).astype(np.uint8)
    logits = rng.normal(size=(N, 3, 3, 4)) + np.eye(3)[np.minimum(y, 2)].transpose(0, 3, 1, 2)
    judged, found = y != 255, logits.argmax(1)
    picture = np.broadcast_to(np.arange(N)[:, None, None], y.shape)

    def weighted(w: Array) -> float:
        args = (y[judged], found[judged])
        if name == "pixel_accuracy":
            return float(sklearn.accuracy_score(*args, sample_weight=w[picture][judged]))
        return float(sklearn.jaccard_score(*args, average="macro", sample_weight=w[picture][judged]))

    return Case(outputs=torch.tensor(logits).float(), y=torch.tensor(y), weighted=weighted)


MAKE: dict[str, Callable[[np.random.Generator], Case]] = {
    "quadratic_kappa": ordinal,
    **{name: lambda rng, name=name: labels(rng, name) for name in ("mean_average_precision", "f1")},  # type: ignore[misc]
    **{name: lambda rng, name=name: numbers(rng, name) for name in ("r2", "mae", "rmse")},  # type: ignore[misc]
    **{name: lambda rng, name=name: pixels(rng, name) for name in ("mean_iou", "pixel_accuracy")},  # type: ignore[misc]
}


@pytest.mark.parametrize("name", MAKE)
def test_scores_are_those_of_scikit_learn(name: str) -> None:
    for seed in range(4):
        case = MAKE[name](np.random.default_rng(seed))
        assert METRICS[name](case.outputs, case.y) == pytest.approx(case.score, rel=1e-9)


@pytest.mark.parametrize("name", MAKE)
def test_a_share_is_the_derivative_of_the_score_by_the_weight(name: str) -> None:
    case, step = MAKE[name](np.random.default_rng(7)), 1e-4
    found = SHARES[name](case.outputs, case.y).numpy()
    for sample in (0, 19, 38, 59):
        up, down = (np.where(np.arange(N) == sample, 1 + sign * step, 1.0) for sign in (1, -1))
        slope = (case.weighted(up) - case.weighted(down)) / (2 * step)
        assert found[sample] == pytest.approx(case.score + N * slope, abs=1e-4 * max(1.0, case.score))


@pytest.mark.parametrize("name", MAKE)
def test_the_mean_of_the_shares_is_the_score(name: str) -> None:
    case = MAKE[name](np.random.default_rng(1))
    found = shares(name, case.outputs, case.y)
    assert (found.shape, found.dtype) == ((N,), torch.float32)
    assert float(found.double().mean()) == pytest.approx(METRICS[name](case.outputs, case.y), rel=1e-6)


def test_classes_of_pixels_score_as_their_logits() -> None:
    case = pixels(np.random.default_rng(3), "mean_iou")
    found = of_pixels.answers(case.outputs)
    assert found.dtype == torch.uint8
    for name in PROBLEM_SCORES["segmentation"]:
        assert METRICS[name](found, case.y) == METRICS[name](case.outputs, case.y)
        assert torch.equal(SHARES[name](found, case.y), SHARES[name](case.outputs, case.y))


def test_pixels_are_counted_a_few_pictures_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    case = pixels(np.random.default_rng(3), "mean_iou")
    whole = SHARES["mean_iou"](case.outputs, case.y)
    monkeypatch.setattr(of_pixels, "CHUNK", 30)
    assert torch.equal(SHARES["mean_iou"](case.outputs, case.y), whole)


def test_what_is_not_defined_is_left_out() -> None:
    case = labels(np.random.default_rng(0), "f1")
    for name in ("mean_average_precision", "f1"):
        never = torch.cat([case.outputs, torch.full((N, 1), -9.0)], 1), torch.cat([case.y, case.y[:, :1] * 0], 1)
        assert METRICS[name](*never) == pytest.approx(METRICS[name](case.outputs, case.y), abs=1e-12)
        assert torch.allclose(SHARES[name](*never), SHARES[name](case.outputs, case.y))
    case = numbers(np.random.default_rng(0), "r2")
    flat = torch.cat([case.outputs, torch.ones(N, 1)], 1), torch.cat([case.y, torch.full((N, 1), 3.0)], 1)
    assert METRICS["r2"](*flat) == pytest.approx(METRICS["r2"](case.outputs, case.y), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "outputs", "y"),
    [
        ("quadratic_kappa", torch.zeros(5, 3), torch.zeros(5, dtype=torch.int64)),
        ("mean_average_precision", torch.full((5, 2), -1.0), torch.zeros(5, 2)),
        ("f1", torch.full((5, 2), -1.0), torch.zeros(5, 2)),
        ("r2", torch.zeros(5, 1), torch.ones(5, 1)),
        ("mean_iou", torch.zeros(5, 2, 1, 1), torch.full((5, 1, 1), 255, dtype=torch.uint8)),
        ("pixel_accuracy", torch.zeros(5, 2, 1, 1), torch.full((5, 1, 1), 255, dtype=torch.uint8)),
    ],
)
def test_where_nothing_is_defined_score_and_shares_are_0(name: str, outputs: Tensor, y: Tensor) -> None:
    assert METRICS[name](outputs, y) == 0.0
    assert shares(name, outputs, y).tolist() == [0.0] * 5


def test_a_useless_regression_is_below_0_and_a_perfect_one_is_1() -> None:
    y = torch.tensor([[1.0], [2.0], [4.0]])
    assert METRICS["r2"](y, y) == 1.0
    assert METRICS["r2"](-10 * y, y) < -50
    assert shares("rmse", y, y).tolist() == [0.0] * 3


def test_all_that_applies_is_measured() -> None:
    case = numbers(np.random.default_rng(0), "r2")
    assert list(measures(case.outputs, case.y, task="image", problem="regression")) == ["r2", "mae", "rmse"]
    case = ordinal(np.random.default_rng(0))
    expected = ["quadratic_kappa", "accuracy", "balanced_accuracy"]
    assert list(measures(case.outputs, case.y, task="image", problem="ordinal")) == expected
    case = labels(np.random.default_rng(0), "f1")
    assert list(measures(case.outputs, case.y, task="image", problem="multilabel")) == ["mean_average_precision", "f1"]


def test_auto_is_the_first_of_the_problem() -> None:
    found = [score_name("auto", "image", problem) for problem in PROBLEMS]
    assert found == ["accuracy", "quadratic_kappa", "mean_average_precision", "r2", "mean_iou"]
    assert score_name("auto", "links", "regression") == "auc", "whether nodes are linked has classes"
    assert loss_name("auto", "regression") == "mse"
    assert loss_name("huber", "regression") == "huber"


def test_every_score_has_a_name_and_a_function() -> None:
    named = {name for names in PROBLEM_SCORES.values() for name in names} | set(ERRORS) | {"average_precision"}
    assert named == SCORES.keys() == METRICS.keys() == SHARES.keys()
