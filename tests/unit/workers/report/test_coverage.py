"""Intervals of gains on simulated jobs whose truth is known: how often they claim a gain that is not there."""

import pytest

from benchmarks import answer_worlds
from benchmarks.intervals import NOISES, WORLDS, World, of_noise, of_scores
from tests.effort import share

CASES = [one for one in WORLDS if (one.classes, one.samples) in ((3, 500), (7, 300), (2, 500), (5, 300))]


@pytest.mark.sweep
@pytest.mark.heavy
@pytest.mark.parametrize("world", CASES, ids=lambda one: f"{one.score}-{one.classes}")
def test_equal_architectures_have_no_gain_by_any_score(world: World) -> None:
    """2.5 % may say "gain"; the bound leaves 3 standard errors."""
    jobs = share(200)
    before, today = of_scores(world, jobs)
    assert today.gains <= 0.025 + 3 * (0.025 / jobs) ** 0.5
    assert today.missed <= 0.05 + 3 * (0.05 / jobs) ** 0.5
    if world.score in ("auc", "average_precision"):
        assert before.missed > today.missed


@pytest.mark.sweep
@pytest.mark.heavy
@pytest.mark.parametrize("world", answer_worlds.WORLDS, ids=lambda one: f"{one.score}-{one.classes}")
def test_equal_architectures_have_no_gain_by_scores_of_other_answers(world: answer_worlds.World) -> None:
    """As above."""
    jobs = share(200)
    _, today = of_scores(world, jobs)
    assert today.gains <= 0.025 + 3 * (0.025 / jobs) ** 0.5
    assert today.missed <= 0.05 + 3 * (0.05 / jobs) ** 0.5


@pytest.mark.sweep
@pytest.mark.heavy
@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("count", [2, 3])
def test_intervals_hold_where_architectures_vary_unequally(name: str, count: int) -> None:
    """By Student's t on the pair 5 %; 6 % where one of it varies four times as much as the other."""
    jobs = share(500)
    _, today = of_noise(NOISES[name], (count,) * 5, jobs)
    assert today.missed <= 0.065 + 3 * (0.06 / jobs) ** 0.5
