"""Walks through a space: what answers their decisions, what was answered, and where they led.

A picker answers one decision after the other. `Walk` records its answers; a `Draw` is a walk that has ended, with its
architecture and how far that is from feasible. `search/proposing/walk_cache.py` remembers walks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from archsmith.errors import InvalidArchitecture
from search.proposing.constraints import Constraint, total_violation
from space.analysis import analyse
from space.architecture import Architecture
from space.constraint import MEASURES
from space.decision import Choices, Choose, Decision, Option
from space.size import SizeEstimate, every
from space.space import replay

Picker = Callable[[Decision], tuple[Option, float]]
"""A strategy's answer to one decision, and the probability with which it was given."""


class SearchSpace(Protocol):
    """What a controller needs of a space; `space.space.Space` and the toys of `search/testing/toys.py` have it."""

    @property
    def constraints(self) -> Sequence[Constraint]:
        """The space's own constraints, which every architecture must keep."""

    def sample(self, choose: Choose) -> Architecture:
        """The architecture at the end of one walk. Raises InvalidArchitecture where shapes do not fit."""

    def baseline(self) -> Choices:
        """The answers of the architecture that every search starts from."""

    def size(self, limit: int) -> SizeEstimate:
        """The number of walks, exact when counting takes at most `limit` steps."""


@dataclass(kw_only=True, slots=True)
class Walk:
    """One walk as it happens: `choose` asks the picker and records the answer.

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
    """Every option with the same probability."""

    def pick(decision: Decision) -> tuple[Option, float]:
        count = len(decision.options)
        return decision.options[int(rng.integers(count))], 1.0 / count

    return pick


def neighbour(choices: Choices, rng: np.random.Generator) -> Picker:
    """The same answers, except that two of them, on average, are drawn anew."""
    redrawn = uniform(rng)
    same = follow(replay(choices))
    rate = min(1.0, 2.0 / max(1, len(choices)))
    return lambda decision: redrawn(decision) if rng.random() < rate else same(decision)


def follow(choose: Choose) -> Picker:
    """The answers of `choose`, each with probability 1."""
    return lambda decision: (choose(decision), 1.0)


def every_walk(space: SearchSpace) -> Iterator[tuple[Walk, Architecture | None]]:
    """All walks of a space, the last decision varying fastest; None where no shape fits."""

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

    decisions: those with more than one option. behaviour: the probability of each answer to them.
    violation: how far it is from feasible, 0 where all constraints hold; see `search.proposing.constraints`.
    """

    choices: Choices
    decisions: tuple[Decision, ...]
    behaviour: Mapping[str, float]
    architecture: Architecture
    measures: Mapping[str, float]
    violation: float


def draw_walk(space: SearchSpace, constraints: Sequence[Constraint], picker: Picker) -> Draw | None:
    """One walk, with its violation of the constraints; None where no shape fits."""
    walk = Walk(picker=picker)
    try:
        architecture = space.sample(walk.choose)
    except InvalidArchitecture:
        return None
    return draw_of(walk, architecture, constraints)


def draw_of(walk: Walk, architecture: Architecture, constraints: Sequence[Constraint]) -> Draw:
    """The draw of a walk that has ended."""
    measures = LazyMeasures(architecture)
    return Draw(
        choices=walk.choices,
        decisions=tuple(walk.decisions),
        behaviour=walk.behaviour,
        architecture=architecture,
        measures=measures,
        violation=total_violation(constraints, measures),
    )


class LazyMeasures(Mapping[str, float]):
    """The measures of an architecture, which is analysed when the first of them is looked up.

    An analysis takes 0.7 ms, which a search without constraints need not spend on each draw.
    """

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
