"""What controllers and checks need of a constraint: whether it holds, and how far it is from holding."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

MAX_VIOLATION = 1e9
"""Larger violations count as this one: a constraint that divides by zero is violated without bound."""


class Constraint(Protocol):
    """A bound on measures of an architecture; `space.constraint.Constraint` is one."""

    @property
    def text(self) -> str:
        """The expression as the user wrote it."""

    def violation(self, measures: Mapping[str, float]) -> float:
        """By how much these measures violate it: 0 where it holds, else relative to its bound; may be inf."""


def total_violation(constraints: Sequence[Constraint], measures: Mapping[str, float]) -> float:
    """How far from feasible: 0 where all hold, else the sum of log(1 + violation).

    The logarithm keeps one constraint that is violated a thousandfold from hiding what the others say.
    """
    return sum(math.log1p(min(constraint.violation(measures), MAX_VIOLATION)) for constraint in constraints)


def most_violated(constraints: Sequence[Constraint], measures: Mapping[str, float]) -> tuple[Constraint, float]:
    """The constraint with the largest violation, and that violation."""
    worst = max(constraints, key=lambda constraint: constraint.violation(measures))
    return worst, worst.violation(measures)
