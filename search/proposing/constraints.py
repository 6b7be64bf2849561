"""What controllers and checks need of a constraint: whether it holds, and how far it is from holding."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

WORST = 1e9
"""A constraint that is broken beyond any measure (a division by zero) counts as this far from its bound."""


class Constraint(Protocol):
    """A constraint; `space.constraint.Constraint` is one."""

    @property
    def text(self) -> str:
        """As it was written."""

    def violation(self, measures: Mapping[str, float]) -> float:
        """By how much these measures break it: 0 when it holds, else relative to its bound; may be inf."""


def broken(limits: Sequence[Constraint], measures: Mapping[str, float]) -> float:
    """How far from feasible: 0 when all hold, else the sum of log(1 + violation), so that no one drowns the others."""
    return sum(math.log1p(min(limit.violation(measures), WORST)) for limit in limits)


def tightest(limits: Sequence[Constraint], measures: Mapping[str, float]) -> tuple[Constraint, float]:
    """The constraint that is broken worst, and its violation."""
    worst = max(limits, key=lambda limit: limit.violation(measures))
    return worst, worst.violation(measures)
