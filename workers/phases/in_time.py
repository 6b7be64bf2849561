"""The final trainings of a job that must end soon (`finish?within_seconds=`): which of them fit, and what if none does.

They are taken in the order of a planned job's (`workers.finalists.turns`). Where not even the first fits, the product
is the best weights of the search as they are, measured once on the test split; report and card say so.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archsmith.errors import TrialFailure
from search.ledger import Trial
from workers.cluster import connection
from workers.datasets import Dataset
from workers.finalists.plan import Final, has_arm
from workers.finalists.training import FinalistResult, FinalistTask, measured
from workers.finalists.turns import expected_seconds, in_turns
from workers.job.context import JobContext
from workers.train.job_data import JobData
from workers.train.recipe import Recipe
from workers.weights import best_weights
from workers.weights.best_weights import BestWeights

log = logging.getLogger(__name__)

START_S = 5.0
"""Of a final training besides its epochs: a new process, torch and the data, the score. 3 to 4 s alone on 2 cores."""
REPORT_S = 3.0
"""For report and bundle without exported forms."""
EXPORTS_S = 15.0
"""Least time for which exports are begun; small networks need 10 to 12 s."""
NO_TIME = "`finish` left no time for it"


def epoch_seconds(trial: Trial, *, grown: float) -> float:
    """Of a final training of this trial, by the mean of its epochs in the search.

    grown: samples that a final training sees for each one of the search. trial: with its measurements.
    """
    spent = [measurement.seconds for measurement in trial.measurements]
    return grown * sum(spent) / len(spent) if spent else 0.0


def fitting(
    tasks: Sequence[FinalistTask], seconds: Callable[[FinalistTask], float], *, left_s: float, slots: int
) -> list[FinalistTask]:
    """Those that end in time, taken in turns, each by the slot that is free first; none if the winner does not fit."""
    free, kept = [0.0] * slots, list[FinalistTask]()
    for task in in_turns(tasks):
        slot = min(range(slots), key=free.__getitem__)
        end = free[slot] + seconds(task)
        if end <= left_s:
            free[slot] = end
            kept.append(task)
        elif not kept:
            return []
    return kept


class TimeLimit:
    """What a limit of time means for the final trainings of one job; nothing where there is none."""

    def __init__(self, context: JobContext) -> None:
        self._context, self._spec = context, context.spec

    @property
    def best(self) -> BestWeights | None:
        """The best weights of the search, where there is a limit: what there is without any full training."""
        if not self._context.stop.hurried:
            return None
        return next(iter(best_weights.found(self._context.folder / best_weights.FOLDER)), None)

    def late(self) -> bool:
        """Whether final trainings must end now. Without weights of the search there would be nothing then."""
        return self._context.stop.left_s <= REPORT_S and self.best is not None

    def fitting(self, tasks: Sequence[FinalistTask], dataset: Dataset) -> Sequence[FinalistTask]:
        """Those that fit into the time that is left, in turns; at least the winner's where nothing else is there."""
        stop, trial = self._context.stop, self._spec.trial
        if not stop.hurried:
            return tasks
        kept = fitting(
            tasks,
            self._expected(tasks, dataset),
            left_s=stop.left_s - REPORT_S,
            slots=connection.slots(trial.cpus, trial.gpus),
        )
        log.info("%.0f s are left: %d of %d full trainings fit", stop.left_s, len(kept), len(tasks))
        return kept or ([] if self.best else in_turns(tasks)[:1])

    def _expected(self, tasks: Sequence[FinalistTask], dataset: Dataset) -> Callable[[FinalistTask], float]:
        """Seconds of a final training, by what the same architecture took in the search."""
        ledger, job_id, plan = self._context.ledger, self._context.job_id, self._context.plan
        if plan is not None:
            return expected_seconds(plan, ledger.measurements(job_id))
        sizes = dataset.split_sizes
        grown = (sizes["search_train"] + sizes["search_val"]) / sizes["search_train"]
        each = {n: epoch_seconds(ledger.trial(job_id, n), grown=grown) for n in {task.number for task in tasks}}
        return lambda task: START_S + task.recipe.epochs * each[task.number]

    def cut(self, planned: int, own: BestWeights | None = None) -> str | None:
        """What the limit has cost, in words. planned: final trainings. own: what was taken in their place."""
        if not self._context.stop.hurried:
            return None
        ledger, job_id, total = self._context.ledger, self._context.job_id, self._spec.budget.trial_epochs
        kept = sum(row.state == "completed" for row in ledger.finalists(job_id))
        about = None if own is None else {"trial": own.number, "epochs": own.epoch, "epochs_total": total}
        arm = has_arm(self._spec, planned=self._context.plan is not None)
        missing = ["the random search"] if arm and not ledger.random_arm(job_id) else []
        return words(kept=kept, planned=planned, own=about, skipped=missing)


class OwnWeights:
    """Called on the cluster in the place of a final training: measures the weights of the search on the test split."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, task: FinalistTask, data: JobData) -> FinalistResult:
        """Raises ValueError without a test split."""
        from safetensors.torch import load, save

        from workers.train.prepare import new_trainer

        if data.test is None:
            raise ValueError("own weights need the final splits, but data.test is None")
        tensors = load(self._path.read_bytes())
        try:
            trainer = new_trainer(task.architecture, data, task.recipe)
            trainer.module.load_state_dict(tensors)
            found = measured(trainer, data.test, data.problem)
        except TrialFailure as failure:
            return FinalistResult(test_score=None, weights=b"", seconds=0.0, reason=str(failure))
        return replace(found, weights=save(tensors))


def own(best: BestWeights, trial: Trial, recipe: Recipe, *, rank: int) -> tuple[Final, FinalistTask]:
    """The best weights of the search as the winner. rank: one that no planned training has."""
    final = Final(rank=rank, role="finalist", trial=replace(trial, search_score=best.score), seeds=1)
    task = FinalistTask(
        rank=rank,
        number=best.number,
        seed=0,
        architecture=trial.architecture,
        recipe=recipe.up_to(best.epoch),
    )
    return final, task


def words(*, kept: int, planned: int, own: dict[str, Any] | None, skipped: Sequence[str] = ()) -> str | None:
    """What a limit of time has cost the job, in one or two sentences; None where it cost nothing.

    own: of the weights of the search where they are the product: trial, epochs, epochs_total.
    """
    if own is not None:
        return (
            "`finish` left no time for a full training: these are the weights of trial {trial} from the search itself, "
            "after {epochs} of {epochs_total} epochs on the training split alone, measured once on the test split"
        ).format(**own)
    missing = [f"{planned - kept} of {planned} full trainings"] if kept < planned else []
    missing += skipped
    return f"`finish` left no time for {', '.join(missing)}" if missing else None
