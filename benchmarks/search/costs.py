"""Costs of trials in a simulated search, learned from the trials that have ended, as a planned job does it."""

from dataclasses import dataclass, field

from search.planning.step_cost import StepCost, Work, fit, work_of
from search.surrogate.costs import TrainingCosts, share_of
from space.architecture import Architecture

QUARTER = 0.25


@dataclass(kw_only=True, slots=True)
class Learned:
    """budget_s: of the whole search. power: of the costs; None falls from 1 to 0 as the budget is used."""

    budget_s: float
    power: float | None
    works: list[Work] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    spent_s: float = 0.0

    def ended(self, architecture: Architecture, seconds: float, *, spent_s: float) -> None:
        self.works.append(work_of(architecture))
        self.seconds.append(seconds)
        self.spent_s = spent_s

    def now(self) -> TrainingCosts:
        left = max(0.0, 1.0 - self.spent_s / self.budget_s)
        power = left if self.power is None else self.power
        if not self.works:
            return TrainingCosts(model=StepCost.unknown(), power=power)
        average = sum(self.seconds) / len(self.seconds)
        limit = share_of(left_s=left * self.budget_s, quarter_s=QUARTER * self.budget_s, average_s=1.5 * average)
        return TrainingCosts(model=fit(self.works, self.seconds), limit_s=limit, power=power)
