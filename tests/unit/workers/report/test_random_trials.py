"""A search with random trials in it instead of an arm: the report's claims hold as often as with an arm."""

import pytest

from benchmarks.random_trials import JOBS, WORLDS, of_draws, of_jobs

LEAST = 38


@pytest.mark.heavy
@pytest.mark.parametrize("name", [name for name, world in WORLDS.items() if not world.worth])
def test_equal_architectures_show_no_gain_over_random(name: str) -> None:
    found = of_jobs(WORLDS[name])
    assert found.none >= LEAST
    assert found.gains <= JOBS - LEAST


@pytest.mark.heavy
@pytest.mark.parametrize("name", [name for name, world in WORLDS.items() if world.worth])
def test_a_planted_winner_is_found_and_its_gain_is_beyond_zero(name: str) -> None:
    found = of_jobs(WORLDS[name])
    assert found.planted >= LEAST
    assert found.gains >= LEAST


@pytest.mark.parametrize(("made", "wanted"), [(12, 12), (12, 60)])
def test_the_estimate_of_more_draws_reads_low_and_its_lower_end_holds(made: int, wanted: int) -> None:
    found = of_draws(made, wanted, 60)
    assert found.bias < 0
    assert found.covered + found.above >= 0.95
