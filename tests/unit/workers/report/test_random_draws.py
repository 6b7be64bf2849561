"""What random search would have reached, against what can be counted by hand and by drawing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from search.ledger import Trial
from search.objective import Objective
from search.spec import ObjectiveSpec
from search.trial import RANDOM
from tests.unit.workers.finalists.test_training import trial
from workers.report.random_draws import bootstrap, expected_maximum, random_draws

SCORE = Objective.of(ObjectiveSpec())


def drawn(*scores: float, first: int = 2, epochs: int = 4) -> list[Trial]:
    return [
        replace(trial(first + 5 * place, score), hash=f"r{place}", provenance=RANDOM, epochs=epochs)
        for place, score in enumerate(scores)
    ]


def told(random: list[Trial], others: list[Trial], *, objective: Objective = SCORE) -> dict[str, Any]:
    found = random_draws(random, [*others, *random], objective, seed=0)
    assert found is not None
    return found.to_json()


@pytest.mark.parametrize(("draws", "expected"), [(1, 0.5), (2, (0.3 * 1 + 0.5 * 3 + 0.7 * 5) / 9), (10_000, 0.7)])
def test_the_expected_best_of_draws_with_replacement(draws: int, expected: float) -> None:
    assert float(expected_maximum(np.array([0.3, 0.5, 0.7]), draws)) == pytest.approx(expected)


def test_it_agrees_with_drawing() -> None:
    scores, rng = np.sort(np.random.default_rng(1).random(8)), np.random.default_rng(2)
    best = scores[rng.integers(8, size=(40_000, 5))].max(axis=1).mean()
    assert float(expected_maximum(scores, 5)) == pytest.approx(best, abs=0.005)


def test_the_interval_is_one_of_the_trials_and_ends_at_the_best_seen() -> None:
    scores = np.linspace(0.5, 0.8, 10)
    interval = bootstrap(scores, 50, seed=0)
    assert interval is not None
    low, high = interval
    assert 0.5 < low < float(expected_maximum(scores, 50)) <= high <= 0.8
    assert bootstrap(scores, 50, seed=0) == interval
    assert bootstrap(np.array([0.5]), 50, seed=0) is None


def test_the_searchs_whole_cost_pays_for_the_draws() -> None:
    """3 random trials of 4 epochs, and 9 others of 8: 84 epochs pay for 21 draws."""
    others = [replace(trial(100 + number, 0.6), hash=f"h{number}", epochs=8) for number in range(9)]
    found = told(drawn(0.5, 0.7, 0.6), others)
    assert (found["trials"], found["completed"], found["draws"], found["extrapolated"]) == (3, 3, 21, True)
    assert found["best_drawn"] == found["best_of_search"] == 0.7
    low = found["interval"][0]
    assert found["words"] == (
        "random search of the same cost, about 21 draws, would have reached an expected best search score of 0.7000 or "
        f"more, by the 3 random trials of the search (3 of them trained to the end; bootstrap interval {low:.4f} to "
        "0.7000, whose upper end is too low); the search has 0.7000; these are more draws than were made, so it is "
        "extrapolated and cannot exceed 0.7000, the best that was drawn"
    )


def test_stopped_trials_rank_below_those_that_were_trained_to_the_end() -> None:
    """A stopped trial's high score at its rung is not the score that random search would have named."""
    whole, stopped = drawn(0.5), replace(drawn(0.9, first=7)[0], state=trial(0, 0.9, state="pruned").state, epochs=1)
    found = told([*whole, stopped], [])
    assert (found["trials"], found["completed"], found["best_drawn"]) == (2, 1, 0.5)
    assert found["draws"] == 2
    assert found["expected"] == pytest.approx(0.75 * 0.5 + 0.25 * 0.9)
    assert "none of them trained to the end" in told([stopped], [])["words"]


def test_failed_draws_cost_and_a_single_one_has_no_interval() -> None:
    failed = replace(trial(7, None, state="failed"), provenance=RANDOM, epochs=4)
    others = [replace(trial(100 + number, 0.6), epochs=8) for number in range(3)]
    found = told([*drawn(0.5), failed], others)
    assert (found["trials"], found["draws"], found["interval"]) == (1, 4, None)
    assert "bootstrap interval unknown: a single trial" in found["words"]


def test_there_is_none_without_random_trials_or_with_other_objectives() -> None:
    assert random_draws([], [trial(0, 0.5)], SCORE, seed=0) is None
    arm = [replace(one, provenance="random_arm") for one in drawn(0.5)]
    assert random_draws(arm, [trial(0, 0.5)], SCORE, seed=0) is None
    small = Objective.of(ObjectiveSpec(maximize=("score",), minimize=("params",)))
    assert random_draws(drawn(0.5), drawn(0.5), small, seed=0) is None
