"""Walks through a space: what answers their decisions, what was answered, and where they led.

A picker answers one decision after the other. `Walk` notes what it said; `Draw` is a walk that is over, with how far
from all limits it ended. `search/proposing/walk_cache.py` remembers walks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from archsmith.errors import InvalidArchitecture
from search.proposing.constraints import Constraint, broken
from space.analysis import analyse
from space.architecture import Architecture
from space.constraint import MEASURES
from space.decision import Choices, Choose, Decision, Option
from space.size import SizeEstimate, every
from space.space import replay

Picker = Callable[[Decision], tuple[Option, float]]
"""An idea's answer to one decision, and the probability with which it was given."""


class SearchSpace(Protocol):
    """What a controller needs of a space; `space.space.Space` and the toys of `search/testing/toys.py` have it."""

    @property
    def constraints(self) -> Sequence[Constraint]:
        """The space's own, which every architecture must keep."""

    def sample(self, choose: Choose) -> Architecture:
        """One walk. Raises InvalidArchitecture where the shapes cannot be."""

    def baseline(self) -> Choices:
        """The answers of the architecture that every search starts from."""

    def size(self, limit: int) -> SizeEstimate:
        """The number of walks, exact when counting takes at most `limit` steps."""


@dataclass(kw_only=True, slots=True)
class Walk:
    """One walk as it happens. Its `choose` asks the picker and notes what it said.

    decisions: those with more than one option, in the order asked; only they can be learned from.
    """

    picker: Picker
    decisions: list[Decision] = field(default_factory=list)
    choices: Choices = field(default_factory=dict)
    behaviour: dict[str, float] = field(default_factory=dict)

    def choose(self, decision: Decision) -> Option:
        if len(decision.options) == 1:
            option = decision.options[0]
        else:
            option, self.behaviour[decision.name] = self.picker(decision)
            self.decisions.append(decision)
        self.choices[decision.name] = option
        return option


def uniform(rng: np.random.Generator) -> Picker:
    """Every option alike."""

    def pick(decision: Decision) -> tuple[Option, float]:
        count = len(decision.options)
        return decision.options[int(rng.integers(count))], 1.0 / count

    return pick


def neighbour(choices: Choices, rng: np.random.Generator) -> Picker:
    """The same answers but for two of them, on average."""
    again = uniform(rng)
    same = follow(replay(choices))
    rate = min(1.0, 2.0 / max(1, len(choices)))
    return lambda decision: again(decision) if rng.random() < rate else same(decision)


def follow(choose: Choose) -> Picker:
    """Answers that are certain."""
    return lambda decision: (choose(decision), 1.0)


def every_walk(space: SearchSpace) -> Iterator[tuple[Walk, Architecture | None]]:
    """All walks of a space, the last decision turning fastest; None where no shape fits."""

    def run(choose: Choose) -> tuple[Walk, Architecture | None]:
        walk = Walk(picker=follow(choose))
        try:
            return walk, space.sample(walk.choose)
        except InvalidArchitecture:
            return walk, None

    return every(run)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """A walk that ended in an architecture.

    decisions: those with more than one option; behaviour: the probability of each answer to them.
    broken: how far it is from feasible, see `search.proposing.constraints`.
    """

    choices: Choices
    decisions: tuple[Decision, ...]
    behaviour: Mapping[str, float]
    architecture: Architecture
    measures: Mapping[str, float]
    broken: float


def attempt(space: SearchSpace, limits: Sequence[Constraint], picker: Picker) -> Draw | None:
    """One walk, and how far from all limits it ends; None where no shape fits."""
    walk = Walk(picker=picker)
    try:
        architecture = space.sample(walk.choose)
    except InvalidArchitecture:
        return None
    return attempt_of(walk, architecture, limits)


class OnDemand(Mapping[str, float]):
    """The measures of an architecture, analysed when the first is looked up: 0.7 ms that a search without any
    constraint does not spend on each draw."""

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture

    @cached_property
    def _known(self) -> Mapping[str, float]:
        return analyse(self._architecture).measures

    def __getitem__(self, name: str) -> float:
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(MEASURES)

    def __len__(self) -> int:
        return len(MEASURES)


def attempt_of(walk: Walk, architecture: Architecture, limits: Sequence[Constraint]) -> Draw:
    """A walk that is over."""
    measures = OnDemand(architecture)
    return Draw(
        choices=walk.choices,
        decisions=tuple(walk.decisions),
        behaviour=walk.behaviour,
        architecture=architecture,
        measures=measures,
        broken=broken(limits, measures),
    )
