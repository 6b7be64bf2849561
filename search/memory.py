"""Prior trials inside a controller: how they are told, and how standings wait for values to be placed by.

A value of another data set or other epochs is only a standing: so many deviations above or below the mean of its own
job. To stand beside values of this job it is placed among those of the first `ANCHORS` completed trials,

    value = mean + standing * deviation

once all trials up to the last of them have ended. They are mostly the baseline and random ones, as the first of the
earlier job were; what this job finds later is above them, so its own values have the last word. Which trials those are
goes by number, so the order of tells does not matter.

A placed value rests on 0 epochs of this job: a surrogate with levels of fidelity may take it for another level.
"""

from dataclasses import dataclass

import numpy as np

from search.trial import Outcome, TrialState
from space.architecture import Architecture
from space.decision import Choices

ANCHORS = 4
"""Values that standings are placed by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """One trial of an earlier job.

    value: of that job, where it is `comparable`; else its standing there, mean 0 and deviation 1.
    epochs: that the value rests on; 0 for a standing. pruned: it was stopped early. settled: see `search/prior.py`.
    """

    architecture: Architecture
    choices: Choices
    value: float
    epochs: int
    pruned: bool = False
    comparable: bool = True
    settled: bool = False


def outcome_of(number: int, prior: Prior) -> Outcome:
    """How a comparable prior trial is told."""
    state = TrialState.PRUNED if prior.pruned else TrialState.COMPLETED
    return Outcome(number=number, state=state, value=prior.value, epochs=prior.epochs)


class Memory:
    """The standings that wait, by number, and the first ends of the job's own trials."""

    def __init__(self) -> None:
        self._waiting: dict[int, float] = {}
        self._ended: dict[int, float | None] = {}

    def wait(self, number: int, standing: float) -> None:
        self._waiting[number] = standing

    def after(self, outcome: Outcome) -> list[Outcome]:
        """The prior trials that can be told now that one of the job's own has ended."""
        if not self._waiting:
            return []
        self._ended[outcome.number] = outcome.value if outcome.state is TrialState.COMPLETED else None
        anchors = self._anchors()
        if len(anchors) < ANCHORS:
            return []
        waiting, self._waiting = self._waiting, {}
        with np.errstate(all="ignore"):
            mean, deviation = float(np.mean(anchors)), float(np.std(anchors))
        return [_placed(number, mean + standing * deviation) for number, standing in waiting.items()]

    def _anchors(self) -> list[float]:
        """The first values, as far as no earlier trial is open."""
        found: list[float] = []
        number = 0
        while number in self._ended and len(found) < ANCHORS:
            value = self._ended[number]
            if value is not None:
                found.append(value)
            number += 1
        return found


def _placed(number: int, value: float) -> Outcome:
    if np.isfinite(value):
        return Outcome(number=number, state=TrialState.COMPLETED, value=value)
    reason = "the values of this job have no finite spread"
    return Outcome(number=number, state=TrialState.CANCELLED, reason=reason)
