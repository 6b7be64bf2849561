"""The vocabulary of trials and jobs: states and the moves between them, measurements and outcomes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class TrialState(StrEnum):
    """The states of a trial.

        waiting -> running -> completed | pruned | infeasible | failed | cancelled
                     |  ^
                     v  |  (next attempt, from its checkpoint)
                    lost -> failed (after MAX_ATTEMPTS) | cancelled

    completed, pruned: trained; the controller learns the score.
    infeasible: because of the architecture (violates a constraint, does not fit in memory); teaches the controller.
    failed: because of the trial (diverged, crashed, timed out), with a reason; teaches the controller.
    lost: because of the machine (process or node died); tried again, never counted.
    waiting: proposed and stored, not yet on a machine (also after a pause).
    """

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    PRUNED = "pruned"
    INFEASIBLE = "infeasible"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self not in (TrialState.WAITING, TrialState.RUNNING, TrialState.LOST)


class JobState(StrEnum):
    """The states of a job.

    queued -> running -> succeeded | failed | cancelled -> queued (its budget was extended)
                 |  ^
                 v  | (through queued)
               paused -> cancelled
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


RANDOM_ARM = "random_arm"
"""Provenance of the random trials that a search is compared with. They are trained like its own but are no part of it:
they are not counted, cannot be the incumbent, teach no controller and use no budget."""

RANDOM_ARM_FROM = 2_000_000
"""Number of the first of these trials, above those of all others."""

RANDOM = "random"
"""Provenance of trials of the search that were drawn uniformly at random (`search/proposing/interleaved.py`). They are
trials like the others: they are counted, teach the controller, and may become the incumbent and the winner."""

MAX_ATTEMPTS = 3
"""A trial that lost its machine so often without a new epoch is failed: it may be what kills the machine."""

_LIVE = frozenset({TrialState.WAITING, TrialState.RUNNING, TrialState.LOST})

TRIAL_MOVES: dict[TrialState, frozenset[TrialState]] = {
    TrialState.WAITING: frozenset({TrialState.RUNNING, TrialState.INFEASIBLE, TrialState.CANCELLED}),
    TrialState.RUNNING: frozenset(TrialState) - {TrialState.RUNNING},
    TrialState.LOST: frozenset({TrialState.RUNNING, TrialState.FAILED, TrialState.CANCELLED}),
    **{state: frozenset[TrialState]() for state in TrialState if state not in _LIVE},
}

JOB_MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.PAUSED, JobState.CANCELLED, JobState.FAILED}),
    JobState.RUNNING: frozenset(
        {JobState.QUEUED, JobState.PAUSED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    **{state: frozenset({JobState.QUEUED}) for state in JobState if state.terminal},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One epoch of one trial, on the validation split.

    epoch: 1 for the first.
    score: the objective's raw value, a fraction 0 to 1 for most; R² and kappa may be below 0.
    train_loss: mean loss of the epoch, nats for cross entropy.
    seconds: wall-clock time of the epoch.
    measures: other raw measures by name; those that the job's objectives need are there from epoch 1 on.
    """

    epoch: int
    score: float
    train_loss: float
    seconds: float
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, float]:
        """All measures that an objective may name."""
        return {"score": self.score, **self.measures}

    def __post_init__(self) -> None:
        if self.epoch < 1:
            raise ValueError(f"epoch must be >= 1, got {self.epoch}")
        if not math.isfinite(self.score):
            raise ValueError(f"score must be finite, got {self.score}")
        if not all(math.isfinite(value) for value in self.measures.values()):
            raise ValueError(f"measures must be finite, got {self.measures}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a trial ended. Checked when it is made: a trained trial has a finite value, any other has a reason.

    value: the objective, larger is better; None when nothing was measured. With several objectives it is their
        combined value (`search/objective.py`), for what can only maximise one number.
    values: each objective, larger is better, (value,) where there is one; () when nothing was measured.
    epochs: how many epochs the value rests on (the fidelity).
    reason: one line, for failed, infeasible and cancelled; for pruned why it was stopped, where that is known.
    curve: the value after each epoch, the last one being `value`; empty where it is not known.
    """

    number: int
    state: TrialState
    value: float | None = None
    epochs: int = 0
    reason: str | None = None
    values: tuple[float, ...] = ()
    curve: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        trained = self.state in (TrialState.COMPLETED, TrialState.PRUNED)
        if not self.state.terminal:
            raise ValueError(f"an outcome needs a terminal state, got {self.state}")
        if trained and (self.value is None or not math.isfinite(self.value)):
            raise ValueError(f"a {self.state} trial needs a finite value, got {self.value}")
        if not trained and self.value is not None:
            raise ValueError(f"a {self.state} trial has no value, got {self.value}")
        if not trained and not self.reason:
            raise ValueError(f"a {self.state} trial needs a reason")
        if self.value is not None and not self.values:
            object.__setattr__(self, "values", (self.value,))
        self._check_values()
        if self.curve and (len(self.curve) != self.epochs or self.curve[-1] != self.value):
            raise ValueError(f"a curve of {self.epochs} epochs that ends at {self.value} is not {self.curve}")

    def _check_values(self) -> None:
        if self.value is None and self.values:
            raise ValueError(f"a trial without a value has no values, got {self.values}")
        if not all(math.isfinite(value) for value in self.values):
            raise ValueError(f"all values must be finite, got {self.values}")
        if len(self.values) == 1 and self.values[0] != self.value:
            raise ValueError(f"the value of one objective is that objective, got {self.value} and {self.values}")
