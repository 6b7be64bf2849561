"""The bodies of responses. Scores are at most 1, times RFC 3339 in UTC, durations in seconds."""

import math
from datetime import datetime
from typing import Any

from api.doing import doing
from api.views.checks import CheckView
from api.views.live import BundleView, FinishingView, RunningView, View, bundle_view, running_view
from archsmith.errors import InvalidArchitecture
from search.ledger import ControllerState, DatasetRow, Finalist, Job, Trial
from search.pareto import Front
from search.trial import JobState, Measurement, TrialState
from space.analysis import analyse
from space.architecture import Architecture
from workers.datasets import DatasetInfo
from workers.datasets.check import sentences
from workers.datasets.columns import names_of
from workers.settings import Settings


class ProgressView(View):
    """trials: their number by state; trials_total: the budget, null where a plan decides; seconds_left: of the budget.

    seconds_used, seconds_left: of the whole job where it is planned, else of its search.
    """

    trials: dict[TrialState, int]
    trials_total: int | None
    seconds_used: float
    seconds_left: float


class BestView(View):
    """The incumbent: the trial with the best search score so far, measured on the validation split.

    With several objectives or a soft target: the trial with the best value of their scalarisation.
    """

    trial: int
    search_score: float


class JobView(View):
    """A job. doing: what it does now, in words. bundle: null until a trial has a score.
    `final_score` is measured once, on the test split, and not comparable with `search_score`."""

    id: str
    name: str
    dataset: str
    state: JobState
    wanted: str
    reason: str | None
    phase: str
    waiting_for: str | None
    stopped_because: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: ProgressView
    best: BestView | None
    final_score: float | None
    doing: str
    finishing: FinishingView | None
    bundle: BundleView | None
    mlflow_url: str | None
    links: dict[str, str]


class FinalistView(View):
    """A full training. rank: 1 for the best; seed: number of the repetition.

    role: finalist; baseline or random, for the comparison; fidelity, to check the ranking by short trainings.
    """

    rank: int
    role: str
    trial: int
    seed: int
    state: str
    test_score: float | None
    epochs: int
    seconds: float
    reason: str | None


class JobDetail(JobView):
    """A job with its document, the trials that run now, and its finalists.

    plan: how the job spends its time, once that is planned; null for a job without a plan. The newest event of kind
    `plan` has the same. dataset_changed: a sentence where the data set of an ended job was replaced or removed since.
    """

    spec: dict[str, Any]
    running: list[RunningView]
    finalists: list[FinalistView]
    plan: dict[str, Any] | None = None
    dataset_changed: str | None = None


class MeasurementView(View):
    """One epoch. score: on the validation split; train_loss: mean of the job's loss, null if not finite."""

    epoch: int
    score: float
    train_loss: float | None
    seconds: float


class TrialView(View):
    """A trial. measurements (one per epoch) and peak_memory_mb (see docs/spaces.md) are null in lists.

    measures: values of the job's objectives other than the score, by name.
    """

    number: int
    state: TrialState
    reason: str | None
    architecture: dict[str, Any]
    hash: str
    choices: dict[str, Any]
    params: int
    macs: int
    peak_memory_mb: float | None
    search_score: float | None
    measures: dict[str, float]
    measurements: list[MeasurementView] | None
    epochs: int
    attempts: int
    seconds: float
    provenance: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    mlflow_url: str | None
    links: dict[str, str]


class BestArchitecture(View):
    """The incumbent's architecture and its measures."""

    trial: int
    search_score: float
    hash: str
    measures: dict[str, int | float]
    architecture: dict[str, Any]


class PointView(View):
    """A trial of the Pareto front and its measures."""

    trial: int
    measures: dict[str, float]
    links: dict[str, str]


class ControllerStateView(View):
    """A job's controller. told: number of ended trials it has learned from; state: depends on the controller."""

    name: str
    options: dict[str, Any]
    told: int
    state: dict[str, Any]


