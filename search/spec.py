"""The job as all code behind the API sees it: frozen, checked, and converted to and from plain JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Json = dict[str, Any]

SCHEDULERS = ("none", "asha", "hyperband")
"""What may stop trials early; the rules are in `search/stopping/early_stopping.py`."""


COMPARISONS = ("share", "full")
"""What a planned job is compared with: random trials, a share of its own, or a random arm that costs what it does."""

TRIALS, SEARCH_S, EPOCHS, BATCH = 30, 3600.0, 8, 128
"""Of a job that says how long its trials are trained, or how many there are, but not how long it may take itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerSpec:
    """The name of a controller, and its own options (checked by `search.factory`)."""

    name: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetSpec:
    """A soft limit on one measure of a job whose objective is the score; `search/objective.py` has the formulas.

    measure: one of `MINIMIZED`. value: the target, in the measure's unit. form: "absolute" or "product".
    """

    measure: str
    value: float
    form: str = "absolute"
    weight: float = -0.07


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectiveSpec:
    """What is maximised and minimised, and the constraints, as expressions, that every architecture must keep.

    maximize, minimize: names of measures, see `search/objective.py`; together at least one.
    score: what a trial's score is, one of those of the data set's problem (`search.problems.PROBLEM_SCORES`, the
    default first); "auto" is the default, for links the AUC.
    """

    maximize: tuple[str, ...] = ("score",)
    minimize: tuple[str, ...] = ()
    target: TargetSpec | None = None
    score: str = "auto"
    constraints: tuple[str, ...] = ()

    def to_json(self) -> Json:
        document = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in document.items()}

    @classmethod
    def from_json(cls, document: Json) -> "ObjectiveSpec":
        """Also reads documents from before there were several objectives: `"maximize": "score"`."""
        maximize, target = document["maximize"], document.get("target")
        return cls(
            **{
                **document,
                "maximize": (maximize,) if isinstance(maximize, str) else tuple(maximize),
                "minimize": tuple(document.get("minimize", ())),
                "target": None if target is None else TargetSpec(**target),
                "constraints": tuple(document["constraints"]),
            }
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What a job may spend.

    epochs None: the job is planned (`search/planning/`). seconds is then the wall clock of the whole job, from its
    start to its bundle, without pauses; trials and total_epochs (passes over the training split) are ceilings, None for
    none.
    epochs given: each trial is trained so many epochs, and seconds is the wall clock of the search alone.
    """

    trials: int | None = None
    seconds: float = 1800.0
    epochs: int | None = None
    total_epochs: float | None = None

    @property
    def planned(self) -> bool:
        return self.epochs is None

    @property
    def trial_epochs(self) -> int:
        """Epochs of a trial; of a job whose plan is yet to be made, those of a job without one."""
        return EPOCHS if self.epochs is None else self.epochs


@dataclass(frozen=True, kw_only=True, slots=True)
class Flat:
    """The search is flat when its last `trials` counted trials improved the best value by no more than `by`."""

    trials: int
    by: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StopSpec:
    """What ends the search before its budget does. target: a score at which it ends."""

    target: float | None = None
    flat: Flat | None = None

    @classmethod
    def from_json(cls, document: Json) -> "StopSpec":
        flat = document.get("flat")
        return cls(target=document.get("target"), flat=Flat(**flat) if flat else None)


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmStart:
    """jobs: ids of ended jobs whose trials are prior data; see `search/earlier_jobs/prior.py`."""

    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialSpec:
    """How one trial is trained, and what it may use.

    batch_size: None = by the plan, BATCH without one.
    scheduler: one of SCHEDULERS. stop_hopeless: whether a trial is stopped that will not become a finalist (futility).
    precision, layout: "auto" = by calibration.
    loss: "auto", or one of those of the data set's problem. class_weights: "none", "balanced" (each class counts as
    much as any other), or a positive number for each class or label.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    timeout_s: float = 600.0
    scheduler: str = "none"
    stop_hopeless: bool = False
    batch_size: int | None = None
    learning_rate: float = 0.01
    precision: str = "auto"
    layout: str = "auto"
    loss: str = "auto"
    class_weights: str | tuple[float, ...] = "none"

    def __post_init__(self) -> None:
        if not isinstance(self.class_weights, str):  # JSON has lists
            object.__setattr__(self, "class_weights", tuple(self.class_weights))

    @property
    def device(self) -> str:
        """As torch names it: "cuda" or "cpu"."""
        return "cuda" if self.gpus > 0 else "cpu"

    @property
    def threads(self) -> int:
        """One for each CPU of the trial: more threads make training up to ten times slower."""
        return max(1, int(self.cpus))


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalistSpec:
    """What is trained in full after the search.

    top: how many of the best trials; seeds: how often each; epochs: None = by rule.
    baseline: whether the space's baseline is trained in the same way, for comparison.
    random_arm: whether a random search at the same cost is made, and its best trained in the same way.
    fidelity: for how many architectures search scores and full trainings are compared, 0 = for none.
    """

    top: int = 3
    seeds: int = 3
    epochs: int | None = None
    baseline: bool = True
    random_arm: bool = True
    fidelity: int = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class CompressStep:
    """One step of compression by its name, and its own options (checked in `search/compress.py`)."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class CompressSpec:
    """How the winner is compressed.

    max_drop: how much of the validation score all steps together may lose. of: id of a succeeded job whose winner is
    compressed, without a search in this job; None, the job's own winner.
    """

    steps: tuple[CompressStep, ...]
    max_drop: float = 0.01
    of: str | None = None

    @classmethod
    def from_json(cls, document: Json) -> "CompressSpec":
        return cls(**{**document, "steps": tuple(CompressStep(**step) for step in document["steps"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSpec:
    """One search job. `space` is a whole space document: presets are resolved before the spec is made.

    enqueue: the user's own architectures, as answers to decisions; tried first after the baseline.
    init_from: id of a succeeded job whose weights all trainings start from, as far as they fit.
    comparison: one of COMPARISONS; without a plan a random arm costs as much as the search.
    plan: of a reproducible job that repeats another one, that one's (`search/planning/given.py`); None = by measuring.
    """

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
    stop: StopSpec = field(default_factory=StopSpec)
    enqueue: tuple[Json, ...] = ()
    warm_start: WarmStart = field(default_factory=WarmStart)
    compress: CompressSpec | None = None
    init_from: str | None = None
    comparison: str = "share"
    plan: Json | None = None

    def to_json(self) -> Json:
        return {
            **asdict(self),
            "objective": self.objective.to_json(),
            "enqueue": list(self.enqueue),
            "warm_start": {"jobs": list(self.warm_start.jobs)},
        }

    @classmethod
    def from_json(cls, document: Json) -> "JobSpec":
        return cls(
            **{k: document[k] for k in ("dataset", "space", "name", "seed", "reproducible")},
            controller=ControllerSpec(**document["controller"]),
            objective=ObjectiveSpec.from_json(document["objective"]),
            budget=Budget(**document["budget"]),
            trial=TrialSpec(**document["trial"]),
            finalists=FinalistSpec(**document["finalists"]),
            stop=StopSpec.from_json(document.get("stop", {})),
            enqueue=tuple(document.get("enqueue", ())),
            warm_start=WarmStart(jobs=tuple(document.get("warm_start", {}).get("jobs", ()))),
            compress=CompressSpec.from_json(document["compress"]) if document.get("compress") else None,
            init_from=document.get("init_from"),
            comparison=document.get("comparison", "share"),
            plan=document.get("plan"),
        )
