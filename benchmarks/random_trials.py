"""Searches with random trials in them, simulated: do their comparisons hold as often as they say?

Part of `python -m benchmarks.intervals`; tests/unit/workers/report/test_statistics.py has the same jobs with an arm of
equal cost.
"""

from dataclasses import dataclass

import numpy as np

from search.controllers.local_search import LocalSearchController
from search.proposing.interleaved import Interleaved
from search.testing.loop import Told, search
from search.testing.toys import Ask, Faulty, Toy
from search.trial import RANDOM
from space.decision import Choices
from workers.report.random_draws import bootstrap, expected_maximum
from workers.report.statistics import Gain, Scores, gain

NOISE, JOBS = 0.01, 40
"""NOISE: standard deviation of one training, a point of accuracy."""
OPTIONS = (2, 4, 6)


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A space of `widths` widths, each of which adds `worth` to the score at its last option.

    trials: of the search. samples: of the test split. seeds: full trainings of winner, best random one, baseline.
    """

    worth: float
    widths: int
    trials: int
    samples: int = 2000
    seeds: int = 3

    @property
    def toy(self) -> Toy:
        def grow(ask: Ask) -> list[tuple[str, dict[str, object]]]:
            return [("conv2d", {"out": ask(f"width.{i}", OPTIONS, False), "kernel": 1}) for i in range(self.widths)]

        def reward(choices: Choices) -> float:
            return 0.4 + self.worth * sum(value == OPTIONS[-1] for value in choices.values())

        return Toy("planted", grow, reward)


WORLDS = {
    "all equal, 12 trials, 2 seeds": World(worth=0.0, widths=3, trials=12, seeds=2),
    "all equal, 12 trials": World(worth=0.0, widths=3, trials=12),
    "one better, 60 trials, 2 seeds": World(worth=0.06, widths=8, trials=60, seeds=2),
    "one better, 60 trials": World(worth=0.06, widths=8, trials=60),
}
"""The planted one is 1 of 6,561, so it is seldom drawn at random; a quarter more trials than a search without random
ones needs (55, test_statistics.py), since the climb has four of five."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Of JOBS jobs: those that say "no gain over random", those that state a gain, those that found the best."""

    none: int
    gains: int
    planted: int


def of_jobs(world: World, jobs: int = JOBS) -> Found:
    results = [_job(world, seed) for seed in range(jobs)]
    return Found(
        none=sum(found is None or found.verdict == "no gain" for found, _ in results),
        gains=sum(found is not None and found.verdict == "gain" for found, _ in results),
        planted=sum(set(winner.proposal.choices.values()) == {OPTIONS[-1]} for _, winner in results),
    )


def _job(world: World, seed: int) -> tuple[Gain | None, Told]:
    """A search and its final trainings -> its gain over random, None where the winner was drawn at random."""
    toy, rng = world.toy, np.random.default_rng([seed, 99])
    controller = Interleaved(LocalSearchController(toy, seed=seed), toy, seed=seed)
    told = search(controller, Faulty(toy=toy, seed=seed, noise=NOISE), trials=world.trials)
    order = sorted(told, key=lambda entry: -(entry.outcome.value or 0.0))
    random = next(entry for entry in order if entry.proposal.provenance == RANDOM)
    baseline = next(entry for entry in told if entry.proposal.number == 0)
    if order[0] is random:
        return None, order[0]
    scores = [_trained(world, toy, entry, rng) for entry in (order[0], random, baseline)]
    return gain(scores[0], scores[1], scores, seed=seed), order[0]


def _trained(world: World, toy: Toy, told: Told, rng: np.random.Generator) -> Scores:
    means = toy.reward(told.proposal.choices) + rng.normal(0.0, NOISE, world.seeds)
    hits = rng.random((world.seeds, world.samples)) < means[:, None]
    return Scores(values=tuple(map(float, hits.mean(axis=1))), shares=hits.mean(axis=0))


# ---- what more draws would have reached

DRAWS = ((4, 4), (4, 20), (12, 12), (12, 60), (24, 24), (24, 120))
"""(random trials, draws that the whole cost would pay for)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """Of many searches whose scores are normal with standard deviation 1.

    bias: mean of the estimates minus the true expected maximum. covered: intervals that have the truth. above: those
    that end below it.
    """

    bias: float
    covered: float
    above: float


def of_draws(made: int, wanted: int, searches: int, *, seed: int = 0) -> Reached:
    rng = np.random.default_rng([seed, made, wanted])
    true = float(rng.normal(size=(20_000, wanted)).max(axis=1).mean())
    scores = np.sort(rng.normal(size=(searches, made)), axis=1)
    intervals = [bootstrap(row, wanted, seed=number) or (0.0, 0.0) for number, row in enumerate(scores)]
    return Reached(
        bias=float(expected_maximum(scores, wanted).mean()) - true,
        covered=sum(low <= true <= high for low, high in intervals) / searches,
        above=sum(high < true for _, high in intervals) / searches,
    )
