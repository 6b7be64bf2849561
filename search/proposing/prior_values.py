"""Prior trials inside a controller: how they are told, and how z-scores are scaled to values of this job.

A value measured on another data set, or after other epochs, is known as a z-score only: so many standard deviations
above or below the mean of its own job. To be compared with values of this job it is scaled by the first `ANCHORS`
completed trials,

    value = mean + z * deviation

with several objectives each of them by itself, once all trials up to the last of them have ended. The anchors are
mostly the baseline and random architectures, as the first trials of the earlier job were; what this job finds later is
above them, so its own values have the last word. Which trials are anchors goes by number, so the order of outcomes does
not matter.

A scaled value rests on 0 epochs of this job: a surrogate with levels of fidelity may take it for another level.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.trial import Outcome, TrialState
from space.architecture import Architecture
from space.decision import Choices

ANCHORS = 4
"""Completed trials whose mean and deviation scale the z-scores."""

Row = tuple[float, ...]
"""The value and, where there are several objectives, the value of each; or the z-scores of these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """One trial of an earlier job.

    value: as measured there, where it is `comparable`; else its z-score there. values: the same for each objective of
        this job, where there are several.
    epochs: that the value rests on; 0 for a z-score. pruned: it was stopped early. settled: see
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
    """The outcome of a comparable prior trial."""
    state = TrialState.PRUNED if prior.pruned else TrialState.COMPLETED
    return Outcome(number=number, state=state, value=prior.value, values=prior.values, epochs=prior.epochs)


class PriorScaler:
    """Keeps the z-scores of prior trials, by number, until the job's first outcomes can scale them."""

    def __init__(self) -> None:
        self._waiting: dict[int, Row] = {}
        self._ended: dict[int, Row | None] = {}  # the job's own trials; None where one has no value

    def add(self, number: int, prior: Prior) -> None:
        self._waiting[number] = _row(prior.value, prior.values)

    def scaled_after(self, outcome: Outcome) -> list[Outcome]:
        """Count in an outcome of the job's own -> the outcomes of the prior trials that can be scaled now."""
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
            return [_outcome(number, mean + np.array(row) * deviation) for number, row in waiting.items()]

    def _anchors(self) -> list[Row]:
        """The first values by trial number, up to the first trial that is still open."""
        anchors: list[Row] = []
        number = 0
        while number in self._ended and len(anchors) < ANCHORS:
            row = self._ended[number]
            if row is not None:
                anchors.append(row)
            number += 1
        return anchors


def _row(value: float, values: tuple[float, ...]) -> Row:
    return (value, *values) if len(values) > 1 else (value,)


def _outcome(number: int, row: NDArray[np.float64]) -> Outcome:
    if np.isfinite(row).all():
        value, *values = map(float, row)
        return Outcome(number=number, state=TrialState.COMPLETED, value=value, values=tuple(values))
    reason = "the values of this job have no finite standard deviation to scale a z-score by"
    return Outcome(number=number, state=TrialState.CANCELLED, reason=reason)
