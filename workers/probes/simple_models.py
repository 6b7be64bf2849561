"""The simple models of a job: measured on the cluster, one task a model, and kept as files in the job's folder.

    search   before the search: fitted to the training split, scored on the validation split
    final    with the final trainings: fitted to train + validation, scored on the test split, once

A model that fails is reported as not available and fails nothing else. A file is written once, when all models of its
stage have ended; a new driver reads it. Nothing but the report, and an event, depends on them.
"""

import json
import logging
import time
from dataclasses import replace
from pathlib import Path

from archsmith.errors import TrialFailure
from workers.atomic import write_whole
from workers.cluster.tasks import run_tasks
from workers.conventions import score_name
from workers.datasets import Dataset
from workers.datasets.balance import unequal_classes
from workers.job.context import JobContext
from workers.simple.models import MODELS, USUAL_STRENGTH, SimpleTask, fit_and_score
from workers.simple.record import SimpleScore, StageScores
from workers.simple.sampling import Stage, samples

log = logging.getLogger(__name__)

LIMIT_S, LIMIT_SHARE = 300.0, 0.1
"""Seconds of wall clock in all, waiting for a free place included; of a planned job at most this share of its time, for
nothing else runs meanwhile. A reproducible job waits as long as it takes."""


def before_search(context: JobContext, dataset: Dataset) -> None:
    """Tells the job's users, before any trial, what to beat and whether the score hides small classes."""
    spec = context.spec
    weighted = spec.trial.class_weights != "none"
    warning = unequal_classes(spec.objective.score, dataset.info, dataset.task, weighted=weighted)
    if warning is not None:
        context.ledger.notify(context.lease, "warning", {"number": None, "detail": warning})
    if known(context, "search") is None and context.settings.simple_models:
        context.begin_phase("simple_models")
    found = simple_models(context, dataset, "search")
    if found is not None:
        told = {name: {"search_score": one.score, "reason": one.reason} for name, one in found.scores.items()}
        context.ledger.notify(context.lease, "simple_models", told)


def known(context: JobContext, stage: Stage) -> StageScores | None:
    """The scores of a stage, if they are there."""
    path = _file(context.folder, stage)
    return StageScores.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def simple_models(context: JobContext, dataset: Dataset, stage: Stage) -> StageScores | None:
    """The scores of a stage, from its file if it is there. None where the job leaves them out or must stop now."""
    before = known(context, stage)
    if before is not None or not context.settings.simple_models:
        return before
    found = _measured(context, dataset, stage)
    if context.stop.suspending:
        return None
    write_whole(_file(context.folder, stage), json.dumps(found.to_json()))
    for name, one in found.scores.items():
        log.info("simple model %s (%s): %s", name, stage, one.score if one.score is not None else one.reason)
    return found


def _file(folder: Path, stage: Stage) -> Path:
    return folder / f"simple-models-{stage}.json"


def _measured(context: JobContext, dataset: Dataset, stage: Stage) -> StageScores:
    spec, began = context.spec, time.monotonic()
    given = samples(dataset, stage)
    limit_s = LIMIT_S if context.plan is None else min(LIMIT_S, LIMIT_SHARE * context.plan.seconds)
    late = SimpleScore(score=None, reason=f"it had not ended after {limit_s:g} s")
    scores = dict.fromkeys(MODELS, late)
    for task, result in run_tasks(
        fit_and_score,
        _tasks(context, dataset, stage),
        shared=given,
        cpus=spec.trial.cpus,
        gpus=0,
        should_stop=lambda: context.stop.suspending or (not spec.reproducible and time.monotonic() - began >= limit_s),
    ):
        scores[task.model] = SimpleScore(score=None, reason=str(result)) if isinstance(result, TrialFailure) else result
    return StageScores(
        scores=scores,
        trained=len(given.train.data),
        of_trained=given.train.of,
        measured=len(given.held_out.data),
        of_measured=given.held_out.of,
    )


def _tasks(context: JobContext, dataset: Dataset, stage: Stage) -> list[SimpleTask]:
    """In the final stage with what the validation split has chosen."""
    spec = context.spec
    score = score_name(spec.objective.score, dataset.task, dataset.problem)
    tasks = [SimpleTask(model=name, score=score, seed=spec.seed) for name in MODELS]
    if stage == "search":
        return tasks
    before = known(context, "search")
    strengths = {} if before is None else {name: one.strength for name, one in before.scores.items()}
    return [replace(task, strength=strengths.get(task.model) or USUAL_STRENGTH) for task in tasks]
