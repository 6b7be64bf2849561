"""Makes a job's plan at its start, puts it into the job's limits, and revises it as trials tell what they cost.

Every version is an event of the ledger, so a new driver goes on with the newest. The ends of all phases are counted
back from the end of the job: a start that took long shortens the search, and nothing moves the bundle. In a
reproducible job the plan of the start holds to the end, and no clock ends any phase.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from archsmith.errors import InvalidInput, TrialFailure
from search.ledger import Trial
from search.planning.given import given_plan
from search.planning.rule import ALONE, batch_of, final_steps, halves, make_plan, slots, trial_seconds
from search.planning.trial_costs import trial_costs
from search.planning.values import Plan, PlanInputs
from search.spec import Budget, JobSpec
from search.surrogate.costs import TrainingCosts
from search.trial import Measurement
from workers.cluster import connection
from workers.cluster.tasks import run_tasks
from workers.datasets import Dataset
from workers.finalists.plan import plan as finals_of
from workers.finalists.plan import random_trials
from workers.job.context import JobContext
from workers.planning.costs import JobCosts
from workers.planning.pace import MOST_LOAD_S, bundle_seconds, inputs_without_pace, measure, pace_task
from workers.train.job_data import search_data
from workers.train.numerics import Numerics

log = logging.getLogger(__name__)

CHANGE = 1.2
"""A revision is worth an event where the number of architectures or the final training changes by this factor."""
SHORT_BUNDLE = 0.1
"""Share of the budget that the bundle gets at least."""
LEAST_RUNGS = 3.0
"""First rungs that a trial's time limit allows at least: a slow architecture needs its score too."""


def followed(spec: JobSpec, plan: Plan, *, slack: float = 1.0) -> JobSpec:
    """The job with the plan's values where the user left them to it: what all phases after planning read.

    slack: factor on the time limit of a trial, where the plan's has proved too short.
    """
    total = spec.budget.total_epochs
    training_s = max(plan.limit_s, LEAST_RUNGS * plan.work(1) * plan.step_s)
    limit_s = slack * (training_s + plan.load_s)  # a process loads torch within its first trial
    return replace(
        spec,
        budget=Budget(
            trials=plan.architectures if spec.reproducible else spec.budget.trials,
            seconds=spec.budget.seconds,
            epochs=len(plan.rungs),
            total_epochs=None if total is None else max(plan.passes(len(plan.rungs)), total),
        ),
        trial=replace(
            spec.trial,
            batch_size=plan.batch_size,
            timeout_s=spec.trial.timeout_s if spec.reproducible else min(spec.trial.timeout_s, limit_s),
        ),
        finalists=replace(spec.finalists, epochs=len(plan.final_rungs)),
    )


