"""What the trials of a planned job have cost so far, by their measurements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from search.planning.values import Plan
from search.trial import Measurement


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialCost:
    """work: gradient steps, a score counted as so many of them as it took when the plan was made."""

    work: float
    seconds: float

    @property
    def step_s(self) -> float:
        """Of one gradient step."""
        return self.seconds / self.work


def trial_costs(plan: Plan, rows: Iterable[tuple[int, Measurement]]) -> Mapping[int, TrialCost]:
    """By the number of the trial. rows: number and measurement."""
    found: dict[int, TrialCost] = {}
    for number, measurement in rows:
        epoch, before = measurement.epoch, found.get(number, TrialCost(work=0.0, seconds=0.0))
        if epoch <= len(plan.rungs):
            work = plan.work(epoch) - plan.work(epoch - 1)
            found[number] = TrialCost(work=before.work + work, seconds=before.seconds + measurement.seconds)
    return found