class FrontView(View):
    """The Pareto front: the completed trials that no other one dominates, best in the first objective first.

    maximize, minimize: the objectives. hypervolume: of the region between the front and `reference`, in the product of
    the objectives' units; reference: in each objective a tenth of the range worse than the worst completed trial. Both
    are null until a trial has completed.
    """

    maximize: list[str]
    minimize: list[str]
    points: list[PointView]
    hypervolume: float | None
    reference: dict[str, float] | None


class JobPage(View):
    """next: the `after` of the following page, null at the end."""

    items: list[JobView]
    next: str | None


class TrialPage(View):
    """next: the `after` of the following page, null at the end."""

    items: list[TrialView]
    next: str | None


class DatasetView(View):
    """A data set.

    problem: what an answer is, of the first task: classification, ordinal (classes in an order), multilabel,
    regression or segmentation. classes, class_names and counts are then of classes and their samples; labels and the
    samples that have each; targets and the answers to each; classes of pixels and their pixels.
    kind: image, volume, series or graph; tasks: those that it can be used for, the default one first. input_shape:
    [C, H, W] of images, [C, D, H, W] of volumes, [C, T] of series, [F] of the nodes of graphs. classes, counts (samples
    per class), train, val and test (sizes of the splits) refer to the first task. split_counts: samples per class in
    train, val and test, of the splits that a job with seed 0 gets. columns: names of the features of nodes, in their
    order; [] where they are told by number only. check: null for a data set that was added by a version without it.
    warnings: all that should be told, a sentence each: what the check found, and what was odd about the files.
    """

    name: str
    format: str
    state: str
    kind: str
    problem: str
    tasks: list[str]
    input_shape: list[int]
    classes: int
    class_names: list[str]
    counts: list[int]
    split_counts: dict[str, list[int]] | None
    columns: list[str]
    train: int
    val: int
    test: int
    bytes: int
    sha256: str
    check: CheckView | None
    warnings: list[str]
    report: dict[str, Any]
    created_at: datetime | None
    links: dict[str, str]


class DatasetList(View):
    items: list[DatasetView]


MODEL_TRAINING = "?workflowType=machine_learning"
"""Without it MLflow opens its pages for language models."""


def run_url(settings: Settings, job: Job, run_id: str | None) -> str | None:
    """Address of a run in the MLflow UI; of the job's experiment while there is no run; None while there is neither."""
    if not settings.mlflow_public_url or not job.mlflow_experiment_id:
        return None
    base = f"{settings.mlflow_public_url.rstrip('/')}/#/experiments/{job.mlflow_experiment_id}"
    return f"{base}/runs/{run_id}{MODEL_TRAINING}" if run_id else f"{base}/runs{MODEL_TRAINING}"


def job_links(job: Job) -> dict[str, str]:
    base = f"/v1/jobs/{job.id}"
    reads = ("trials", "events", "best", "front", "controller", "report", "bundle")
    actions = ("compress", "cancel", "pause", "resume", "finish")
    return {"self": base} | {name: f"{base}/{name}" for name in (*reads, *actions)}


def job_view(job: Job, settings: Settings) -> JobView:
    return JobView(**_job_fields(job, settings))


def job_detail(
    job: Job,
    finalists: list[Finalist],
    running: list[Trial],
    settings: Settings,
    plan: dict[str, Any] | None = None,
    *,
    dataset_changed: str | None = None,
) -> JobDetail:
    """plan: the newest of the job."""
    return JobDetail(
        **_job_fields(job, settings, plan),
        spec=job.spec.to_json(),
        running=[running_view(trial, job, plan) for trial in running],
        finalists=[_finalist(finalist) for finalist in finalists],
        plan=plan,
        dataset_changed=dataset_changed,
    )