class Planner:
    """The plan of one job. asked: the job as its user wrote it. context: with the plan, after `begin`."""

    def __init__(self, context: JobContext) -> None:
        self.context, self._asked = context, context.spec
        self._given: PlanInputs | None = None
        self._ended, self._slack = 0, 1.0
        self._costs = JobCosts(context.ledger, context.job_id)

    def begin(self, dataset: Dataset, numerics: Numerics) -> JobContext:
        """Make the plan, or take up the stored one. Raises InvalidInput where the budget is too small, JobFailure."""
        stored = self.context.ledger.plan(self.context.job_id)
        if stored is None and self._asked.plan is not None:
            self._given = inputs_without_pace(self._asked, dataset, slots=self._slots())
            self._store(given_plan(self._asked.plan, self._given), why="the plan of the job that this one repeats")
        elif stored is None:
            self._given = self._measured(dataset, numerics)
            self._store(self._first(self._given), why="the start")
        else:
            self._given = PlanInputs.from_json(stored["inputs"])
            self._follow(Plan.from_json(stored))
            self._take_budget()
        self._limit()
        self._learn()
        return self.context

    @property
    def costs(self) -> Callable[[], TrainingCosts] | None:
        """What trainings cost as it is known now; None in a reproducible job, which no measured second may steer."""
        return None if self._asked.reproducible else self._costs.now

    @property
    def plan(self) -> Plan:
        """Raises ValueError before `begin`."""
        if self.context.plan is None:
            raise ValueError("this job has no plan yet")
        return self.context.plan

    def trial_ended(self) -> None:
        """After each trial of the search: its true cost, and a budget that was changed meanwhile, revise the plan."""
        if self._asked.reproducible:
            return
        self._ended += 1
        changed = self._take_budget()
        if not self._scored():  # say by a time limit, on a machine that is slower than it was
            self._slack *= 2.0
            self._follow(self.plan)
        elif not changed and self._ended & (self._ended - 1) == 0:  # after 1, 2, 4, 8, ... trials
            self._revise(why=f"the cost of {self._ended} trials", always=False)
        self._limit()
        self._learn()

    def for_finals(self) -> JobContext:
        """The context of the final trainings: as long as fits in the time that is left, by the winner's measured cost.

        A driver that goes on with them after another one keeps their length, since they are compared.
        """
        context, ledger = self.context, self.context.ledger
        if self._asked.reproducible or ledger.finalists(context.job_id) or self._given is None:
            return context
        searched = list(ledger.history(context.job_id))
        arm = random_trials(context.spec, ledger, context.job_id) if context.spec.finalists.random_arm else []
        winner = finals_of(context.spec, searched, arm)[0].trial
        left = min(self.plan.finals_end_s - context.clock.seconds(), context.stop.left_s)
        step_s = self._step_seconds(winner) or self.plan.pace * self._given.step_s
        steps = max(1, final_steps(self._given, self._for_the_winner(left), step_s=step_s))
        if steps != self.plan.final_steps:
            self._store(replace(self.plan, final_steps=steps), why="the winner's measured cost")
        return self.context

    # ---- parts

    def _take_budget(self) -> bool:
        """Revise the plan where the user has changed the budget since it was made."""
        budget = self.context.job().spec.budget
        if not budget.planned or budget.seconds == self.plan.seconds or self._given is None:
            return False
        self._given = replace(self._given, seconds=budget.seconds)
        self._asked = replace(self._asked, budget=budget)
        self._revise(why="a changed budget", always=True)
        return True

    def _limit(self) -> None:
        """The search ends when its time is over; as long as nothing is scored it may take that of the finals as well:
        a late bundle is better than none."""
        if self._asked.reproducible:
            return
        plan, context = self.plan, self.context
        end = plan.search_ends_s if self._scored() else plan.finals_end_s
        context.stop.limit(max(0.0, end - context.clock.seconds()))

    def _learn(self) -> None:
        if self._given is not None and not self._asked.reproducible:
            left_s = max(0.0, self.plan.search_ends_s - self.context.clock.seconds())
            self._costs.learn(self._given, self.plan, left_s=left_s * slots(self._given))

    def _scored(self) -> bool:
        """Whether any trial of the search has a value."""
        return any(trial.value is not None for trial in self.context.ledger.history(self.context.job_id))

    def _slots(self) -> int:
        return connection.slots(self._asked.trial.cpus, self._asked.trial.gpus)

    def _measured(self, dataset: Dataset, numerics: Numerics) -> PlanInputs:
        spec, context = self._asked, self.context
        given = inputs_without_pace(spec, dataset, slots=self._slots())
        batch = batch_of(given)
        task = pace_task(spec, dataset, numerics, given, batch)
        before_s = context.clock.seconds()
        [(_, pace)] = run_tasks(
            measure, [task], shared=search_data(dataset), cpus=spec.trial.cpus, gpus=spec.trial.gpus
        )
        if isinstance(pace, TrialFailure):
            raise pace
        loading_s = context.clock.seconds() - before_s - pace.spent_s
        load_s = min(MOST_LOAD_S, max(loading_s, context.clock.start_s))  # a process that was there already is quicker
        return replace(
            given,
            step_s=pace.step_s,
            score_s=pace.score_s,
            timed=pace.timed,
            load_s=load_s,
            start_s=context.clock.seconds() + load_s,
            bundle_s=bundle_seconds(load_s, exports=context.settings.exports),
        )

    def _first(self, given: PlanInputs) -> Plan:
        """A start on a busy machine may have left too little for a bundle as slow as that: it is then given less.

        Raises InvalidInput.
        """
        try:
            return make_plan(given)
        except InvalidInput:
            if given.bundle_s <= SHORT_BUNDLE * given.seconds:
                raise
        return make_plan(replace(given, bundle_s=SHORT_BUNDLE * given.seconds))

    def _revise(self, *, why: str, always: bool) -> None:
        """The same trials, as many of them and as long a final training as their measured cost leaves time for."""
        given, old = self._given, self.plan
        if given is None:
            return
        pace = self._pace(given)
        slow = replace(given, step_s=pace * given.step_s, score_s=pace * given.score_s)
        new = _again(slow, old)
        each = trial_seconds(old.rungs, step_s=slow.step_s, score_s=slow.score_s, halving=halves(slow))
        count = min([max(1, int(new.search_s * slots(given) / each)), *filter(None, (given.trials, given.walks))])
        revised = replace(
            new,
            batch_size=old.batch_size,
            rungs=old.rungs,
            share=old.share,
            architectures=count,
            step_s=given.step_s,
            score_s=given.score_s,
            pace=round(pace, 3),
        )
        if always or _apart(revised.architectures, old.architectures) or _apart(revised.final_steps, old.final_steps):
            self._store(revised, why=why)

    def _pace(self, given: PlanInputs) -> float:
        """Seconds of the trials' measurements over those that were expected."""
        found = list(trial_costs(self.plan, self._rows()).values())
        work = sum(cost.work for cost in found)
        return sum(cost.seconds for cost in found) / work / given.step_s if work > 0 else self.plan.pace

    def _step_seconds(self, trial: Trial) -> float | None:
        """Of one gradient step of this architecture, as it was measured in the search."""
        found = trial_costs(self.plan, (row for row in self._rows() if row[0] == trial.number))
        return found[trial.number].step_s if found else None

    def _rows(self) -> Iterable[tuple[int, Measurement]]:
        rows = self.context.ledger.measurements(self.context.job_id)
        return ((row.number, row.measurement) for row in rows)

    def _for_the_winner(self, left: float) -> float:
        """Seconds of the winner's first full training."""
        if self._slots() > 1:
            return ALONE * left
        return left * self.plan.winner_s / self.plan.finals_s

    def _store(self, plan: Plan, *, why: str) -> None:
        context = self.context
        given = {} if self._given is None else self._given.to_json()
        context.ledger.set_plan(context.lease, {**plan.to_json(), "why": why, "inputs": given})
        log.info("plan of job %s after %s: %s", context.job_id, why, plan)
        self._follow(plan)

    def _follow(self, plan: Plan) -> None:
        self.context = replace(self.context, plan=plan, spec=followed(self._asked, plan, slack=self._slack))


def _again(given: PlanInputs, old: Plan) -> Plan:
    """The plan for these inputs; the old one where the job, by its true cost, would not have been begun."""
    try:
        return make_plan(given)
    except InvalidInput:
        return replace(old, seconds=given.seconds)


def _apart(new: int, old: int) -> bool:
    return max(new, old) > CHANGE * max(1, min(new, old))
