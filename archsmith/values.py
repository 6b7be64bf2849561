"""The answers of the service as frozen values. `document` has the whole JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

Json = dict[str, Any]

FINISHED_STATES = frozenset({"succeeded", "failed", "cancelled"})
ENDED_TRIALS = ("completed", "pruned", "infeasible", "failed", "cancelled")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """trials: their number by state; trials_total: the budget; seconds: of the search, None if unknown."""

    trials: Mapping[str, int] = field(default_factory=dict)
    trials_total: int | None = None
    seconds_used: float = 0.0
    seconds_left: float | None = None

    @property
    def done(self) -> int:
        """The number of trials that have ended, in whatever state."""
        return sum(self.trials.get(state, 0) for state in ENDED_TRIALS)

    @property
    def running(self) -> int:
        return self.trials.get("running", 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Best:
    """The incumbent: the trial with the best search score so far, at most 1 (R² and kappa may be below 0)."""

    trial: int
    search_score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningTrial:
    """A trial that runs now. scores: on the validation split, one for each epoch so far."""

    trial: int
    epochs_total: int | None
    scores: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What there is to download now. provisional: None for the final one, else as in `archsmith.Provisional`."""

    sha256: str
    bytes: int
    provisional: Json | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A search job.

    doing: what it does now, in words. running: the trials that run now; () in lists. bundle: None until there is one.

    reason: why it failed, else None.
    phase: what a running job does: "proxies", "search", "random_arm", "finalists" or "bundle".
    waiting_for: what a job that makes no progress waits for. stopped_because: what ended the search.
    final_score: measured on the test split, None until then; not comparable with a search score.
    """

    id: str
    name: str
    dataset: str
    state: str
    reason: str | None
    phase: str
    waiting_for: str | None
    stopped_because: str | None
    created_at: datetime | None
    progress: Progress
    best: Best | None
    final_score: float | None
    mlflow_url: str | None
    links: Mapping[str, str]
    document: Json = field(repr=False)
    doing: str = ""
    running: tuple[RunningTrial, ...] = ()
    bundle: Bundle | None = None

    @property
    def finished(self) -> bool:
        return self.state in FINISHED_STATES

    @classmethod
    def from_json(cls, document: Json) -> Self:
        progress, best = document.get("progress") or {}, document.get("best")
        return cls(
            id=document["id"],
            name=document.get("name", ""),
            dataset=document.get("dataset", ""),
            state=document["state"],
            reason=document.get("reason"),
            phase=document.get("phase") or "",
            waiting_for=document.get("waiting_for"),
            stopped_because=document.get("stopped_because"),
            created_at=_time(document.get("created_at")),
            progress=Progress(
                trials=progress.get("trials") or {},
                trials_total=progress.get("trials_total"),
                seconds_used=progress.get("seconds_used") or 0.0,
                seconds_left=progress.get("seconds_left"),
            ),
            best=Best(trial=best["trial"], search_score=best["search_score"]) if best else None,
            final_score=document.get("final_score"),
            mlflow_url=document.get("mlflow_url"),
            links=document.get("links") or {},
            document=document,
            doing=document.get("doing") or "",
            running=tuple(
                RunningTrial(trial=one["trial"], epochs_total=one["epochs_total"], scores=tuple(one["scores"]))
                for one in document.get("running") or ()
            ),
            bundle=_bundle(document.get("bundle")),
        )


def _bundle(document: Json | None) -> Bundle | None:
    if document is None:
        return None
    return Bundle(sha256=document["sha256"], bytes=document["bytes"], provisional=document.get("provisional"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A trial. measurements: one mapping per epoch; empty in lists, given by `Client.trial`."""

    number: int
    state: str
    reason: str | None
    hash: str
    params: int | None
    macs: int | None
    search_score: float | None
    seconds: float | None
    architecture: Json | None = field(repr=False)
    measurements: tuple[Json, ...] = field(repr=False)
    document: Json = field(repr=False)

    @classmethod
    def from_json(cls, document: Json) -> Self:
        return cls(
            number=document["number"],
            state=document["state"],
            reason=document.get("reason"),
            hash=document.get("hash", ""),
            params=document.get("params"),
            macs=document.get("macs"),
            search_score=document.get("search_score"),
            seconds=document.get("seconds"),
            architecture=document.get("architecture"),
            measurements=tuple(document.get("measurements") or ()),
            document=document,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """An event of a job. id: counts from 1 without gaps, within the job."""

    id: int
    kind: str
    at: datetime | None
    data: Json

    @classmethod
    def from_json(cls, document: Json) -> Self:
        return cls(
            id=document["id"],
            kind=document["kind"],
            at=_time(document.get("at")),
            data=document.get("data") or {},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A data set.

    input_shape: (C, H, W) of images, (C, D, H, W) of volumes, (F,) of the nodes of graphs, None if unknown.
    kind: "image", "volume" or "graph". tasks: the tasks that it can be used for, the default one first. problem: what
    an answer is, one of `archsmith.formats.PROBLEMS`; classes: how many classes, labels or targets there are.
    """

    name: str
    format: str
    input_shape: tuple[int, ...] | None
    classes: int | None
    document: Json = field(repr=False)
    kind: str = "image"
    tasks: tuple[str, ...] = ("image",)
    problem: str = "classification"

    @property
    def shape(self) -> str:
        """As people write it: 1×28×28; "" if unknown."""
        return "×".join(map(str, self.input_shape or ()))

    @classmethod
    def from_json(cls, document: Json) -> Self:
        shape = document.get("input_shape")
        return cls(
            name=document["name"],
            format=document.get("format", ""),
            input_shape=None if shape is None else tuple(shape),
            classes=document.get("classes"),
            document=document,
            kind=document.get("kind", "image"),
            tasks=tuple(document.get("tasks", ("image",))),
            problem=document.get("problem", "classification"),
        )
