"""What the trials of a planned job have cost so far, by their measurements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from search.ledger import StoredMeasurement
from search.planning.values import Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialCost:
    """work: gradient steps, a score counted as so many of them as it took when the plan was made."""

    work: float
    seconds: float

    @property
    def step_s(self) -> float:
        """Of one gradient step."""
        return self.seconds / self.work


def trial_costs(plan: Plan, rows: Iterable[StoredMeasurement]) -> Mapping[int, TrialCost]:
    """By the number of the trial."""
    found: dict[int, TrialCost] = {}
    for row in rows:
        epoch, before = row.measurement.epoch, found.get(row.number, TrialCost(work=0.0, seconds=0.0))
        if epoch <= len(plan.rungs):
            work = plan.work(epoch) - plan.work(epoch - 1)
            found[row.number] = TrialCost(work=before.work + work, seconds=before.seconds + row.measurement.seconds)
    return found
