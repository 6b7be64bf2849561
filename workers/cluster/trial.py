"""One trial on a machine: an actor that trains whatever architecture it is given, one epoch per step.

    TrialTask (JSON)  ->  TrialActor.step()  ->  {"epoch", "score", "measures", …} each epoch,
                                                 or {"failure", "reason"} once

The actor is the border of the trial: whatever goes wrong in building or training becomes a `failure` in the result,
here and nowhere else. So an error reported by Ray itself means that a process or machine died, or that the hard limit
ended the process.
"""

import faulthandler
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ray import tune

from archsmith.errors import TrialFailure
from search.objective import Objective
from search.spec import ObjectiveSpec
from search.trial import Measurement
from workers.train.job_data import JobData
from workers.train.numerics import chosen
from workers.train.recipe import Recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialTask:
    """Everything that a trial's process needs; sent as plain JSON.

    timeout_s: hard limit of this attempt, seconds of wall clock.
    checkpoint: file that this trial may write and resume from, "" = none. objective: the job's, {} = the score.
    known: by name, the costs of the architecture that are known before it is trained.
    keep_best: folder for the weights of the best trial so far, "" = they are not kept (`workers.weights.best_weights`).
    settings: pairs of precision and layout of which the fastest for this network is taken, () = the recipe's own.
    """

    job_id: str
    number: int
    attempt: int
    architecture: dict[str, Any]
    recipe: Recipe
    timeout_s: float
    checkpoint: str
    objective: dict[str, Any] = field(default_factory=dict)
    known: dict[str, float] = field(default_factory=dict)
    keep_best: str = ""
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def aims(self) -> Objective:
        return Objective.of(ObjectiveSpec.from_json(self.objective)) if self.objective else Objective()

    @property
    def epochs(self) -> int:
        return self.recipe.epochs

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> "TrialTask":
        fields = json.loads(text)
        settings = tuple((precision, layout) for precision, layout in fields.get("settings", ()))
        return cls(**{**fields, "recipe": Recipe(**fields["recipe"]), "settings": settings})


class Session(Protocol):
    """The training of one trial. Raises TrialFailure for the trial's own faults."""

    def epoch(self) -> Measurement:
        """Runs the next epoch."""
        ...

    def measures(self) -> Mapping[str, float]:
        """After an epoch: by name, the measures besides the score that the job's objective needs from a worker."""
        ...


@runtime_checkable
class Weighted(Protocol):
    """A session that has weights, as those that only pretend to train do not."""

    def offer(self, measurement: Measurement) -> None:
        """After an epoch: keep the weights that it was measured with, where they are the best of the job so far."""
        ...


CLEAN = ("diverged", "timeout", "unmeasured")
"""Failures that leave the process clean. Others may leave memory or threads, so the next trial gets a new process."""


class ProcessSpoiled(Exception):
    """Raised by the step after one that reported a failure, since Tune does not reuse a process that raised."""


Start = Callable[[TrialTask, Any], Session]
"""Starts a session from the task and the job's data; `start_training` except in tests and benchmarks."""


