"""The trainings that choose the winner among the finalists, before the final ones.

Each result is a file of the job's folder before the next step reads it, so a new driver repeats only what is missing.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from archsmith.errors import TrialFailure
from workers.atomic import write_whole
from workers.cluster.tasks import run_tasks
from workers.finalists import folds
from workers.finalists.selection import Selection, train_candidate
from workers.finalists.training import FinalistTask
from workers.job.context import JobContext
from workers.train.job_data import JobData


def stored(context: JobContext, tasks: Sequence[FinalistTask], *, sizes: Sequence[int] = ()) -> dict[int, Selection]:
    """The results by rank that there are already. sizes: samples of each fold, where tasks are of folds."""
    found = _stored(context, tasks)
    return folds.merged(tasks, found, sizes=sizes) if sizes else {rank: one for (rank, _), one in found.items()}


def select(
    context: JobContext,
    tasks: Sequence[FinalistTask],
    data: JobData | tuple[JobData, ...],
    *,
    over: Callable[[], bool] = lambda: False,
) -> dict[int, Selection]:
    """Train each candidate; results by rank. Returns early, with those there are, when the job must be suspended.

    data: with the search's splits, or with those of each fold. over: whether their time is.
    """
    if not tasks:
        return {}
    found = _stored(context, tasks)
    results = run_tasks(
        train_candidate,
        [task for task in tasks if (task.rank, task.seed) not in found],
        shared=data,
        cpus=context.spec.trial.cpus,
        gpus=context.spec.trial.gpus,
        should_stop=lambda: context.stop.suspending or over(),
    )
    for task, result in results:
        ended = _failed(task, result) if isinstance(result, TrialFailure) else result
        write_whole(_file(context, task), json.dumps(asdict(ended)).encode())
    return stored(context, tasks, sizes=fold_sizes(data))


def fold_sizes(data: JobData | tuple[JobData, ...]) -> tuple[int, ...]:
    """Samples of each fold, () where there are none."""
    return tuple(0 if one.val is None else len(one.val) for one in data) if isinstance(data, tuple) else ()


def _stored(context: JobContext, tasks: Sequence[FinalistTask]) -> dict[tuple[int, int], Selection]:
    """By rank and seed."""
    found = {(task.rank, task.seed): _read(_file(context, task)) for task in tasks}
    return {key: selection for key, selection in found.items() if selection is not None}


def _failed(task: FinalistTask, failure: TrialFailure) -> Selection:
    return Selection(score=None, seconds=0.0, epochs=task.recipe.epochs, reason=str(failure))


def _file(context: JobContext, task: FinalistTask) -> Path:
    """Of this trial and length: a job that is continued has others of the same rank."""
    length = task.recipe.rungs[-1] if task.recipe.rungs else task.recipe.epochs
    fold = f"-fold-{folds.fold_of(task)}" if task.seed >= folds.FIRST else ""
    return context.folder / "finalists" / f"selection-{task.rank}-{task.number}-{length}{fold}.json"


def _read(path: Path) -> Selection | None:
    return Selection(**json.loads(path.read_text())) if path.is_file() else None
