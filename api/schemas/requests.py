"""The bodies of requests: the types and ranges of single values. Checks against the space, the data set and the cluster
are in search/validate.py."""

import re
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.functional_validators import BeforeValidator, PlainValidator
from pydantic_core import PydanticCustomError

from api.http.body import Strict
from api.http.faults import DATASET_NAME, JOB_ID, NAME
from api.schemas.budget import BudgetRequest
from api.schemas.plan import PlanRequest
from api.schemas.weights import ClassWeights
from archsmith.formats import FORMATS, PROBLEMS, SAMPLE_KINDS
from search.compress import DEFAULT
from search.objective import FORMS, MAXIMIZED, MINIMIZED
from search.problems import LOSSES, PROBLEM_SCORES, all_of
from search.spec import (
    COMPARISONS,
    SCHEDULERS,
    CompressSpec,
    CompressStep,
    ControllerSpec,
    FinalistSpec,
    Flat,
    JobSpec,
    ObjectiveSpec,
    StopSpec,
    TargetSpec,
    TrialSpec,
    WarmStart,
)
from space import presets
from space.kinds import KINDS


def _named(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, dict):
        raise PydanticCustomError("type_mismatch", "must be the name of a step, or an object with a name and options")
    return value


class CompressStepRequest(Strict):
    """A step's name, with its options beside it."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)
    name: Annotated[str, Field(max_length=64)]


Step = Annotated[CompressStepRequest, BeforeValidator(_named, json_schema_input_type=str | CompressStepRequest)]


class CompressRequest(Strict):
    """The steps in order. max_drop: validation score that all of them together may lose."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, json_schema_extra={"examples": [{"steps": list(DEFAULT)}]}
    )
    steps: Annotated[list[Step], Field(min_length=1, max_length=16)] = Field(
        [CompressStepRequest(name=name) for name in DEFAULT]
    )
    max_drop: Annotated[float, Field(ge=0, le=1)] = 0.01

    def spec(self, *, of: str | None = None) -> CompressSpec:
        steps = [CompressStep(name=step.name, options=dict(step.model_extra or {})) for step in self.steps]
        return CompressSpec(steps=tuple(steps), max_drop=float(self.max_drop), of=of)


DAY_S = 86_400
Name = Annotated[str, Field(pattern=NAME)]
JobId = Annotated[str, Field(pattern=JOB_ID)]
ImageSize = Annotated[int | None, Field(ge=1, le=4096, description="side in pixels to which images are scaled")]
ImageFit = Annotated[Literal["auto", "crop", "pad"] | None, Field(description="how images become squares")]
GroupBy = Annotated[
    str | None,
    Field(min_length=1, max_length=16, description="the part of file names before this text is a group"),
]
Problem = Annotated[
    Literal[PROBLEMS] | None,  # type: ignore[valid-type]
    Field(description="what an answer is; by default what the answers look like, which is told"),
]
Transpose = Annotated[bool, Field(description="exchange rows and columns of the pictures; for idx (EMNIST)")]
SampleKind = Annotated[
    Literal[SAMPLE_KINDS] | None,  # type: ignore[valid-type]
    Field(description="what arrays and tables hold, where their shape does not say it"),
]
Length = Annotated[int, Field(ge=1, le=65_536)]
DatasetFormat = Literal[FORMATS]  # type: ignore[valid-type]
DatasetName = Annotated[str, Field(pattern=DATASET_NAME)]
Replace = Annotated[
    bool, Field(description="put it in the place of the data set of that name; 409 while a job uses it")
]
Force = Annotated[bool, Field(description="replace it although jobs that have succeeded need the old one")]


def _space(value: Any) -> dict[str, Any]:
    """A space document, or the document of the preset of that name."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("type_mismatch", "must be the name of a preset, or a space document")
    if value not in presets.names():
        allowed = presets.names()
        text = "there is no preset {name}; the presets are {shown}"
        context = {"name": repr(value[:60]), "shown": ", ".join(allowed), "allowed": allowed}
        raise PydanticCustomError("choice_unknown", text, context)
    return presets.load(value)


def _controller(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, dict):
        raise PydanticCustomError(
            "type_mismatch", "must be the name of a controller, or an object with a name and options"
        )
    return value


def _whole(value: Any) -> Any:
    """The text field of a form as a number, if it is one."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value) else value


def _flag(value: Any) -> Any:
    """The text field of a form as a flag, if it is one."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


class ControllerRequest(Strict):
    """A controller's name, with its options beside it."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)
    name: Annotated[str, Field(max_length=64)]

    def spec(self) -> ControllerSpec:
        return ControllerSpec(name=self.name, options=dict(self.model_extra or {}))


