"""Constraints on what a trial's worker measures, such as `latency_ms <= 5`.

Controllers keep the other constraints by the analysis of a graph, before anything is trained. These can be checked only
after a network was built and run: a trial that breaks one ends after its first measurement as infeasible, which the
controller learns like a failure, and is never an incumbent or a finalist.
"""

from collections.abc import Mapping, Sequence

from space.analysis import analyse
from space.architecture import Architecture
from space.constraint import Constraint


def known(constraints: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """Those that the analysis of a graph decides."""
    return tuple(constraint for constraint in constraints if not constraint.measured)


def measured(constraints: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """Those that need a measurement; an expression with both kinds of measures is one of them as a whole."""
    return tuple(constraint for constraint in constraints if constraint.measured)


def parsed(texts: Sequence[str]) -> tuple[Constraint, ...]:
    """A job's constraints. Raises InvalidExpression."""
    return tuple(Constraint.parse(text, measured=True) for text in texts)


def broken(limits: Sequence[Constraint], architecture: Architecture, measures: Mapping[str, float]) -> str | None:
    """Which of the limits is broken, in words; None where all are kept. measures: those of a worker, by name."""
    if not limits:
        return None
    facts = {**analyse(architecture).measures, **measures}
    for limit in limits:
        if not limit.holds(facts):
            seen = ", ".join(f"{name} is {facts[name]:.4g}" for name in limit.measured)
            return f"constraint: {seen}, which breaks {limit.text!r}"
    return None