def _job_fields(job: Job, settings: Settings, plan: dict[str, Any] | None = None) -> dict[str, Any]:
    best = None
    if job.best_trial is not None and job.best_score is not None:
        best = BestView(trial=job.best_trial, search_score=job.best_score)
    same = ("id", "name", "state", "wanted", "reason", "phase", "waiting_for", "stopped_because", "final_score")
    times = ("created_at", "started_at", "finished_at")
    return {
        **{name: getattr(job, name) for name in (*same, *times)},
        "dataset": job.spec.dataset,
        "progress": _progress(job, plan),
        "best": best,
        "doing": doing(job),
        "finishing": job.finishing and FinishingView(within_seconds=job.finishing["within_seconds"]),
        "bundle": bundle_view(job),
        "mlflow_url": run_url(settings, job, job.mlflow_run_id),
        "links": job_links(job),
    }


def _progress(job: Job, plan: dict[str, Any] | None) -> ProgressView:
    used = job.spent_s
    return ProgressView(
        trials={state: job.counts.get(state, 0) for state in TrialState},
        trials_total=job.spec.budget.trials if plan is None else plan["architectures"],
        seconds_used=used,
        seconds_left=max(0.0, job.spec.budget.seconds - used),
    )


def _finalist(finalist: Finalist) -> FinalistView:
    same = ("rank", "role", "seed", "state", "test_score", "epochs", "seconds", "reason")
    return FinalistView(trial=finalist.trial_number, **{name: getattr(finalist, name) for name in same})


def controller_state_view(job: Job, found: ControllerState | None) -> ControllerStateView:
    spec = job.spec.controller
    told, state = (0, {}) if found is None else (found.told, found.state)
    return ControllerStateView(name=spec.name, options=dict(spec.options), told=told, state=state)


def front_view(job: Job, front: Front) -> FrontView:
    return FrontView(
        maximize=list(job.spec.objective.maximize),
        minimize=list(job.spec.objective.minimize),
        points=[
            PointView(trial=number, measures=measures, links={"trial": f"/v1/jobs/{job.id}/trials/{number}"})
            for number, measures in front.points
        ],
        hypervolume=front.hypervolume,
        reference=front.reference,
    )


def trial_view(trial: Trial, job: Job, settings: Settings, *, full: bool) -> TrialView:
    """full: with measurements, which the ledger returns for single trials only."""
    same = ("number", "state", "reason", "architecture", "hash", "choices", "params", "macs", "search_score", "epochs")
    more = ("measures", "attempts", "seconds", "provenance", "created_at", "started_at", "finished_at")
    return TrialView(
        **{name: getattr(trial, name) for name in (*same, *more)},
        measurements=[_measurement(row) for row in trial.measurements] if full else None,
        peak_memory_mb=_peak_memory(trial) if full else None,
        mlflow_url=run_url(settings, job, trial.mlflow_run_id) if trial.mlflow_run_id else None,
        links={"self": f"/v1/jobs/{job.id}/trials/{trial.number}", "job": f"/v1/jobs/{job.id}"},
    )


def _peak_memory(trial: Trial) -> float | None:
    """None if the architecture was written by a version with other operations or another schema."""
    try:
        return analyse(Architecture.from_json(trial.architecture)).peak_memory_mb
    except InvalidArchitecture:
        return None


def _measurement(row: Measurement) -> MeasurementView:
    loss = row.train_loss if math.isfinite(row.train_loss) else None
    return MeasurementView(epoch=row.epoch, score=row.score, train_loss=loss, seconds=row.seconds)


def dataset_view(info: DatasetInfo, row: DatasetRow | None) -> DatasetView:
    fields = info.to_json()
    return DatasetView(
        **{name: fields[name] for name in DatasetView.model_fields if name in fields},
        columns=list(names_of(info.report)),
        warnings=sentences(info),
        state=row.state if row else "ready",
        created_at=row.created_at if row else None,
        links={"self": f"/v1/datasets/{info.name}"},
    )
