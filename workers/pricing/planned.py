"""The dry run of a planned job: its plan, from a few timed steps in this process."""

from dataclasses import replace
from typing import Any

from search.planning.given import given_plan
from search.planning.rule import batch_size, make_plan
from search.planning.values import Plan
from search.spec import JobSpec
from search.validate import sample
from space.constraint import Constraint
from space.space import Space
from workers.datasets import Dataset
from workers.planning.pace import MOST_LOAD_S, age_s, bundle_seconds, inputs_without_pace, measure, pace_task
from workers.pricing.price import BUNDLE_BYTES, COPIES, TRIAL_BYTES
from workers.settings import Settings
from workers.train.job_data import search_data
from workers.train.numerics import Numerics

STARTS = 3.0
"""Processes that load torch one after another before the first trial: driver, timed steps, first trial."""
WAIT_S = 4.0
"""Seconds of the calibration."""
SAMPLED = 60


def planned(settings: Settings, spec: JobSpec, dataset: Dataset, *, slots: int) -> dict[str, Any]:
    """The answer of a dry run. Raises InvalidInput where the budget is too small, with the least that would do."""
    given = inputs_without_pace(spec, dataset, slots=slots)
    if spec.plan is not None:
        return answer(given_plan(spec.plan, given), spec, slots=slots) | _space(spec, dataset)
    numerics = Numerics(precision="fp32", layout="nchw", source="fixed")
    task = pace_task(spec, dataset, numerics, given, batch_size(given.samples, fixed=given.batch))
    load_s = min(MOST_LOAD_S, age_s())
    pace = measure(task, search_data(dataset))
    plan = make_plan(
        replace(
            given,
            step_s=pace.step_s,
            score_s=pace.score_s,
            load_s=load_s,
            start_s=STARTS * load_s + WAIT_S,
            bundle_s=bundle_seconds(load_s, exports=settings.exports),
        )
    )
    return answer(plan, spec, slots=slots) | _space(spec, dataset)


def answer(plan: Plan, spec: JobSpec, *, slots: int) -> dict[str, Any]:
    """In the form of `workers.pricing.price.Price`; a planned time is low, expected and high in one."""
    phases = {
        "start": plan.start_s,
        "search": plan.search_s,
        **({"random_arm": plan.arm_s} if plan.arm_s else {}),
        "finalists": plan.finals_s,
        "bundle": plan.bundle_s,
    }
    trials = plan.architectures
    rows = trials * TRIAL_BYTES + BUNDLE_BYTES * COPIES
    return {
        "trials": _range(1.0 if spec.budget.trials is None else min(1.0, trials), trials, 3.0 * trials),
        "trainings": plan.trainings,
        "trials_at_once": slots,
        "seconds": _range(plan.seconds, plan.seconds, plan.seconds),
        "hours": _range(*(3 * [plan.seconds / 3600])),
        "disk_bytes": _range(0.25 * rows, rows, 3.0 * rows),
        "phases": {name: _range(seconds, seconds, seconds) for name, seconds in phases.items()},
        "calibration": [],
        "warnings": list(plan.warnings),
        "plan": plan.to_json(),
    }


def _space(spec: JobSpec, dataset: Dataset) -> dict[str, Any]:
    shape, tasks = dataset.info.input_shape, (dataset.task,)
    space = Space.parse(spec.space, input_shape=shape, classes=dataset.classes, tasks=tasks)
    constraints = (*space.constraints, *(Constraint.parse(text) for text in spec.objective.constraints))
    drawn, size = sample(space, constraints, limit=SAMPLED, seed=spec.seed), space.size(100_000)
    feasible = drawn.feasible / max(1, drawn.walks)
    return {"space": {"size_log10": size.log10, "size_exact": size.exact, "feasible_share": feasible}}


def _range(low: float, expected: float, high: float) -> dict[str, float]:
    return {"low": round(low, 3), "expected": round(expected, 3), "high": round(high, 3)}
