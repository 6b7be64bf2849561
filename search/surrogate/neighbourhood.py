"""Candidates around the incumbents: all small changes of them, and further changes of the most promising of these.

The neighbours of a trial are drawn from a stream of its own number, so that they are made once, as long as it stays
among the best.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from search.proposing.proposer import OpenProposal
from search.proposing.walks import Picker, follow, neighbour
from search.streams import Stream, generator
from search.surrogate.controller import SurrogateController
from search.surrogate.posterior import Candidate, Posterior
from space.decision import Choices, Decision, Option
from space.space import replay

CENTRES = 5
"""The trials around which candidates are drawn."""

SINGLES, DOUBLES, STEPS = 0.2, 0.06, 0.2
"""Shares of an ask's walks: for each centre at most so many changes of one answer, and of two, and for one climb."""

PEAKS = 4
"""The candidates that a climb starts from, by changes of two answers on average."""


class Neighbourhood:
    """The neighbourhoods of one controller's incumbents."""

    def __init__(self, controller: SurrogateController) -> None:
        self._controller = controller
        self._known: dict[int, list[Candidate]] = {}  # by the centre's number

    def around(self, posterior: Posterior) -> list[Candidate]:
        """The neighbours of the trials with the highest estimates."""
        best = [end.trial for end in posterior.incumbents(CENTRES)]
        # what is no centre this time is dropped
        self._known = {trial.proposal.number: self._neighbours(trial) for trial in best}
        return [candidate for neighbours in self._known.values() for candidate in neighbours]

    def climbed(
        self, candidates: Sequence[Candidate], posterior: Posterior, number: int, climb: int
    ) -> list[Candidate]:
        """Neighbours of the candidates with the highest acquisition. climb: counts the climbs of trial `number`."""
        feasible = [candidate for candidate in candidates if not candidate.violation]
        if not feasible:
            return []
        order = np.argsort(-self._controller.acquisition(feasible, posterior), kind="stable")[:PEAKS]
        peaks = [feasible[int(place)].choices for place in order]
        rng = generator(Stream.CLIMB, self._controller.seed, number, climb)
        walks = int(STEPS * posterior.walk_budget)
        return self._controller.sampled(neighbour(peaks[i % len(peaks)], rng) for i in range(walks))

    def _neighbours(self, trial: OpenProposal) -> list[Candidate]:
        number = trial.proposal.number
        if number in self._known:
            return self._known[number]
        rng, walks = generator(Stream.AROUND, self._controller.seed, number), self._controller.max_walks
        singles, doubles = int(SINGLES * walks), int(DOUBLES * walks)
        return self._controller.sampled(_changes(trial, rng, singles=singles, doubles=doubles))


def _changes(trial: OpenProposal, rng: np.random.Generator, *, singles: int, doubles: int) -> Iterator[Picker]:
    """Changes of one answer, each at most once, and then of two."""
    choices, decisions = trial.proposal.choices, trial.decisions
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
    """A random answer to one decision, other than the present one."""
    others = [option for option in decision.options if not _same(option, choices[decision.name])]
    return {decision.name: others[int(rng.integers(len(others)))]}


def _same(option: Option, other: Option) -> bool:
    return type(option) is type(other) and option == other


def _changed(choices: Choices, changes: Choices, rng: np.random.Generator) -> Picker:
    """The same answers except for the changes; decisions that were not asked before are answered at random."""

    def otherwise(decision: Decision) -> Option:
        return decision.options[int(rng.integers(len(decision.options)))]

    return follow(replay({**choices, **changes}, otherwise=otherwise))
