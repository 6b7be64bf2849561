"""Candidates around what is believed best: all small changes of it, and from the most promising of these on.

The neighbours of a trial are drawn by its own number, so that they are grown once, as long as it stays among the best.
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
"""Parts of an ask's walks: for each centre at most so many changes of one answer, and of two, and for one climb."""

PEAKS = 4
"""A climb goes from so many candidates that promise most, by changes of two answers on average."""


class Neighbourhood:
    """Of one controller."""

    def __init__(self, of: SurrogateController) -> None:
        self._of = of
        self._known: dict[int, list[Candidate]] = {}

    def around(self, belief: Posterior) -> list[Candidate]:
        """The neighbours of the trials believed best."""
        best = [end.asked for end in belief.incumbents(CENTRES)]
        # what is not needed this time is forgotten
        self._known = {asked.proposal.number: self._neighbours(asked) for asked in best}
        return [one for found in self._known.values() for one in found]

    def climbed(self, found: Sequence[Candidate], belief: Posterior, number: int, climb: int) -> list[Candidate]:
        """Neighbours of those among `found` that promise most. climb: counts the climbs of trial `number`."""
        there = [one for one in found if not one.broken]
        if not there:
            return []
        order = np.argsort(-self._of.merit(there, belief), kind="stable")[:PEAKS]
        peaks = [there[int(place)].choices for place in order]
        rng = generator(Stream.CLIMB, self._of.seed, number, climb)
        return self._of.grown(neighbour(peaks[i % len(peaks)], rng) for i in range(int(STEPS * belief.fresh)))

    def _neighbours(self, asked: OpenProposal) -> list[Candidate]:
        number = asked.proposal.number
        if number in self._known:
            return self._known[number]
        rng, walks = generator(Stream.AROUND, self._of.seed, number), self._of.walks
        return self._of.grown(_changes(asked, rng, singles=int(SINGLES * walks), doubles=int(DOUBLES * walks)))


def _changes(asked: OpenProposal, rng: np.random.Generator, *, singles: int, doubles: int) -> Iterator[Picker]:
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
