"""The trainings that choose the winner among the finalists, before the final ones.

Each result is a file of the job's folder before the next step reads it, so a new driver repeats only what is missing.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from archsmith.errors import TrialFailure
from workers.atomic import write_whole
from workers.cluster.tasks import run_tasks
from workers.finalists.selection import Selection, train_candidate
from workers.finalists.training import FinalistTask
from workers.job.context import JobContext
from workers.train.job_data import JobData


def select(context: JobContext, tasks: Sequence[FinalistTask], data: JobData) -> dict[int, Selection]:
    """Train each candidate once; results by rank. Returns early, with those there are, when the job must be suspended.

    data: with the search's splits.
    """
    if not tasks:
        return {}
    found = {task.rank: _read(_file(context, task.rank)) for task in tasks}
    results = run_tasks(
        train_candidate,
        [task for task in tasks if found[task.rank] is None],
        shared=data,
        cpus=context.spec.trial.cpus,
        gpus=context.spec.trial.gpus,
        should_stop=lambda: context.stop.suspending,
    )
    for task, result in results:
        ended = _failed(task, result) if isinstance(result, TrialFailure) else result
        write_whole(_file(context, task.rank), json.dumps(asdict(ended)).encode())
        found[task.rank] = ended
    return {rank: selection for rank, selection in found.items() if selection is not None}


def _failed(task: FinalistTask, failure: TrialFailure) -> Selection:
    return Selection(score=None, seconds=0.0, epochs=task.recipe.epochs, reason=str(failure))


def _file(context: JobContext, rank: int) -> Path:
    return context.folder / "finalists" / f"selection-{rank}.json"


def _read(path: Path) -> Selection | None:
    return Selection(**json.loads(path.read_text())) if path.is_file() else None