class TrialActor(tune.Trainable):
    """Ray Tune's side of a trial. Reused from trial to trial (`reset_config`) until a failure may have spoiled it."""

    def setup(self, config: dict[str, Any], *, data: Any = None, start: Start | None = None) -> None:
        self._data = data
        self._start = start or start_training
        self._spoiled = False
        self._take(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._take(new_config)
        return True  # False would make Tune drop the trial silently instead of starting a new process

    def _take(self, config: dict[str, Any]) -> None:
        self._task = TrialTask.loads(config["trial"])
        self._session: Session | None = None
        self._deadline: float | None = None

    def step(self) -> dict[str, Any]:
        if self._spoiled:
            raise ProcessSpoiled
        if self._deadline is None:  # the first step: waiting for a free slot does not count
            self._deadline = time.monotonic() + self._task.timeout_s
        left = self._deadline - time.monotonic()
        if left <= 0:
            return self._failure("timeout", f"ran longer than its limit of {self._task.timeout_s:g} s")
        # Python cannot interrupt a thread that is blocked in C code; this timer ends the whole process instead.
        faulthandler.dump_traceback_later(left, exit=True)
        try:
            if self._session is None:
                self._session = self._start(self._task, self._data)
            measurement = self._session.epoch()
            measurement = replace(measurement, measures={**self._task.known, **self._session.measures()})
            self._check(measurement)
            if self._task.keep_best and isinstance(self._session, Weighted):
                self._session.offer(measurement)
        except TrialFailure as failure:
            return self._failure(failure.cause, str(failure))
        except Exception as error:  # noqa: BLE001  # the trial's border: any fault of a trial is an outcome, never a crash
            return self._failure("crashed", f"{type(error).__name__}: {error}")
        finally:
            faulthandler.cancel_dump_traceback_later()
        done = measurement.epoch >= self._task.epochs
        # as pairs: Tune hands a trial's last result on with every dictionary in it flattened
        return {**asdict(measurement), "measures": list(measurement.measures.items()), "done": done}

    def _check(self, measurement: Measurement) -> None:
        """Raises TrialFailure where a measure that the job compares trials by is missing."""
        missing = [name for name in self._task.aims.needs if name not in measurement.facts]
        if missing:
            raise TrialFailure(
                f"the worker did not measure {missing[0]}, which the objective needs", cause="unmeasured"
            )

    def _failure(self, cause: str, reason: str) -> dict[str, Any]:
        self._session = None
        self._spoiled = cause not in CLEAN
        lines = reason.strip().splitlines() or [cause]
        return {"failure": cause, "reason": f"{cause}: {lines[0][:300]}", "done": not self._spoiled}


class TrainingSession:
    """The real session: builds the module, resumes from the checkpoint if there is one, trains epoch by epoch."""

    def __init__(self, task: TrialTask, data: JobData) -> None:
        from workers.train import checkpoint
        from workers.train.prepare import new_trainer

        self._task = task
        self._path = Path(task.checkpoint) if task.checkpoint else None
        self._again: Measurement | None = None
        self._measured: dict[str, float] | None = None
        state = checkpoint.load(self._path) if self._path and task.attempt > 1 else None
        self._recipe = self._numerics(data, state)
        self._trainer = new_trainer(task.architecture, data, self._recipe)
        if state is not None:
            self._trainer.load_state_dict(state["trainer"])
            self._again = Measurement(**state["measurement"])

    def _numerics(self, data: JobData, state: dict[str, Any] | None) -> Recipe:
        """The task's recipe with the setting of the attempt that is resumed, or with the fastest for this network."""
        from workers.measures.fastest import fastest

        task = self._task
        if state is not None and "setting" in state:
            precision, layout = state["setting"]
            return replace(task.recipe, precision=precision, layout=layout)
        if state is not None or not task.settings:
            return task.recipe
        return fastest(task.architecture, data, task.recipe, task.settings)

    def epoch(self) -> Measurement:
        from workers.train import checkpoint

        if self._again:  # the last attempt may have died before reporting it; a report that arrived is not stored twice
            measurement, self._again = self._again, None
            return measurement
        measurement = self._trainer.epoch()
        if self._path and measurement.epoch < self._task.epochs:
            setting = [self._recipe.precision, self._recipe.layout]
            state = {"trainer": self._trainer.state_dict(), "measurement": asdict(measurement), "setting": setting}
            checkpoint.save(self._path, state)
        return measurement

    def offer(self, measurement: Measurement) -> None:
        from workers.weights import best_weights

        folder, number, value = Path(self._task.keep_best), self._task.number, self._task.aims.value(measurement.facts)
        try:
            best_weights.offer(folder, self._trainer.module, number=number, measurement=measurement, value=value)
        except OSError as error:  # a full disk costs the provisional bundle, not the trial
            log.warning("the weights of trial %d are not kept: %s", number, error)

    def measures(self) -> Mapping[str, float]:
        from workers.measures.latency import measure

        if self._measured is None:
            self._measured = measure(self._trainer, self._task.aims.needs)
            if self._task.settings:
                self._measured |= chosen(self._recipe.precision, self._recipe.layout)
        return self._measured


def start_training(task: TrialTask, data: JobData) -> Session:
    """Begin (or resume) a trial on the job's search splits."""
    return TrainingSession(task, data)