def _one_of(names: tuple[str, ...]) -> BeforeValidator:
    """Takes a single name as a list with one name."""

    def listed(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in names:
            context = {"name": repr(value[:60]), "shown": ", ".join(names), "allowed": list(names)}
            raise PydanticCustomError("choice_unknown", "{name} cannot be used here; the measures are {shown}", context)
        return [value]

    return BeforeValidator(listed, json_schema_input_type=Literal[names] | list[Literal[names]])  # type: ignore[valid-type]


Maximized = Annotated[list[Literal[MAXIMIZED]], Field(max_length=len(MAXIMIZED)), _one_of(MAXIMIZED)]  # type: ignore[valid-type]
Minimized = Annotated[list[Literal[MINIMIZED]], Field(max_length=len(MINIMIZED)), _one_of(MINIMIZED)]  # type: ignore[valid-type]


class TargetRequest(Strict):
    """A soft limit on a measure, in the measure's unit.

    absolute: score + weight * |measure / value - 1|. product: score * (measure / value) ^ weight.
    """

    measure: Literal[MINIMIZED]  # type: ignore[valid-type]
    value: Annotated[float, Field(gt=0, le=1e15)]
    form: Literal[FORMS] = "absolute"  # type: ignore[valid-type]
    weight: Annotated[float, Field(ge=-10, lt=0)] = -0.07

    def spec(self) -> TargetSpec:
        return TargetSpec(measure=self.measure, value=float(self.value), form=self.form, weight=float(self.weight))


class ObjectiveRequest(Strict):
    """The objectives, and constraints on every architecture, such as "params <= 500000".

    maximize, minimize: a measure or a list of measures, together at least one. target: a soft limit on a measure,
    combined with the score instead of a second objective. score: how trials are scored, one that suits the data set's
    problem; "auto" is accuracy for classes (the AUC for links), quadratic_kappa for classes in an order,
    mean_average_precision for labels, r2 for numbers, mean_iou for masks.
    """

    maximize: Maximized = Field(["score"])
    minimize: Minimized = Field([])
    target: TargetRequest | None = None
    score: Literal["auto", *all_of(PROBLEM_SCORES)] = "auto"  # type: ignore[valid-type]
    constraints: Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(max_length=16)] = Field([])

    def spec(self) -> ObjectiveSpec:
        return ObjectiveSpec(
            maximize=tuple(self.maximize),
            minimize=tuple(self.minimize),
            target=None if self.target is None else self.target.spec(),
            score=self.score,
            constraints=tuple(self.constraints),
        )


class TrialRequest(Strict):
    """The resources and the training of each trial.

    scheduler: null = asha in a planned job, none in any other. batch_size: null = by the plan, 128 without one.
    loss: what is minimised, one that suits the data set's problem; "auto" is cross_entropy for classes and masks,
    squared_steps for classes in an order, binary_cross_entropy for labels, mse for numbers. class_weights: what each
    class counts in the loss; "balanced" = all classes together alike, or a number for each class (label), in the order
    of the data set's class_names.
    """

    cpus: Annotated[float, Field(ge=0.5, le=4096)] = TrialSpec().cpus
    gpus: Annotated[float, Field(ge=0, le=1024)] = TrialSpec().gpus
    timeout_s: Annotated[float, Field(ge=1, le=DAY_S)] = TrialSpec().timeout_s
    scheduler: Literal[SCHEDULERS] | None = None  # type: ignore[valid-type]
    stop_hopeless: bool = TrialSpec().stop_hopeless
    batch_size: Annotated[int, Field(ge=1, le=65_536)] | None = None
    learning_rate: Annotated[float, Field(gt=0, le=10)] = TrialSpec().learning_rate
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    layout: Literal["auto", "nchw", "nhwc"] = "auto"
    loss: Literal["auto", *all_of(LOSSES)] = "auto"  # type: ignore[valid-type]
    class_weights: ClassWeights = "none"  # type: ignore[assignment]

    def spec(self, *, planned: bool) -> TrialSpec:
        scheduler = self.scheduler or ("asha" if planned else "none")
        return TrialSpec(**{**self.model_dump(), "scheduler": scheduler})


class FinalistsRequest(Strict):
    """How many of the best architectures are trained in full, and with how many seeds. epochs: null = by rule.

    baseline, random_arm: what the winner is compared with. A planned job draws a part of its trials at random, unless
    its comparison is full; otherwise a random arm uses as many epochs as the search.
    fidelity: number of architectures in which short and full training are compared, 0 for none.
    """

    top: Annotated[int, Field(ge=1, le=10)] = FinalistSpec().top
    seeds: Annotated[int, Field(ge=1, le=10)] = FinalistSpec().seeds
    epochs: Annotated[int, Field(ge=1, le=1000)] | None = None
    baseline: bool = FinalistSpec().baseline
    random_arm: bool = FinalistSpec().random_arm
    fidelity: Annotated[int, Field(ge=0, le=20)] = FinalistSpec().fidelity

    def spec(self) -> FinalistSpec:
        return FinalistSpec(**self.model_dump())


class FlatRequest(Strict):
    """The last `trials` trials raised the best score by no more than `by`."""

    trials: Annotated[int, Field(ge=1, le=10_000)]
    by: Annotated[float, Field(ge=0, le=1)] = Flat(trials=1).by


