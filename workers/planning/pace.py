"""A few timed gradient steps before a job is planned: of the space's baseline and of a random architecture."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archsmith.errors import JobFailure, TrialFailure
from search.planning.rule import pass_steps
from search.planning.step_cost import Work, work_of
from search.planning.values import PlanInputs
from search.proposing.walks import Draw, draw_walk, follow
from search.spec import JobSpec
from search.validate import sample
from space.architecture import Architecture
from space.constraint import Constraint
from space.space import Space, replay
from workers.conventions import score_name
from workers.datasets import Dataset
from workers.datasets.raw import Array
from workers.datasets.strata import BINS
from workers.finalists.plan import is_its_own
from workers.train.job_data import JobData
from workers.train.numerics import Numerics
from workers.train.prepare import ONE_GRAPH_STEPS, counted, new_trainer, recipe
from workers.train.recipe import Recipe

DRAWS = 20
"""Random architectures, of which the one with the median number of MACs is timed."""
PACE_S = 1.5
STAT = Path("/proc/self/stat")
EXPORT_LOADS, MOST_EXPORT_LOAD_S, PLAIN_BUNDLE_S = 3.0, 8.0, 4.0
"""Seconds of exports over those of a process that loads torch (10 to 12 s and 3 s on two idle processors; where such a
process took 15 s, a whole bundle took 10 s, since its process was there already), and of report and zip."""
MOST_LOAD_S = 15.0
"""Seconds of such a start on a very busy machine; more was a wait for something else."""
COUNTED = 20_000
"""Steps allowed for counting the walks of a space, since a small space ends the search early."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PaceTask:
    """architectures: JSON of those that are timed. recipe: of a trial, with the batch of the plan."""

    architectures: tuple[dict[str, Any], ...]
    recipe: Recipe
    pass_steps: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """step_s: one gradient step; score_s: the validation split once; spent_s: all that was timed.

    timed: see `PlanInputs`.
    """

    step_s: float
    score_s: float
    spent_s: float
    timed: tuple[tuple[float, ...], ...] = ()


def inputs_without_pace(spec: JobSpec, dataset: Dataset, *, slots: int) -> PlanInputs:
    """What follows from the job and its data; the times stand for those that are measured."""
    train = dataset.search_train
    size = _space(spec, dataset).size(COUNTED)
    return PlanInputs(
        seconds=spec.budget.seconds,
        slots=slots,
        samples=len(train),
        val_samples=len(dataset.search_val),
        final_samples=len(dataset.final_train),
        input_shape=tuple(dataset.info.input_shape),
        classes=max(dataset.classes, BINS) if dataset.problem == "regression" else dataset.classes,
        class_sizes=_class_sizes(spec, train.y, dataset),
        task=dataset.task,
        step_s=1.0,
        score_s=0.0,
        pass_steps=ONE_GRAPH_STEPS.get(dataset.task),
        batch=spec.trial.batch_size,
        trials=spec.budget.trials,
        total_epochs=spec.budget.total_epochs,
        final_epochs=spec.finalists.epochs,
        walks=size.count,
        reproducible=spec.reproducible,
        halving=spec.trial.scheduler != "none",
        random_arm=spec.finalists.random_arm and not is_its_own(spec),
        full_comparison=spec.comparison == "full",
    )


def _class_sizes(spec: JobSpec, y: Array, dataset: Dataset) -> tuple[int, ...]:
    """() where an answer is no single class, and where the job has all that is proposed for unequal ones."""
    if dataset.problem not in ("classification", "ordinal"):
        return ()
    score = score_name(spec.objective.score, dataset.task, dataset.problem)
    if score != "accuracy" and spec.trial.class_weights != "none":
        return ()
    return tuple(int(count) for count in np.bincount(y, minlength=dataset.classes))


def pace_task(spec: JobSpec, dataset: Dataset, numerics: Numerics, given: PlanInputs, batch: int) -> PaceTask:
    """Draws what is timed. Raises JobFailure where no architecture satisfies the constraints."""
    space = _space(spec, dataset)
    constraints = (*space.constraints, *(Constraint.parse(text) for text in spec.objective.constraints))
    drawn = [one for one in sample(space, constraints, limit=DRAWS, seed=spec.seed).draws if not one.violation]
    timed = _middle(drawn)
    baseline = draw_walk(space, constraints, follow(replay(space.baseline())))
    if baseline is not None and (not baseline.violation or not timed):
        timed = [baseline, *timed]
    if not timed:
        raise JobFailure(f"none of {DRAWS} random architectures fits the data: none to time; loosen the space")
    values = recipe(spec, numerics, dataset, epochs=1, seed=0)
    return PaceTask(
        architectures=tuple(one.architecture.to_json() for one in timed),
        recipe=counted(values, dataset.task, batch=batch, rungs=(10**9,)),
        pass_steps=pass_steps(given, given.samples),
    )


def measure(task: PaceTask, data: JobData) -> Pace:
    """Means over the architectures; called on a worker, or in the process of a dry run.

    Raises TrialFailure where none of them can be trained, say for want of memory.
    """
    began = time.perf_counter()
    found: list[tuple[float, float]] = []
    works: list[Work] = []
    failure: TrialFailure | None = None
    for architecture in task.architectures:
        try:
            found.append(_timed(architecture, data, task))
            works.append(work_of(Architecture.from_json(architecture)))
        except TrialFailure as error:
            failure = error
    if not found:
        raise failure or TrialFailure("nothing was timed", cause="unmeasured")
    steps, scores = zip(*found, strict=True)
    return Pace(
        step_s=sum(steps) / len(steps),
        score_s=sum(scores) / len(scores),
        spent_s=time.perf_counter() - began,
        timed=tuple((step_s, *work) for step_s, work in zip(steps, works, strict=True)),
    )


def _timed(architecture: dict[str, Any], data: JobData, task: PaceTask) -> tuple[float, float]:
    """Seconds of a step, and of scoring the validation split."""
    trainer = new_trainer(architecture, data, task.recipe)
    whole = trainer.pace(PACE_S)
    began = time.perf_counter()
    if data.val is not None:
        trainer.score(data.val)
    score_s = time.perf_counter() - began
    return max(1e-5, (whole - score_s) / task.pass_steps), score_s


def bundle_seconds(load_s: float, *, exports: bool) -> float:
    """Of report, exports and zip, on a machine where a process needs `load_s` to load torch."""
    return PLAIN_BUNDLE_S + (EXPORT_LOADS * min(MOST_EXPORT_LOAD_S, load_s) if exports else 0.0)


def _middle(drawn: Sequence[Draw]) -> list[Draw]:
    ranked = sorted(drawn, key=lambda one: one.measures["macs"])
    return ranked[len(ranked) // 2 :][:1]


def _space(spec: JobSpec, dataset: Dataset) -> Space:
    shape, tasks = dataset.info.input_shape, (dataset.task,)
    return Space.parse(spec.space, input_shape=shape, classes=dataset.classes, tasks=tasks)


def age_s() -> float:
    """Seconds since this process started, including its imports. The kernel counts from boot, in ticks."""
    fields = STAT.read_text(encoding="utf-8").rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
