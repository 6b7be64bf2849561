"""Changing the budget of a job that was posted already: what it may not fall below, and whether an ended job can go on.

    the search goes on     each limit may be set to anything from what is spent upwards
    the search has ended   it goes on, so the new budget must leave room for at least one more trial

A reproducible job keeps its budget: its controller and its order of trials were made for it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archsmith.errors import Conflict, Fault, InvalidInput
from search.spec import Budget, JobSpec

FINAL_ENDS = {
    "space_exhausted": "its controller has found no new architecture in the space",
    "target_reached": "its search has reached `stop.target`",
    "improvement_flat": "its search became flat by `stop.flat`",
}
"""Ends of a search that more budget does not undo."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """seconds: that count against the budget. trials: ended. open: those that wait or run.

    epochs: of all trials, passes over the training split. trial_epochs: of a whole trial.
    """

    seconds: float
    trials: int
    open: int
    epochs: float
    trial_epochs: float


def changed(spec: JobSpec, changes: Mapping[str, Any], spent: Spent) -> JobSpec:
    """The document with the new limits, of a job whose search has not ended.

    changes: "trials", "seconds", "total_epochs", those that are to change. Raises InvalidInput with every limit that is
    below what is spent, and for a reproducible job.
    """
    new = _replaced(spec, changes)
    least = {
        "trials": max(1, spent.trials + spent.open),
        "seconds": max(1, math.ceil(spent.seconds)),
        "total_epochs": math.ceil(spent.epochs + spent.open * spent.trial_epochs),
    }
    _refuse_below(new.budget, {name: least[name] for name in changes}, "is spent or under way already")
    return new


def extended(spec: JobSpec, changes: Mapping[str, Any], spent: Spent, *, ended_by: str | None) -> JobSpec:
    """The document with the new limits, of a job whose search has ended and is to go on.

    ended_by: `Job.stopped_because`. Raises InvalidInput where a limit leaves no room for another trial; Conflict where
    the search did not end by its budget.
    """
    if ended_by in FINAL_ENDS:
        raise Conflict(f"the job cannot go on: {FINAL_ENDS[ended_by]}; post another job")
    new = _replaced(spec, changes)
    least = {
        "trials": spent.trials + 1,
        "seconds": math.floor(spent.seconds) + 1,
        "total_epochs": math.ceil(spent.epochs + spent.trial_epochs),
    }
    _refuse_below(new.budget, least, "leaves the ended search room for another trial")
    return new


def _replaced(spec: JobSpec, changes: Mapping[str, Any]) -> JobSpec:
    if spec.reproducible:
        detail = "the budget of a reproducible job is fixed when it is posted; post another job with the other budget"
        raise InvalidInput(Fault(pointer="/budget", rule="combination_unsupported", detail=detail))
    return replace(spec, budget=replace(spec.budget, **changes))


def _refuse_below(budget: Budget, least: Mapping[str, int], why: str) -> None:
    faults = []
    for name, low in least.items():
        value = getattr(budget, name)
        if value is not None and value < low:
            detail = f"must be at least {low}, which {why}; got {value:g}"
            faults.append(Fault(pointer=f"/budget/{name}", rule="below_spent", detail=detail, allowed={"minimum": low}))
    if faults:
        raise InvalidInput(faults)