class StopRequest(Strict):
    """What ends the search before its budget does. target: a search score that suffices."""

    target: Annotated[float, Field(ge=0, le=1)] | None = None
    flat: FlatRequest | None = None

    def spec(self) -> StopSpec:
        flat = Flat(trials=self.flat.trials, by=float(self.flat.by)) if self.flat else None
        return StopSpec(target=None if self.target is None else float(self.target), flat=flat)


class WarmStartRequest(Strict):
    """Ended jobs whose trials the controller starts with. They are kept apart from the trials of this job."""

    jobs: Annotated[list[JobId], Field(max_length=16)] = Field([])

    def spec(self) -> WarmStart:
        return WarmStart(jobs=tuple(self.jobs))


Answers = dict[Annotated[str, Field(max_length=200)], bool | int | float | Annotated[str, Field(max_length=200)]]
"""Options of decisions, by name: the `choices` of a trial, or part of them."""

SpaceField = Annotated[
    dict[str, Any], PlainValidator(_space, json_schema_input_type=str | dict[str, Any]), Field(validate_default=True)
]


class JobRequest(Strict):
    """A search job. Only `dataset` is required."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, json_schema_extra={"examples": [{"dataset": "digits"}]}
    )
    dataset: Annotated[str, Field(max_length=200)]
    name: Name = "search"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    reproducible: bool = False
    space: SpaceField = "chain"  # type: ignore[assignment]  # validated: becomes the preset's document
    controller: Annotated[
        ControllerRequest, BeforeValidator(_controller, json_schema_input_type=str | ControllerRequest)
    ] = ControllerRequest(name=ControllerSpec().name)
    objective: ObjectiveRequest = ObjectiveRequest(maximize=["score"], minimize=[], constraints=[])
    budget: BudgetRequest = BudgetRequest()
    trial: TrialRequest = TrialRequest()
    finalists: FinalistsRequest = FinalistsRequest()
    stop: StopRequest = StopRequest()
    enqueue: Annotated[list[Answers], Field(max_length=100)] = Field([])
    warm_start: WarmStartRequest = WarmStartRequest(jobs=[])
    compress: CompressRequest | None = None
    init_from: JobId | None = None
    comparison: Literal[COMPARISONS] = "share"  # type: ignore[valid-type]
    plan: PlanRequest | None = None

    def spec(self) -> JobSpec:
        """As a JobSpec, not yet checked against space, data set and cluster."""
        budget = self.budget.spec()
        return JobSpec(
            dataset=self.dataset,
            space=self.space,
            name=self.name,
            seed=self.seed,
            reproducible=self.reproducible,
            controller=self.controller.spec(),
            objective=self.objective.spec(),
            budget=budget,
            trial=self.trial.spec(planned=budget.planned and not self.reproducible),
            finalists=self.finalists.spec(),
            stop=self.stop.spec(),
            enqueue=tuple(self.enqueue),
            warm_start=self.warm_start.spec(),
            compress=None if self.compress is None else self.compress.spec(),
            init_from=self.init_from,
            comparison=self.comparison,
            plan=None if self.plan is None else self.plan.model_dump(),
        )


class SpaceRequest(Strict):
    """A space to check, for a data set or for an input shape and a number of classes.

    input_shape: [C, H, W] of images, [C, D, H, W] of volumes, [C, T] of series, [F] of the nodes of graphs.
    data: the kind of data; by default it follows from the length of the shape, and for [F] from the space.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"space": "chain", "dataset": "digits"}]},
    )
    space: SpaceField
    dataset: Annotated[str, Field(max_length=200)] | None = None
    data: Literal[tuple(KINDS)] | None = None  # type: ignore[valid-type]
    input_shape: Annotated[list[Length], Field(min_length=1, max_length=4)] | None = None
    classes: Annotated[int, Field(ge=2, le=10_000)] | None = None


class DatasetRequest(Strict):
    """A data set at a path below one of the folders in ARCHSMITH_DATA_ROOTS."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"name": "shirts", "format": "idx", "path": "/data/fashion_mnist"}]},
    )
    name: DatasetName
    format: DatasetFormat
    path: Annotated[str, Field(min_length=1, max_length=4096)]
    image_size: ImageSize = None
    image_fit: ImageFit = None
    group_by: GroupBy = None
    problem: Problem = None
    replace: Replace = False
    force: Force = False
    transpose: Transpose = False
    kind: SampleKind = None


class UploadFields(Strict):
    """The text fields of an upload."""

    name: DatasetName
    format: DatasetFormat
    image_size: Annotated[ImageSize, BeforeValidator(_whole)] = None
    image_fit: ImageFit = None
    group_by: GroupBy = None
    problem: Problem = None
    replace: Annotated[Replace, BeforeValidator(_flag)] = False
    force: Annotated[Force, BeforeValidator(_flag)] = False
    transpose: Annotated[Transpose, BeforeValidator(_flag)] = False
    kind: SampleKind = None


class DatasetUpload(UploadFields):
    """An upload as multipart/form-data with one or more file parts (two or four for idx, two for a graph as tables)."""

    file: Annotated[list[str], Field(json_schema_extra={"items": {"type": "string", "format": "binary"}})]
