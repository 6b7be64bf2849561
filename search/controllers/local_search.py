"""Local search: from a start to the first better neighbour, and from there on, until no neighbour is better; then anew.

White, Nolen, Savani (2021, Exploring the loss landscape in neural architecture search) find this plain method equal to
far larger ones where scores are little noisy. A neighbour differs in one answer: any other to a question of kinds, the
next smaller or larger on a scale. What the new answer makes the walk ask besides is answered at random.

A climb is known by its trials alone, so that ends of any order and a replay come to the same:

    joins       a trial belongs to the climb of the trial before it (the last such) from which it differs in one answer
                or in the questions one answer leads to; if there is none, it begins a climb. The first `starts` trials
                are one climb
    centre      of a climb: the best trained trial, as `ranking.py` compares them
    spent       a centre whose neighbours were all tried or cannot be

An ask takes a new neighbour of the centre of the earliest climb whose centre is not spent, in random order; where all
are spent it begins a climb at random. So results that come late wake an old climb up, and a failed trial is no centre.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from search.learning_curves import Curve, Standings, curve_of
from search.proposing.constraints import Constraint
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walks import Picker, SearchSpace, attempt, follow, uniform
from search.streams import Stream, generator
from search.trial import Outcome
from space.decision import Choices, Choose, Decision, Option
from space.space import replay

T = TypeVar("T")


@dataclass(kw_only=True, slots=True)
class Climb:
    """Trials by number, in order, with what they came to."""

    trials: dict[int, OpenProposal] = field(default_factory=dict)
    curves: dict[int, Curve] = field(default_factory=dict)
    standings: Standings = field(default_factory=Standings)

    def add(self, number: int, curve: Curve) -> None:
        self.curves[number] = curve
        self.standings.add(curve)

    @property
    def centre(self) -> int | None:
        """The best trained trial, the earliest of equals."""
        quantile = self.standings.quantile
        return max(self.curves, key=lambda number: (quantile(self.curves[number]), -number), default=None)


class _Kept(Generic[T]):
    """An iterator that can be gone through again and again, and is asked only once."""

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

    starts: how many trials the first climb begins from the best of. On `chain` and on NAS-Bench-Macro 1 and 5 came
    to the same after 100 trials, 1 was ahead after 50 without noise and 5 with it, and 10 was behind.
    """

    def __init__(
        self, space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 0, starts: int = 1
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self.starts = starts
        self._climbs: list[Climb] = []
        self._order: list[tuple[OpenProposal, Climb]] = []  # all trials as they were asked
        self._spent: set[int] = set()  # centres: what was tried stays tried
        self._around: dict[int, _Kept[tuple[Choices, str]]] = {}  # of centres: feasible neighbours and their hashes

    def picker(self, rng: np.random.Generator) -> Picker:
        return uniform(rng)

    def pickers(self, rngs: Iterator[np.random.Generator]) -> Iterator[Picker]:
        """A new neighbour of the first centre that has one, then uniform draws."""
        for climb in self._climbs if len(self._asked) >= self.starts else ():
            number = climb.centre
            if number is None or number in self._spent:
                continue
            found = self._new_neighbour(climb.trials[number])
            if found is not None:
                yield follow(replay(found))
            self._spent.add(number)
        yield from map(uniform, rngs)

    def _new_neighbour(self, centre: OpenProposal) -> Choices | None:
        """The first that is feasible and was not tried; each is walked once."""
        number = centre.proposal.number
        if number not in self._around:
            self._around[number] = _Kept(self._walks(centre))
        return next((choices for choices, hash_ in self._around[number] if hash_ not in self._tried), None)

    def _walks(self, centre: OpenProposal) -> Iterator[tuple[Choices, str]]:
        number = centre.proposal.number
        for picker in neighbours(centre, lambda place: generator(Stream.NEIGHBOUR, self.seed, number, place)):
            one = attempt(self.space, self.limits, picker)
            if one is not None and not one.broken:
                yield one.choices, one.architecture.hash

    def opened(self, asked: OpenProposal) -> None:
        climb = self._climb_of(asked)
        if climb is None:
            climb = Climb()
            self._climbs.append(climb)
        climb.trials[asked.proposal.number] = asked
        self._order.append((asked, climb))

    def _climb_of(self, asked: OpenProposal) -> Climb | None:
        if self._climbs and len(self._asked) <= self.starts:
            return self._climbs[0]
        latest_first = reversed(self._order)  # of those near it the latest is mostly one of the last few
        return next((climb for other, climb in latest_first if differ_in_one(asked, other)), None)

    def closed(self, asked: OpenProposal, outcome: Outcome) -> None:
        curve = curve_of(outcome)
        if curve is not None:
            climb = next(climb for climb in self._climbs if climb.trials.get(outcome.number) is asked)
            climb.add(outcome.number, curve)


def neighbours(centre: OpenProposal, rng: Callable[[int], np.random.Generator]) -> Iterator[Picker]:
    """The centre's answers but for one, in random order. rng: by place, 0 for the order, then what else a walk asks."""
    choices = centre.proposal.choices
    around = [{d.name: option} for d in centre.decisions for option in others(d, choices[d.name])]
    for place, index in enumerate(rng(0).permutation(len(around)), 1):
        yield follow(replay({**choices, **around[int(index)]}, otherwise=at_random(rng(place))))


def at_random(rng: np.random.Generator) -> Choose:
    """Every option alike."""
    return lambda decision: decision.options[int(rng.integers(len(decision.options)))]


def others(decision: Decision, answer: Option) -> Sequence[Option]:
    """The answers beside one: the next on a scale, any other of kinds."""
    options = decision.options
    at = options.index(answer)
    if decision.ordered:
        return (*options[max(0, at - 1) : at], *options[at + 1 : at + 2])
    return (*options[:at], *options[at + 1 :])


def differ_in_one(one: OpenProposal, other: OpenProposal) -> bool:
    """Whether one answer makes the difference: of the questions asked of both, one at most is answered otherwise."""
    mine, theirs = one.proposal.choices, other.proposal.choices
    changed = (True for name, answer in mine.items() if theirs.get(name, answer) != answer)
    return next(changed, None) is None or next(changed, None) is None
