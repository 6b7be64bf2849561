"""Prior trials inside a controller: how they are told, and how standings wait for values to be placed by.

A value of another data set or other epochs is only a standing: so many deviations above or below the mean of its own
job. To stand beside values of this job it is placed among those of the first `ANCHORS` completed trials,

    value = mean + standing * deviation

with several objectives each of them by itself, once all trials up to the last of them have ended. They are mostly the
baseline and random ones, as the first of the earlier job were; what this job finds later is above them, so its own
values have the last word. Which trials those are goes by number, so the order of tells does not matter.

A placed value rests on 0 epochs of this job: a surrogate with levels of fidelity may take it for another level.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.trial import Outcome, TrialState
from space.architecture import Architecture
from space.decision import Choices

ANCHORS = 4
"""Values that standings are placed by."""

Row = tuple[float, ...]
"""The value and, where there are several, each objective's; or the standings of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """One trial of an earlier job.

    value: of that job, where it is `comparable`; else its standing there, mean 0 and deviation 1. values: the same of
        each objective of this job, where there are several.
    epochs: that the value rests on; 0 for a standing. pruned: it was stopped early. settled: see
    `search/earlier_jobs/prior.py`.
    """

    architecture: Architecture
    choices: Choices
    value: float
    epochs: int
    values: tuple[float, ...] = ()
    pruned: bool = False
    comparable: bool = True
    settled: bool = False


def outcome_of(number: int, prior: Prior) -> Outcome:
    """How a comparable prior trial is told."""
    state = TrialState.PRUNED if prior.pruned else TrialState.COMPLETED
    return Outcome(number=number, state=state, value=prior.value, values=prior.values, epochs=prior.epochs)


class PriorScaler:
    """The standings that wait, by number, and the first ends of the job's own trials."""

    def __init__(self) -> None:
        self._waiting: dict[int, Row] = {}
        self._ended: dict[int, Row | None] = {}

    def wait(self, number: int, prior: Prior) -> None:
        self._waiting[number] = _row(prior.value, prior.values)

    def after(self, outcome: Outcome) -> list[Outcome]:
        """The prior trials that can be told now that one of the job's own has ended."""
        if not self._waiting:
            return []
        completed = outcome.state is TrialState.COMPLETED and outcome.value is not None
        self._ended[outcome.number] = _row(outcome.value or 0.0, outcome.values) if completed else None
        anchors = self._anchors()
        if len(anchors) < ANCHORS:
            return []
        waiting, self._waiting = self._waiting, {}
        with np.errstate(all="ignore"):
            mean, deviation = np.mean(anchors, axis=0), np.std(anchors, axis=0)
            return [_placed(number, mean + np.array(row) * deviation) for number, row in waiting.items()]

    def _anchors(self) -> list[Row]:
        """The first values, as far as no earlier trial is open."""
        found: list[Row] = []
        number = 0
        while number in self._ended and len(found) < ANCHORS:
            row = self._ended[number]
            if row is not None:
                found.append(row)
            number += 1
        return found


def _row(value: float, values: tuple[float, ...]) -> Row:
    return (value, *values) if len(values) > 1 else (value,)


def _placed(number: int, row: NDArray[np.float64]) -> Outcome:
    if np.isfinite(row).all():
        value, *values = map(float, row)
        return Outcome(number=number, state=TrialState.COMPLETED, value=value, values=tuple(values))
    reason = "the values of this job have no finite spread"
    return Outcome(number=number, state=TrialState.CANCELLED, reason=reason)
