"""The final trainings of one job on the cluster: all that are planned, or as many as there is time for.

Each has the threads of a trial, also where one of them is alone and processors are idle. On two processors a second
thread made a training no faster in eight of nine cases (0.59 to 1.00 of its steps per second, once 1.12), and two
trainings beside each other make 1.2 to 2.2 times the steps of one (`python -m benchmarks.threads`, preset `chain`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from archsmith.errors import TrialFailure
from search.planning.values import Plan
from workers.cluster import connection
from workers.cluster.tasks import run_tasks
from workers.cluster.turns import run_in_turns
from workers.datasets import Dataset
from workers.finalists.training import FinalistResult, FinalistTask, train_finalist
from workers.finalists.turns import expected_seconds, in_turns, is_first
from workers.job.context import JobContext
from workers.phases import in_time
from workers.phases.final_files import FinalFiles
from workers.phases.in_time import TimeLimit
from workers.train.job_data import JobData, final_data
from workers.weights.inherit import Donor

Results = Iterator[tuple[FinalistTask, FinalistResult | TrialFailure]]


class FinalTrainings:
    """near: what a limit of time means for them. donor: of the weights that they begin with."""

    def __init__(self, context: JobContext, files: FinalFiles, limit: TimeLimit, donor: Donor | None) -> None:
        self._context, self._spec = context, context.spec
        self._files, self._limit, self._donor = files, limit, donor

    def train(self, tasks: Sequence[FinalistTask], dataset: Dataset) -> None:
        """Train what is missing of those that fit. Returns early when the job must be suspended."""
        missing = self._files.missing(self._limit.fitting(tasks, dataset))
        shared = replace(final_data(dataset), donor=self._donor)
        plan = self._context.plan
        results = self._all(missing, shared) if plan is None else self._in_turns(plan, missing, shared)
        left = list(missing)
        for task, result in results:
            self._files.store(task, result)
            left.remove(task)
        if self._limit.late() and not self._context.stop.suspending:
            for task in left:
                self._files.store(task, TrialFailure(in_time.NO_TIME, cause="timeout"))

    def measure(self, task: FinalistTask, weights: in_time.OwnWeights, dataset: Dataset) -> None:
        """Weights of the search, measured once on the test split in the place of a training."""
        if not self._files.missing([task]):
            return
        self._files.begun(task)
        trial = self._spec.trial
        results = run_tasks(
            weights,
            [task],
            shared=final_data(dataset),
            cpus=trial.cpus,
            gpus=trial.gpus,
            should_stop=lambda: self._context.stop.suspending,
        )
        for _, result in results:
            self._files.store(task, result)

    def _all(self, tasks: Sequence[FinalistTask], shared: JobData) -> Results:
        for task in tasks:
            self._files.begun(task)
        trial, stop = self._spec.trial, self._context.stop
        return run_tasks(
            train_finalist,
            tasks,
            shared=shared,
            cpus=trial.cpus,
            gpus=trial.gpus,
            should_stop=lambda: stop.suspending or self._limit.late(),
        )

    def _in_turns(self, plan: Plan, tasks: Sequence[FinalistTask], shared: JobData) -> Results:
        """As many as the plan has time for; of a reproducible job, as many as it has counted beforehand."""
        context, trial = self._context, self._spec.trial
        rows = context.ledger.finalists(context.job_id)
        there = any(row.rank == 1 and row.state == "completed" for row in rows)
        expected = expected_seconds(plan, context.ledger.measurements(context.job_id))

        def left() -> float:
            return plan.finals_end_s - context.clock.seconds()

        def over() -> bool:  # the winner's first training is waited for, since without it there is no bundle
            first = any(row.rank == 1 and row.state == "completed" for row in context.ledger.finalists(context.job_id))
            return not self._spec.reproducible and first and left() <= 0

        ordered = in_turns(tasks)
        ended = sum(row.state in ("completed", "failed") for row in rows)
        counted = ordered[: max(0, plan.trainings - ended)] if self._spec.reproducible else ordered
        return run_in_turns(
            train_finalist,
            counted,
            shared=shared,
            cpus=trial.cpus,
            gpus=trial.gpus,
            slots=connection.slots(trial.cpus, trial.gpus),
            fits=lambda task: self._spec.reproducible or (is_first(task) and not there) or expected(task) <= left(),
            begun=self._files.begun,
            should_stop=lambda: context.stop.suspending,
            time_over=lambda: over() or self._limit.late(),
        )
