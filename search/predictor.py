"""Bayesian optimisation on graph features: a Gaussian process over what architectures look like, expected improvement.

(BANANAS: White et al. 2021, for candidates by mutation; Kadlecová et al. 2024 for the features.) What an architecture
is compared by matters more than the model: on a published table of 15,625 cells the same process finds the best after
29 trainings by graph features and 49 by the six answers.

Candidates: neighbours of the five believed best that differ in one answer (all, or 40 of each) or two (12 of each), and
the pool of random architectures. The neighbours of a trial are drawn by its own number, so they are grown once as long
as it stays among the best. From the four of all these that promise most the search climbs on: 40 changes of one or two
of their answers, and once more from the four best then.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from search.modelled import Belief, Candidate, Modelled
from search.propose import Asked, Picker, SearchSpace, follow, neighbour
from space.decision import Choices, Decision, Option
from space.space import replay

CLIMB, AROUND = 3_000_000, 3_000_001
"""Numbers of streams, beyond those of a trial's draws."""


class PredictorController(Modelled):
    """Options: see `Modelled`."""

    centres: ClassVar[int] = 5  # the trials around which candidates are drawn
    singles: ClassVar[int] = 40
    doubles: ClassVar[int] = 12
    climbs: ClassVar[int] = 2
    peaks: ClassVar[int] = 4
    steps: ClassVar[int] = 40

    def __init__(self, space: SearchSpace, **options: Any) -> None:
        super().__init__(space, **options)
        self._around: dict[int, list[Candidate]] = {}

    def candidates(self, number: int, belief: Belief) -> list[Candidate]:
        best = [end.asked for end in belief.incumbents(self.centres)]
        # what is not needed this time is forgotten
        self._around = {asked.proposal.number: self._around_of(asked) for asked in best}
        found = [*itertools.chain(*self._around.values()), *self.pool]
        for climb in range(self.climbs):
            found += self._climbed(found, belief, np.random.default_rng([self.seed, number, CLIMB, climb]))
        return found

    def _climbed(self, found: Sequence[Candidate], belief: Belief, rng: np.random.Generator) -> list[Candidate]:
        """Neighbours of the candidates that promise most."""
        there = [one for one in found if not one.broken]
        if not there:
            return []
        order = np.argsort(-self.merit(there, belief), kind="stable")[: self.peaks]
        peaks = [there[int(place)].choices for place in order]
        return self.grown(neighbour(peaks[i % len(peaks)], rng) for i in range(self.steps))

    def _around_of(self, asked: Asked) -> list[Candidate]:
        number = asked.proposal.number
        if number in self._around:
            return self._around[number]
        rng = np.random.default_rng([self.seed, number, AROUND])
        return self.grown(_neighbours(asked, rng, singles=self.singles, doubles=self.doubles))


def _neighbours(asked: Asked, rng: np.random.Generator, *, singles: int, doubles: int) -> Iterator[Picker]:
    choices, decisions = asked.proposal.choices, asked.decisions
    changes: list[Choices] = [
        {decision.name: option}
        for decision in decisions
        for option in decision.options
        if not _same(option, choices[decision.name])
    ]
    for place in rng.permutation(len(changes))[:singles]:
        yield _changed(choices, changes[int(place)], rng)
    if len(decisions) > 1:
        for _ in range(doubles):
            first, second = (decisions[int(place)] for place in rng.choice(len(decisions), size=2, replace=False))
            yield _changed(choices, {**_other(first, choices, rng), **_other(second, choices, rng)}, rng)


def _other(decision: Decision, choices: Choices, rng: np.random.Generator) -> Choices:
    others = [option for option in decision.options if not _same(option, choices[decision.name])]
    return {decision.name: others[int(rng.integers(len(others)))]}


def _same(option: Option, other: Option) -> bool:
    return type(option) is type(other) and option == other


def _changed(choices: Choices, changes: Choices, rng: np.random.Generator) -> Picker:
    """Questions that were not asked before are answered at random."""

    def otherwise(decision: Decision) -> Option:
        return decision.options[int(rng.integers(len(decision.options)))]

    return follow(replay({**choices, **changes}, otherwise=otherwise))
