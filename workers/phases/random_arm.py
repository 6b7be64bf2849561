"""The random arm: what the same cost buys without a controller.

A search is worth its cost only if it beats uniformly random architectures of the same cost (Li & Talwalkar
2019; Yang, Esperança & Carlucci 2020). They are drawn from the same space under the same constraints, trained by the
same recipe with the same early stopping, and the best of them is chosen by the same rule.

Cost is counted in epochs of training, so a search on a busy machine and its replay on a quiet one have the same arm.
The report has the seconds of both. The arm ends when fewer epochs are left than one whole trial takes, so it never has
more than the search; and, unless the job is reproducible, after LONGEST times the search's wall clock: where a search
has learned to choose small networks, random ones may take many times as long. A search whose controller is `random` is
its own arm, and nothing is trained twice. A planned job has an arm only if its `comparison` is "full"; otherwise trials
of the search itself are drawn at random (`search/proposing/interleaved.py`), and nothing is spent on another search.

Its trials are rows of the ledger with provenance `RANDOM_ARM`, numbered from RANDOM_ARM_FROM: after a crash they are
replayed like those of the search, which never sees them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from search.controllers.random import RandomController
from search.ledger import Trial
from search.objective import Objective
from search.proposing.controller import Proposal
from search.spec import Budget, JobSpec, StopSpec
from search.stopping import end_of_search
from search.streams import Stream
from search.trial import RANDOM_ARM, RANDOM_ARM_FROM
from space.constraint import Constraint
from space.space import Space
from workers.cluster import connection
from workers.cluster.search import run_search
from workers.cluster.searcher import LedgerSearcher
from workers.cluster.trial import Start, TrialTask
from workers.finalists.plan import LONGEST
from workers.job.context import JobContext
from workers.job.restore import Restored, measured, replayed
from workers.phases import open_trials

MOST = 4
"""Trials of the arm for each of the search's, at most: a bound where early stopping or failures leave epochs over."""


def budget(spec: JobSpec, searched: Sequence[Trial], *, passes: Callable[[int], float] = float) -> Budget:
    """A budget of as many epochs as the search's own trials took. passes: see `JobContext.passes`."""
    own = [trial for trial in searched if trial.provenance != "prior"]
    spent = sum(passes(trial.epochs) for trial in own)
    return Budget(trials=max(1, MOST * len(own)), epochs=spec.budget.trial_epochs, total_epochs=spent)


def _limit_s(context: JobContext) -> float:
    """Seconds of the whole arm."""
    if context.spec.reproducible:
        return math.inf
    most, plan = LONGEST * context.job().seconds_used, context.plan
    if plan is None:
        return most
    used_s = float(context.job().phases.get(RANDOM_ARM, {}).get("seconds", 0.0))
    return min(most, used_s + max(0.0, plan.arm_ends_s - context.clock.seconds()))


class _Uniform(RandomController):
    stream: ClassVar[Stream] = Stream.RANDOM_ARM

    def ask(self, number: int) -> Proposal:
        return replace(super().ask(number), provenance=RANDOM_ARM)


class RandomArm:
    """The arm of one job. make_task, on_end: as `LedgerSearcher` takes them."""

    def __init__(
        self,
        context: JobContext,
        *,
        make_task: Callable[[Proposal, int], TrialTask],
        on_end: Callable[[int], None],
    ) -> None:
        job, spec = context.job(), context.spec
        limit_s, history = _limit_s(context), list(context.ledger.history(job.id))
        used_s = float(job.phases.get(RANDOM_ARM, {}).get("seconds", 0.0))
        self._context = replace(
            context,
            spec=replace(spec, budget=budget(spec, history, passes=context.passes), stop=StopSpec()),
            stop=context.stop.part(used_s=used_s, limit_s=limit_s),
        )
        self._make_task, self._on_end = make_task, on_end

    def run(self, space: Space, constraints: Sequence[Constraint], *, data: Any, start: Start | None) -> None:
        """Train what is missing. Returns early when the job must be suspended."""
        context, spec = self._context, self._context.spec
        context.ledger.recover(context.lease)
        restored = self._restored(space, constraints)
        if not restored.pending and end_of_search.full(spec.budget, restored.outcomes, 0, passes=context.passes):
            return
        if detail := self._too_short():
            context.ledger.warn(context.lease, RANDOM_ARM_FROM, detail)
            return
        context.begin_phase(RANDOM_ARM)
        searcher = LedgerSearcher(
            context,
            restored,
            slots=connection.slots(spec.trial.cpus, spec.trial.gpus),
            make_task=self._make_task,
            on_end=self._on_end,
            publish=False,
        )
        context.stop.start()
        if not context.stop.stopping:
            run_search(searcher, context=context, data=data, start=start)
        if context.plan is not None and not context.stop.suspending:
            searcher.cut(f"the random arm ended: {context.stop.reason}")
        trials = context.ledger.random_arm(context.job_id)
        open_trials.settle(context, searcher, trials, why=f"the random arm ended: {context.stop.reason}")

    def _too_short(self) -> str | None:
        """Why a planned job goes without its arm: the final trainings then begin earlier."""
        context, plan = self._context, self._context.plan
        if plan is None or context.spec.reproducible:
            return None
        left = plan.arm_ends_s - context.clock.seconds()
        if left >= plan.least_arm_s:
            return None
        least = plan.least_arm_s
        return f"no random arm: {max(0.0, left):.0f} s are left of its time, and its first trials need {least:.0f} s"

    def _restored(self, space: Space, constraints: Sequence[Constraint]) -> Restored:
        ledger, job_id, spec = self._context.ledger, self._context.job_id, self._context.spec
        rows, objective = ledger.random_arm(job_id), Objective.of(spec.objective)
        curves = measured(ledger, job_id, objective, first=RANDOM_ARM_FROM)
        controller = _Uniform(space, constraints=constraints, seed=spec.seed)
        restored = replayed(controller, rows, curves, objective)
        return replace(restored, next_number=RANDOM_ARM_FROM + len(rows))
