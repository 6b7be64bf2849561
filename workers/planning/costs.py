"""What a planned job knows of the costs of its trainings: a function of its plan, its ledger and the clock.

The steps that were timed before the plan was made give the model its first two networks, each trial that was measured
one more; a new driver finds the same ones in the ledger. See `search/planning/step_cost.py`.
"""

from search.ledger import Ledger, Trial
from search.planning.rule import BESIDE_S, SLOWEST
from search.planning.step_cost import StepCost, Work, fit, work_of
from search.planning.trial_costs import trial_costs
from search.planning.values import Plan, PlanInputs
from search.surrogate.costs import TrainingCosts, share_of
from space.architecture import Architecture

UNKNOWN = TrainingCosts(model=StepCost.unknown())
"""Before anything was timed, say in a job that an earlier version has planned: nothing is too long."""


class JobCosts:
    """The costs of one job's trainings; `now` is what they are known to be after the last `learn`."""

    def __init__(self, ledger: Ledger, job_id: str) -> None:
        self._ledger, self._job_id = ledger, job_id
        self._works: dict[int, Work] = {}  # by trial
        self._known = UNKNOWN

    def now(self) -> TrainingCosts:
        return self._known

    def learn(self, given: PlanInputs, plan: Plan, *, left_s: float) -> None:
        """left_s: of the search, seconds of all its processors."""
        works, seconds = [row[1:] for row in given.timed], [row[0] for row in given.timed]
        for number, cost in self._measured(plan):
            works.append(self._works[number])
            seconds.append(cost)
        if not works:
            return
        steps = plan.work(len(plan.rungs))
        average_s = BESIDE_S + SLOWEST * plan.pace * plan.step_s * steps
        self._known = TrainingCosts(
            model=fit(works, seconds),
            steps=steps,
            beside_s=BESIDE_S,
            limit_s=share_of(left_s=left_s, quarter_s=plan.limit_s, average_s=average_s),
        )

    def _measured(self, plan: Plan) -> list[tuple[int, float]]:
        """Number and seconds of a step of the search's own trials."""
        rows = ((row.number, row.measurement) for row in self._ledger.measurements(self._job_id))
        found = {number: cost.step_s for number, cost in trial_costs(plan, rows).items() if cost.seconds > 0.0}
        if found.keys() - self._works.keys():
            for trial in self._ledger.history(self._job_id):
                if trial.number not in self._works:
                    self._works[trial.number] = _work(trial)
        return [(number, step_s) for number, step_s in sorted(found.items()) if number in self._works]


def _work(trial: Trial) -> Work:
    return work_of(Architecture.from_json(trial.architecture))
