"""Rank agreement of six chosen trials must hold for all trials of the search."""

import numpy as np
import pytest

from benchmarks.intervals import normal, of_ranks
from tests.effort import share
from workers.report.rank_agreement import agreement


def test_the_extremes_do_not_make_the_agreement_larger() -> None:
    """A relation with noise that six extremes hide: their tau is 1, that of all trials is not."""
    rng = np.random.default_rng(0)
    everyone = sorted(rng.uniform(0.5, 0.9, 40).tolist())
    short = [*everyone[:3], *everyone[-3:]]
    full = [0.72, 0.70, 0.74, 0.80, 0.79, 0.82]
    found = agreement(short, full, everyone)
    assert found.seen == pytest.approx(0.733, abs=0.001)
    assert found.tau is not None
    assert agreement(short, full, short).tau > found.tau  # type: ignore[operator]


def test_it_depends_on_the_ranks_of_search_scores_only() -> None:
    everyone = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    full = [0.5, 0.7, 0.6, 0.8, 0.9]
    found = agreement(everyone[:5], full, everyone)
    assert agreement([x**3 for x in everyone[:5]], full, [x**3 for x in everyone]) == found


def test_few_or_equal_ones_say_nothing_about_all() -> None:
    few = agreement([1, 2, 3], [0.3, 0.2, 0.1], [1, 2, 3])
    assert (few.seen, few.tau, few.interval) == (-1.0, None, None)
    assert agreement([1, 1], [0.1, 0.2], [1, 1]).seen is None


def test_perfect_scores_and_perfect_agreement_have_numbers() -> None:
    scores = [0.5, 0.6, 0.7, 0.8, 1.0]
    found = agreement(scores, scores, scores)
    assert found.tau is not None
    assert found.interval is not None
    assert 0.7 < found.tau <= 1.0
    assert found.interval[1] <= 1.0


def test_scores_below_0_are_ranked_too() -> None:
    """R² of networks that are worse than the mean."""
    short, full = [-3.0, -0.5, 0.1, 0.4, 0.6], [-40.0, -0.9, 0.3, 0.5, 0.8]
    found = agreement(short, full, [*short, -100.0, 0.2])
    assert found.seen == 1.0
    assert found.tau is not None
    assert found.tau > 0.5


@pytest.mark.sweep
@pytest.mark.heavy
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.77])
def test_estimates_are_unbiased_and_intervals_cover(rho: float) -> None:
    jobs = share(500)
    true, before, today = of_ranks(normal(rho), jobs)
    room = 2.5 / jobs**0.5  # 2.5 standard errors
    assert abs(today.bias) < 0.03 + room * today.sd
    assert today.covered > 0.95 - 0.03 - room * 0.22
    assert rho == 0 or (before.bias > 0.08 and true > 0.3), "what was reported before"
