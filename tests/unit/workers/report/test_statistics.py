"""The report's claims must hold as often as they say, on simulated jobs whose true scores are known."""

import numpy as np
import pytest

from search.controllers.local_search import LocalSearchController
from search.controllers.random import RandomController
from search.testing.loop import Told, search
from search.testing.toys import Ask, Faulty, Toy
from workers.report.statistics import Gain, Scores, gain

JOBS, LEAST = 40, 38
SEEDS, NOISE = 3, 0.01
"""NOISE: standard deviation of one training, a point of accuracy."""
WIDTHS = (2, 4, 6)


def toy(worth: float, widths: int) -> Toy:
    """A space of widths. Each width at its last option adds `worth` to the score; the baseline has none of them.

    With a worth of 0 all architectures are equal. Otherwise a search can climb to the best one, which is 1 of 6,561 for
    8 widths and thus seldom drawn at random.
    """

    def grow(ask: Ask) -> list[tuple[str, dict[str, object]]]:
        return [("conv2d", {"out": ask(f"width.{i}", WIDTHS, False), "kernel": 1}) for i in range(widths)]

    return Toy("planted", grow, lambda choices: 0.4 + worth * sum(value == WIDTHS[-1] for value in choices.values()))


def best(told: list[Told]) -> list[Told]:
    return sorted(told, key=lambda entry: -(entry.outcome.value or 0.0))


def trained(space: Toy, told: Told, rng: np.random.Generator, samples: int) -> Scores:
    """SEEDS full trainings, measured on a test split of `samples` samples; 0 stands for infinitely many."""
    means = space.reward(told.proposal.choices) + rng.normal(0.0, NOISE, SEEDS)
    if not samples:
        return Scores(values=tuple(map(float, means)))
    hits = rng.random((SEEDS, samples)) < means[:, None]
    return Scores(values=tuple(map(float, hits.mean(axis=1))), shares=hits.mean(axis=0))


def job(seed: int, space: Toy, *, trials: int, samples: int) -> tuple[Gain, Told]:
    """A whole job (search, random arm of equal cost, full trainings) -> its gain over random, and the winner."""
    rng = np.random.default_rng([seed, 99])
    noisy, other = (Faulty(toy=space, seed=s, noise=NOISE) for s in (seed, seed + 1000))
    told = search(LocalSearchController(space, seed=seed), noisy, trials=trials)
    arm = search(RandomController(space, seed=seed + 1000), other, trials=trials)
    baseline = next(entry for entry in told if entry.proposal.number == 0)
    scores = [trained(space, entry, rng, samples) for entry in (*best(told)[:3], best(arm)[0], baseline)]
    return gain(scores[0], scores[3], scores, seed=seed), best(told)[0]


@pytest.mark.heavy
@pytest.mark.parametrize("samples", [0, 2000])
def test_a_flat_space_shows_no_gain_over_random(samples: int) -> None:
    found = [job(seed, toy(0.0, 3), trials=12, samples=samples)[0] for seed in range(JOBS)]
    assert sum("no gain over random" in result.words("random") for result in found) >= LEAST


@pytest.mark.heavy
def test_a_planted_winner_is_found_and_its_gain_is_beyond_zero() -> None:
    found = [job(seed, toy(0.06, 8), trials=55, samples=2000) for seed in range(JOBS)]
    planted = [set(winner.proposal.choices.values()) == {WIDTHS[-1]} for _, winner in found]
    assert sum(planted) >= LEAST
    assert sum(result.verdict == "gain" for result, _ in found) >= LEAST


@pytest.mark.heavy
def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Comparisons of equal architectures: three trainings of each, the noise estimated from five of them."""
    rng = np.random.default_rng(0)
    means = rng.normal(0.0, NOISE, (500, 5, SEEDS))
    pools = [[Scores(values=tuple(row)) for row in rows] for rows in means]
    found = [gain(pool[0], pool[1], pool) for pool in pools]
    missed = sum(result.interval is not None and not result.interval[0] <= 0 <= result.interval[1] for result in found)
    assert 0.025 < missed / len(found) < 0.08


def test_one_training_per_architecture_gives_no_interval() -> None:
    one, other = Scores(values=(0.9,)), Scores(values=(0.8,))
    found = gain(one, other, [one, other])
    assert (found.verdict, found.interval) == ("unknown", None)
    assert found.words("random") == "gain over random unknown: +0.1000, but each of the two was trained only once"
    repeated = Scores(values=(0.7, 0.8, 0.9))
    assert gain(one, other, [one, other, repeated]).interval is None, "others say nothing of how much these two vary"


def test_a_gain_in_words() -> None:
    said = {
        verdict: Gain(value=0.01, interval=interval, samples=True, trainings=(3, 2)).words("random")
        for verdict, interval in {"gain": (0.004, 0.016), "zero": (-0.004, 0.024), "worse": (-0.02, -0.01)}.items()
    }
    rests = ", from 3 and 2 trainings"
    assert said["gain"] == "gain over random: +0.0100, 95% interval +0.0040 to +0.0160" + rests
    assert said["zero"] == "no gain over random: +0.0100, 95% interval -0.0040 to +0.0240, which includes zero" + rests
    assert said["worse"].startswith("no gain over random: ")
    assert said["worse"].endswith("; the winner is worse" + rests)


def test_the_noise_is_that_of_the_two_that_are_compared() -> None:
    quiet, loud = Scores(values=(0.90, 0.91, 0.92)), Scores(values=(0.50, 0.70, 0.90))
    assert gain(quiet, quiet, [quiet, loud]) == gain(quiet, quiet, [quiet])
    twice = gain(Scores(values=(0.90, 0.91)), Scores(values=(0.8,)), [quiet, loud])
    assert twice.interval is not None
    assert twice.interval[0] < -0.1, "a single repetition: the noise is that of all architectures"


def test_the_intervals_are_those_of_student() -> None:
    """Means 0.02 apart, a standard deviation of 0.01 between trainings: 0.02 +- 2.776 * 0.01 * sqrt(2 / 3)."""
    first, second = Scores(values=(0.91, 0.92, 0.93)), Scores(values=(0.89, 0.90, 0.91))
    found = gain(first, second, [first, second]).interval
    assert found == pytest.approx((0.02 - 0.02267, 0.02 + 0.02267), abs=6e-4)


def test_many_different_shares_have_the_spread_of_their_mean() -> None:
    rng = np.random.default_rng(0)
    shares = rng.normal(0.0, 0.5, (2, 400))
    first, second = (Scores(values=(0.9, 0.9), shares=row) for row in shares)
    found = gain(first, second, [first, second]).interval
    reach = 1.96 * float((shares[0] - shares[1]).std()) / 20
    assert found == pytest.approx((-reach, reach), rel=0.05)
