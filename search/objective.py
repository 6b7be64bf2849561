"""What "better" means. Signs are changed here and nowhere else: everywhere inside, larger is better.

A trial ends with measures, raw numbers by name; an objective turns them into

    values(measures)   each objective with its sign, in the order of `names`: what fronts and multi-objective
                       controllers compare
    value(measures)    one number, for what can only maximise one

One objective: the value is that objective, or the score with a soft target. Several: the value is the weighted product
of MnasNet (Tan et al. 2019) without its targets, on a logarithmic scale for the costs:

    value = score - 0.07 * sum over costs of ln(cost)          (where only costs are given: without the score)

Twice the cost is worth 0.049 of score. Why this one: it depends on the trial alone, neither on a reference that has to
be known nor on other trials, so an outcome never changes and may be replayed in any order; another unit of a cost, or a
target for it, adds the same to every trial, so that rankings stay the same. It is one compromise, not the front: a
controller that searches the front uses `values`, directly or by `search.pareto.parego`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archsmith.errors import Fault, pointer
from search.spec import ObjectiveSpec, TargetSpec
from search.trial import Measurement
from space.constraint import MEASURED

MAXIMIZED = ("score",)
MINIMIZED = ("params", "macs", "latency_ms", "memory_mb", "energy_j")
"""The measures that can be objectives, by the direction that is better.

score: on the validation split. params, macs, memory_mb (`peak_memory_mb`): of the analysis, known before training.
latency_ms, energy_j: of one forward pass on one sample, measured by the trial's worker.
"""

FORMS = ("absolute", "product")

TRADE = 0.07
"""The score that a cost higher by a factor of e is worth: MnasNet's exponent, which is for relative accuracy there."""

SMALLEST = 1e-9
"""Smaller costs count as this in logarithms: a network without a convolution may have no MACs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """Turns a trial's measures into values that are maximised. Made by `of`; the checks are in `faults`.

    limits: the measures of a worker that the job's constraints use, see `search.limits`.
    """

    maximize: tuple[str, ...] = ("score",)
    minimize: tuple[str, ...] = ()
    target: TargetSpec | None = None
    limits: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: ObjectiveSpec) -> "Objective":
        limits = measured_names(spec.constraints)
        return cls(maximize=spec.maximize, minimize=spec.minimize, target=spec.target, limits=limits)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the objectives, in the order of `values`."""
        return (*self.maximize, *self.minimize)

    @property
    def signs(self) -> tuple[float, ...]:
        """What a raw measure is multiplied by, in the order of `names`."""
        return (1.0,) * len(self.maximize) + (-1.0,) * len(self.minimize)

    @property
    def needs(self) -> tuple[str, ...]:
        """All measures that a trial must end with."""
        target = () if self.target is None or self.target.measure in self.names else (self.target.measure,)
        return (*self.names, *target, *(name for name in self.limits if name not in (*self.names, *target)))

    def knows(self, measures: Mapping[str, float]) -> bool:
        """Whether all measures that are needed are there; those of an older version may lack some."""
        return all(name in measures for name in self.needs)

    def values(self, measures: Mapping[str, float]) -> tuple[float, ...]:
        """Raw measures -> the values to maximise. Raises KeyError for a measure that is missing."""
        if self.target is not None:
            return (soft_target_score(self.target, float(measures["score"]), float(measures[self.target.measure])),)
        return self.folded(measures)

    def point(self, measurement: Measurement) -> tuple[float, ...]:
        """`values` after one epoch: what running trials are compared by."""
        return self.values(measurement.facts)

    def folded(self, measures: Mapping[str, float]) -> tuple[float, ...]:
        """Each objective's measure with its sign, without a soft target."""
        return tuple(sign * float(measures[name]) for name, sign in zip(self.names, self.signs, strict=True))

    def raw(self, values: Sequence[float]) -> dict[str, float]:
        """The inverse of `folded`."""
        return {name: sign * value for name, sign, value in zip(self.names, self.signs, values, strict=True)}

    def value(self, measures: Mapping[str, float]) -> float:
        """Raw measures -> the scalar. Raises KeyError for a measure that is missing."""
        return self.combined(self.values(measures))

    def combined(self, values: Sequence[float]) -> float:
        """The values -> the scalar."""
        if len(values) == 1:
            return values[0]
        raw = self.raw(values)
        costs = sum(math.log(max(raw[name], SMALLEST)) for name in self.minimize)
        return sum(values[: len(self.maximize)]) - TRADE * costs


def soft_target_score(target: TargetSpec, score: float, measure: float) -> float:
    """The score with a soft target.

    absolute: score + weight * |measure / target - 1|, TuNAS (Bender et al. 2020): attracts from both sides, so that a
    search ends at the target without tuning. product: score * (measure / target) ^ weight, MnasNet (Tan et al. 2019,
    equation 2): less is always better. A score below 0 (R², kappa) is divided by the factor instead, or more would be.
    """
    ratio = measure / target.value
    if target.form == "absolute":
        return score + target.weight * abs(ratio - 1.0)
    factor = max(ratio, SMALLEST) ** target.weight
    return float(score * factor if score >= 0 else score / factor)


def faults(spec: ObjectiveSpec, *, reproducible: bool = False) -> list[Fault]:
    """Contradictions in a spec; pointers start at the objective's own object."""
    found = _repeated(spec)
    if not spec.maximize and not spec.minimize:
        detail = "maximize and minimize are both empty; name at least one measure"
        found.append(Fault(pointer="", rule="objective_missing", detail=detail, allowed=[*MAXIMIZED, *MINIMIZED]))
    if spec.target is not None and (spec.maximize, spec.minimize) != (("score",), ()):
        named = ", ".join((*spec.maximize, *spec.minimize)) or "none"
        detail = (
            f"a soft target needs the score as the only objective, got {named}; drop the target to make its measure"
        )
        detail += " an objective"
        found.append(Fault(pointer="/target", rule="combination_unsupported", detail=detail, allowed=["score"]))
    measured = [name for name in replace(Objective.of(spec), limits=()).needs if name in MEASURED]
    if reproducible and measured:
        detail = f"{measured[0]} differs from measurement to measurement, so a reproducible job cannot have it as an"
        detail += " objective"
        place = "/target/measure" if measured[0] not in spec.minimize else "/minimize"
        allowed = [name for name in MINIMIZED if name not in MEASURED]
        found.append(Fault(pointer=place, rule="combination_unsupported", detail=detail, allowed=allowed))
    return found + (_measured_limits(spec) if reproducible else [])


def measured_names(constraints: Sequence[str]) -> tuple[str, ...]:
    """The measures of a worker that are named in constraint expressions."""
    return tuple(name for name in MEASURED if any(re.search(rf"\b{name}\b", text) for text in constraints))


def _measured_limits(spec: ObjectiveSpec) -> list[Fault]:
    return [
        Fault(
            pointer=pointer("constraints", index),
            rule="combination_unsupported",
            detail=f"{measured_names((text,))[0]} differs from measurement to measurement, so a reproducible job "
            "cannot have it in a constraint",
        )
        for index, text in enumerate(spec.constraints)
        if measured_names((text,))
    ]


def _repeated(spec: ObjectiveSpec) -> list[Fault]:
    found: list[Fault] = []
    for side, names in (("maximize", spec.maximize), ("minimize", spec.minimize)):
        for index, name in enumerate(names):
            if name in names[:index]:
                detail = f"{name} is named twice; name each measure once"
                found.append(Fault(pointer=pointer(side, index), rule="objective_repeated", detail=detail))
    return found
