"""The order of a planned job's final trainings, and what each is expected to take."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from search.ledger import Role, StoredMeasurement
from search.planning.rule import make_plan
from search.planning.values import PlanInputs
from search.trial import Measurement
from workers.finalists.training import FinalistTask
from workers.finalists.turns import MARGIN, expected_seconds, in_turns, is_first
from workers.train.recipe import Recipe

DIGITS: dict[str, Any] = {
    "seconds": 120.0, "slots": 2, "samples": 1149, "val_samples": 288, "final_samples": 1437, "input_shape": (1, 8, 8),
    "classes": 10, "step_s": 0.006, "score_s": 0.01,
}  # fmt: skip


def task(rank: int, role: Role, seed: int, number: int = 0) -> FinalistTask:
    return FinalistTask(
        rank=rank, role=role, number=number, seed=seed, architecture={}, recipe=Recipe(epochs=1, rungs=(900,))
    )


def test_the_winner_comes_first_then_baseline_and_random_in_turns_with_further_seeds() -> None:
    roles: list[tuple[int, Role, int]] = [
        (1, "finalist", 2), (2, "finalist", 2), (3, "baseline", 2), (4, "random", 2), (5, "fidelity", 1),
    ]  # fmt: skip
    ordered = in_turns(task(rank, role, seed) for rank, role, seeds in roles for seed in range(seeds))
    assert [(one.rank, one.seed) for one in ordered] == [
        (1, 0), (3, 0), (4, 0), (1, 1), (3, 1), (4, 1), (2, 0), (2, 1), (5, 0),
    ]  # fmt: skip
    assert is_first(ordered[0])
    assert not any(map(is_first, ordered[1:]))


def test_a_training_is_expected_to_take_what_its_architecture_took_in_the_search() -> None:
    rows = [
        StoredMeasurement(
            job_id="j", number=7, attempt=1, at=datetime.now(UTC),
            measurement=Measurement(epoch=epoch, score=0.5, train_loss=1.0, seconds=seconds),
        )
        for epoch, seconds in ((1, 1.0), (2, 3.0))
    ]  # fmt: skip
    plan = replace(make_plan(PlanInputs(**DIGITS)), rungs=(70, 210), load_s=4.0)
    expected = expected_seconds(plan, rows)
    score = 0.01 / 0.006
    step_s = 4.0 / (210 + 2 * score)
    assert expected(task(1, "finalist", 0, number=7)) == pytest.approx(4.0 + MARGIN * (900 * step_s + 0.02))
    assert expected(task(1, "finalist", 0, number=8)) == pytest.approx(4.0 + MARGIN * (900 * 0.006 + 0.02))
