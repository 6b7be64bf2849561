"""What a plan is made from, and the plan. Times are seconds of wall clock, lengths of training are gradient steps."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanInputs:
    """What is known when a job starts.

    seconds: the whole job, from its start to its bundle. slots: trainings at a time.
    samples, val_samples, final_samples: of search training, of validation, and of a final training.
    input_shape: (C, H, W), (C, D, H, W) or (F,). class_sizes: samples of each class in the training split;
    () where an answer is no single class. classes: of a regression, bins of its first target.
    step_s: one gradient step of an average architecture with a batch of `batch_size(…)`; score_s: scoring it once on
    the validation split. start_s: until the first trial starts; load_s: a process that loads torch and the data.
    bundle_s: report, exports and zip. pass_steps: steps of one pass where that does not follow from the batches (nodes
    and links, whose every step takes the whole graph). batch: fixed by the job.
    trials, epochs, total_epochs, final_epochs: ceilings; an epoch is a pass over the training split. walks: how many
    architectures the space has, None where they were not counted.
    halving: whether weak trials are stopped at rungs. full_comparison: a random arm of the search's own cost.
    timed: of each architecture that was timed, seconds of a step and its `search.planning.step_cost.Work`.
    """

    seconds: float
    slots: int
    samples: int
    val_samples: int
    final_samples: int
    input_shape: tuple[int, ...]
    classes: int
    class_sizes: tuple[int, ...] = ()
    task: str = "image"
    step_s: float
    score_s: float
    start_s: float = 8.0
    load_s: float = 3.0
    bundle_s: float = 15.0
    pass_steps: int | None = None
    batch: int | None = None
    trials: int | None = None
    epochs: int | None = None
    total_epochs: float | None = None
    final_epochs: int | None = None
    walks: int | None = None
    reproducible: bool = False
    halving: bool = True
    random_arm: bool = True
    full_comparison: bool = False
    timed: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        least = {"slots": 1, "samples": 1, "val_samples": 0, "final_samples": 1, "classes": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be >= {low}, got {getattr(self, name)}")
        if not (self.seconds > 0 and self.step_s > 0 and min(self.score_s, self.start_s, self.bundle_s) >= 0):
            raise ValueError("seconds and step_s must be positive, and no other time below 0")

    def to_json(self) -> Json:
        return {
            **asdict(self),
            "input_shape": list(self.input_shape),
            "class_sizes": list(self.class_sizes),
            "timed": [list(row) for row in self.timed],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "PlanInputs":
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        return cls(
            **{
                **values,
                "input_shape": tuple(values["input_shape"]),
                "class_sizes": tuple(values.get("class_sizes", ())),
                "timed": tuple(tuple(row) for row in values.get("timed", ())),
            }
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How a job spends its time.

    seconds: the budget; the bundle is due then. batch_size: of all trainings. pass_steps, final_pass_steps: steps of
    one pass over the data of a trial and of a final training.
    rungs: cumulative steps of a trial after which it is scored; the last is the whole training. Where trials are
    counted in epochs, an epoch of a planned job is the training from one rung to the next.
    share: of the training split that a trial sees. resolution: side of pictures in pixels, None as stored.
    architectures: how many are expected to be scored. final_steps: of a final training. trainings: final ones that are
    expected to fit. limit_s: most seconds of one trial.
    start_s, search_s, arm_s, winner_s, turns_s, bundle_s: seconds of start, search, random arm (0 where random trials
    are part of the search), the winner's first full training, the other full trainings, bundle. step_s, score_s,
    load_s: as they were measured, see `PlanInputs`.
    pace: measured seconds of the trials so far over those expected at the start. warnings: sentences.
    """

    seconds: float
    batch_size: int
    pass_steps: int
    final_pass_steps: int
    rungs: tuple[int, ...]
    share: float
    resolution: int | None
    architectures: int
    final_steps: int
    trainings: int
    limit_s: float
    start_s: float
    search_s: float
    arm_s: float
    winner_s: float
    turns_s: float
    bundle_s: float
    step_s: float
    score_s: float
    load_s: float = 0.0
    pace: float = 1.0
    warnings: tuple[str, ...] = ()

    def passes(self, epochs: int) -> float:
        """Passes over the training split of a trial that was scored `epochs` times."""
        return self._steps(epochs) / self.pass_steps

    def work(self, epochs: int) -> float:
        """The same and its scores, in gradient steps."""
        return self._steps(epochs) + epochs * self.score_s / self.step_s

    def _steps(self, epochs: int) -> int:
        """A job that an earlier version has planned may have more epochs than rungs: it scored after each pass."""
        return self.rungs[min(epochs, len(self.rungs)) - 1] if epochs else 0

    @property
    def final_rungs(self) -> tuple[int, ...]:
        """The steps after each pass, about, of a final training; the last is the whole one."""
        count = max(1, round(self.final_steps / self.final_pass_steps))
        return tuple(max(number, round(self.final_steps * number / count)) for number in range(1, count + 1))

    @property
    def comparison_s(self) -> float:
        """Seconds that only a comparison needs: random arm, baseline, further seeds."""
        return self.arm_s + self.turns_s

    @property
    def finals_s(self) -> float:
        return self.winner_s + self.turns_s

    @property
    def least_arm_s(self) -> float:
        """Seconds below which a random arm would end before its first trials: their processes start anew."""
        return 3.0 * self.load_s + self.pace * (self.rungs[0] * self.step_s + self.score_s)

    @property
    def search_ends_s(self) -> float:
        """Seconds after the job's start when the search must have ended."""
        return self.arm_ends_s - self.arm_s

    @property
    def arm_ends_s(self) -> float:
        return self.finals_end_s - self.finals_s

    @property
    def finals_end_s(self) -> float:
        return self.seconds - self.bundle_s

    def to_json(self) -> Json:
        return {**asdict(self), "rungs": list(self.rungs), "warnings": list(self.warnings)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Plan":
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        return cls(**{**values, "rungs": tuple(values["rungs"]), "warnings": tuple(values.get("warnings", ()))})


def passes(plan: Plan | None, epochs: int) -> float:
    """Passes over the training split of a trial of so many epochs; without a plan an epoch is a pass."""
    return float(epochs) if plan is None else plan.passes(epochs)
