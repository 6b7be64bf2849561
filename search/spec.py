"""The job as the inside knows it: frozen, checked, plain JSON on the way in and out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Json = dict[str, Any]

SCHEDULERS = ("none", "asha", "hyperband")
"""What may decide which trials go on; how, stands in `search/fidelity.py`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerSpec:
    """Which controller, and its own options (checked by the controller's factory)."""

    name: str = "tpe"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectiveSpec:
    """What is maximised, and the constraint expressions that every architecture must keep.

    score: what a trial's score is, "accuracy", "balanced_accuracy" or "auc"; "auto" is AUC for links, else accuracy.
    """

    maximize: str = "score"
    score: str = "auto"
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The ceiling of the search. trials: counted ones; seconds: wall clock of the search; epochs: of one trial."""

    trials: int = 30
    seconds: float = 3600.0
    epochs: int = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialSpec:
    """What one trial may use.

    scheduler: one of SCHEDULERS. stop_hopeless: whether a trial ends that can no longer become a finalist.
    precision, layout: "auto" = by calibration.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    timeout_s: float = 600.0
    scheduler: str = "none"
    stop_hopeless: bool = False
    batch_size: int = 128
    learning_rate: float = 0.01
    precision: str = "auto"
    layout: str = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalistSpec:
    """top: how many of the best are retrained in full; seeds: how often each; epochs: None = by rule."""

    top: int = 3
    seeds: int = 1
    epochs: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSpec:
    """One search job. `space` is a whole space document: presets are resolved before the spec is made."""

    dataset: str
    space: Json
    name: str = "search"
    seed: int = 0
    reproducible: bool = False
    controller: ControllerSpec = field(default_factory=ControllerSpec)
    objective: ObjectiveSpec = field(default_factory=ObjectiveSpec)
    budget: Budget = field(default_factory=Budget)
    trial: TrialSpec = field(default_factory=TrialSpec)
    finalists: FinalistSpec = field(default_factory=FinalistSpec)

    def to_json(self) -> Json:
        document = asdict(self)
        document["objective"]["constraints"] = list(self.objective.constraints)
        return document

    @classmethod
    def from_json(cls, document: Json) -> "JobSpec":
        objective = document["objective"]
        return cls(
            **{k: document[k] for k in ("dataset", "space", "name", "seed", "reproducible")},
            controller=ControllerSpec(**document["controller"]),
            objective=ObjectiveSpec(**{**objective, "constraints": tuple(objective["constraints"])}),
            budget=Budget(**document["budget"]),
            trial=TrialSpec(**document["trial"]),
            finalists=FinalistSpec(**document["finalists"]),
        )
