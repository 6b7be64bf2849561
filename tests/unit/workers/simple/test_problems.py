"""Simple models of labels, numbers and ordered classes: they learn what is there, by the scores of the networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.unit.workers.simple.test_models import colours, given
from workers.simple import estimators
from workers.simple.models import MODELS, SimpleTask, fit_and_score
from workers.simple.sampling import Part, Samples
from workers.simple.scores import SCORES, score
from workers.train.metrics import METRICS

OF = {"ordinal": "quadratic_kappa", "multilabel": "mean_average_precision", "regression": "r2"}


def answers(problem: str, x: np.ndarray) -> np.ndarray:
    """By the brightness of the first two channels."""
    light = x[:, :2].reshape(len(x), 2, -1).mean(2)
    if problem == "ordinal":
        return np.asarray(np.digitize(light[:, 0], (85, 110, 135)))
    if problem == "multilabel":
        return np.stack([light[:, 0] > 110, light[:, 0] < 90, light[:, 1] > 0], axis=1).astype(np.uint8)
    return np.stack([1e6 * light[:, 0], 3 - 0.001 * light[:, 1]], axis=1).astype(np.float32)


def samples(problem: str) -> Samples:
    whole = [colours(count, seed=seed) for seed, count in ((0, 120), (1, 60))]
    train, held_out = (replace(part, y=answers(problem, part.x)) for part in whole)
    outputs = {"ordinal": 4, "multilabel": 3, "regression": 2}[problem]
    return replace(given(train, held_out, "image", outputs), problem=problem)


@pytest.mark.heavy
@pytest.mark.parametrize("problem", OF)
@pytest.mark.parametrize("model", MODELS)
def test_a_simple_model_learns_and_does_so_again(
    problem: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(estimators, "ROUNDS", (1, 20))
    task = SimpleTask(model=model, score=OF[problem], seed=3)
    found, again = (fit_and_score(task, samples(problem)) for _ in range(2))
    assert found.score is not None
    assert found.score > {"regression": 0.3}.get(problem, 0.7)
    assert replace(found, seconds=0.0) == replace(again, seconds=0.0)
    assert (found.strength is None) == (model == "boosted")


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        ("multilabel", "all samples have the same labels"),
        ("regression", "all samples have the same values"),
        ("ordinal", "all samples are of one class"),
    ],
)
def test_what_is_the_same_for_all_is_not_learned(problem: str, reason: str) -> None:
    whole = samples(problem)
    y = np.broadcast_to(whole.train.data.y[:1], whole.train.data.y.shape)
    alike = replace(whole, train=Part(data=replace(whole.train.data, y=y), of=120))
    assert fit_and_score(SimpleTask(model="linear", score=OF[problem], seed=0), alike).reason == reason


@pytest.mark.parametrize(("problem", "many"), [("multilabel", "700 labels"), ("regression", "700 targets")])
def test_what_would_take_too_long_is_not_begun(problem: str, many: str) -> None:
    found = fit_and_score(
        SimpleTask(model="boosted", score=OF[problem], seed=0), replace(samples(problem), classes=700)
    )
    assert found.reason == f"{many} are too many for it in the time that it is given"


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("name", ["mean_average_precision", "f1", "r2", "quadratic_kappa"])
def test_scores_are_those_of_the_networks(name: str, columns: int) -> None:
    """Also where a label is on no sample, a target is flat, or all answers are one class."""
    rng = np.random.default_rng(columns)
    outputs = rng.normal(size=(40, columns + (name == "quadratic_kappa"))).astype(np.float32)
    by_column = rng.normal(size=outputs.shape).astype(np.float32)
    first = np.arange(outputs.shape[1]) == 0
    truths = {
        "r2": [by_column, by_column * first, by_column * 0],
        "quadratic_kappa": [by_column.argmax(1), by_column.argmax(1) * 0],
    }.get(name, [by_column > 0.5, (by_column > 0.5) & first, by_column > 9])
    values = outputs.astype(np.float64)
    given = values if name in ("r2", "quadratic_kappa") else 1 / (1 + np.exp(-values))
    for y in truths:
        expected = METRICS[name](torch.tensor(outputs), torch.tensor(np.asarray(y)))
        assert score(name, given, np.asarray(y)) == pytest.approx(expected, abs=1e-9)


def test_there_is_no_other_score() -> None:
    assert set(SCORES) <= set(METRICS)
    with pytest.raises(ValueError, match="there is no score 'mae'"):
        score("mae", np.zeros((1, 1)), np.zeros((1, 1)))
