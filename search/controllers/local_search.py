"""Local search: from a start to the first better neighbour, and on from there until no neighbour is better; then from a
new start.

White, Nolen, Savani (2021, Exploring the loss landscape in neural architecture search) find this simple method equal to
far larger ones where scores have little noise. A neighbour differs in one answer: any other option of an unordered
decision, the next smaller or larger option of an ordered one. Decisions that only the new answer leads to are answered
at random.

A climb is defined by its trials alone, so that the order of the outcomes does not matter, and a replay is the same:

    members     a trial belongs to the climb of the latest trial before it from which it differs in one answer, or in
                the decisions that one answer leads to; where there is none, it begins a climb. The first `starts`
                trials are one climb
    centre      of a climb: the best trained trial, as `search/learning_curves.py` compares them
    exhausted   a centre whose neighbours were all tried or are infeasible

An ask takes a new neighbour of the centre of the earliest climb whose centre is not exhausted, in random order; where
all are exhausted it begins a climb at random. So a late outcome may resume an old climb. A failed trial is no centre.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from search.learning_curves import Curve, CurveRanking, curve_of
from search.proposing.constraints import Constraint
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walks import Picker, SearchSpace, draw_walk, follow, uniform
from search.streams import Stream, generator
from search.trial import Outcome
from space.decision import Choices, Choose, Decision, Option
from space.space import replay

T = TypeVar("T")


@dataclass(kw_only=True, slots=True)
class Climb:
    """Trials by number, in order, and the curves of those that ended with a value."""

    trials: dict[int, OpenProposal] = field(default_factory=dict)
    curves: dict[int, Curve] = field(default_factory=dict)
    ranking: CurveRanking = field(default_factory=CurveRanking)

    def add(self, number: int, curve: Curve) -> None:
        self.curves[number] = curve
        self.ranking.add(curve)

    @property
    def centre(self) -> int | None:
        """The best trained trial, the earliest of equals."""
        quantile = self.ranking.quantile
        return max(self.curves, key=lambda number: (quantile(self.curves[number]), -number), default=None)


class _Replayable(Generic[T]):
    """An iterator that can be iterated over again; each item is computed once."""

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._seen: list[T] = []

    def __iter__(self) -> Iterator[T]:
        yield from self._seen
        for item in self._items:
            self._seen.append(item)
            yield item


class LocalSearchController(Proposer):
    """Options.

    starts: the first climb begins from the best of so many trials. On `chain` and on NAS-Bench-Macro 1 and 5 were equal
    after 100 trials, 1 was ahead after 50 without noise and 5 with it, and 10 was behind.
    """

    def __init__(
        self, space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 0, starts: int = 1
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self.starts = starts
        self._climbs: list[Climb] = []
        self._order: list[tuple[OpenProposal, Climb]] = []  # all trials in the order asked
        self._exhausted: set[int] = set()  # centres; for good, since what was tried stays tried
        self._around: dict[int, _Replayable[tuple[Choices, str]]] = {}  # feasible neighbours of centres, and hashes

    def picker(self, rng: np.random.Generator) -> Picker:
        return uniform(rng)

    def pickers(self, rngs: Iterator[np.random.Generator]) -> Iterator[Picker]:
        """A new neighbour of the first centre that has one, then uniform draws."""
        for climb in self._climbs if len(self._asked) >= self.starts else ():
            number = climb.centre
            if number is None or number in self._exhausted:
                continue
            choices = self._new_neighbour(climb.trials[number])
            if choices is not None:
                yield follow(replay(choices))
            self._exhausted.add(number)
        yield from map(uniform, rngs)

    def _new_neighbour(self, centre: OpenProposal) -> Choices | None:
        """The first that is feasible and was not tried; each is drawn once."""
        number = centre.proposal.number
        if number not in self._around:
            self._around[number] = _Replayable(self._neighbours(centre))
        return next((choices for choices, hash_ in self._around[number] if hash_ not in self._tried), None)

    def _neighbours(self, centre: OpenProposal) -> Iterator[tuple[Choices, str]]:
        number = centre.proposal.number
        for picker in neighbours(centre, lambda place: generator(Stream.NEIGHBOUR, self.seed, number, place)):
            draw = draw_walk(self.space, self.constraints, picker)
            if draw is not None and not draw.violation:
                yield draw.choices, draw.architecture.hash

    def opened(self, trial: OpenProposal) -> None:
        climb = self._climb_of(trial)
        if climb is None:
            climb = Climb()
            self._climbs.append(climb)
        climb.trials[trial.proposal.number] = trial
        self._order.append((trial, climb))

    def _climb_of(self, trial: OpenProposal) -> Climb | None:
        if self._climbs and len(self._asked) <= self.starts:
            return self._climbs[0]
        latest_first = reversed(self._order)  # the one it was made from is mostly among the last few
        return next((climb for other, climb in latest_first if differ_in_one(trial, other)), None)

    def closed(self, trial: OpenProposal, outcome: Outcome) -> None:
        curve = curve_of(outcome)
        if curve is not None:
            climb = next(climb for climb in self._climbs if climb.trials.get(outcome.number) is trial)
            climb.add(outcome.number, curve)


def neighbours(centre: OpenProposal, rng: Callable[[int], np.random.Generator]) -> Iterator[Picker]:
    """The centre's answers except for one, in random order.

    rng: the generator of each place; 0 is for the order, n for the decisions that only neighbour n has.
    """
    choices = centre.proposal.choices
    around = [{d.name: option} for d in centre.decisions for option in others(d, choices[d.name])]
    for place, index in enumerate(rng(0).permutation(len(around)), 1):
        yield follow(replay({**choices, **around[int(index)]}, otherwise=at_random(rng(place))))


def at_random(rng: np.random.Generator) -> Choose:
    """Every option with the same probability."""
    return lambda decision: decision.options[int(rng.integers(len(decision.options)))]


def others(decision: Decision, answer: Option) -> Sequence[Option]:
    """The options next to an answer: both neighbours on a scale, all others of an unordered decision."""
    options = decision.options
    at = options.index(answer)
    if decision.ordered:
        return (*options[max(0, at - 1) : at], *options[at + 1 : at + 2])
    return (*options[:at], *options[at + 1 :])


def differ_in_one(trial: OpenProposal, other: OpenProposal) -> bool:
    """Whether, of the decisions that both walks have, at most one is answered differently."""
    choices, others = trial.proposal.choices, other.proposal.choices
    changed = (True for name, answer in choices.items() if others.get(name, answer) != answer)
    return next(changed, None) is None or next(changed, None) is None
