"""What the ledger returns: frozen rows. Times are aware datetimes in UTC, durations seconds, JSON plain dicts."""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict

from archsmith.errors import Fault, InvalidInput
from search.spec import Budget, JobSpec
from search.trial import JobState, Measurement, TrialState

Json = dict[str, Any]
Wanted = Literal["run", "pause", "cancel"]
FinalistState = Literal["waiting", "running", "completed", "failed"]
Role = Literal["finalist", "baseline", "random", "fidelity"]
AttemptState = Literal["running", "ok", "error", "lost", "interrupted"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Aware datetime -> microseconds since 1970 UTC, exact. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"a time needs a time zone, got {moment.isoformat()}")
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Microseconds since 1970 UTC -> aware datetime in UTC, exact."""
    return _EPOCH + micros * _MICROSECOND


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One search job.

    wanted: the user's last request; the owner follows it at its next renewal.
    counts: trials of the search by state, every state present; those of the random arm are not counted.
    best_trial, best_score: the incumbent among completed trials and its raw search score.
    final_score: measured on the test split, None until then.
    phase: of a running job: "prepare", "plan", "simple_models", "proxies", "search", "random_arm", "finalists",
        "compress", "bundle".
    phases: by name, the cost of each so far: {"seconds": …, "energy_j": … where the machine measures it}.
    waiting_for: what a running or queued job is waiting for, one line.
    stopped_because: which budget or condition ended the search.
    interim_bundle: handed out until the final one is there, see `workers/bundle/provisional.py`; None = nothing.
    finishing: the search is to end now: {"within_seconds": … or null, "until": … or null}, see `Steering.finish`.
    rounds: how often the job was continued after its end.
    version: rises with every change of the row; for ETags.
    """

    id: str
    name: str
    spec: JobSpec
    state: JobState
    wanted: Wanted
    reason: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds_used: float
    counts: dict[TrialState, int]
    best_trial: int | None
    best_score: float | None
    final_score: float | None
    waiting_for: str | None
    stopped_because: str | None
    mlflow_run_id: str | None
    mlflow_experiment_id: str | None
    phase: str
    phases: Json
    bundle_sha256: str | None
    bundle_bytes: int | None
    interim_bundle: Json | None
    finishing: Json | None
    rounds: int
    version: int

    @property
    def spent_s(self) -> float:
        """Seconds that count against `budget.seconds`: of the whole job where it is planned, else of its search."""
        if not self.spec.budget.planned:
            return self.seconds_used
        return sum(float(cost.get("seconds", 0.0)) for cost in self.phases.values())

    @property
    def cursor(self) -> str:
        """The opaque position of this job in the list, for `Ledger.jobs(after=...)`."""
        return base64.urlsafe_b64encode(f"{to_micros(self.created_at)}.{self.id}".encode()).decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """What the user of a running job wants now, see `Job`. budget: as it is stored in the job's document."""

    wanted: Wanted
    finishing: Json | None
    stopped_because: str | None
    budget: Budget


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerState:
    """A controller's state, as JSON for people. told: after how many outcomes."""

    told: int
    state: Json


def read_cursor(text: str) -> tuple[datetime, str]:
    """`Job.cursor` -> (created_at, id). Raises InvalidInput for anything else."""
    try:
        micros, _, job_id = base64.b64decode(text.encode(), altchars=b"-_", validate=True).decode().partition(".")
        if not (micros.isascii() and micros.isdigit() and len(micros) < 18 and job_id):
            raise ValueError(text)
        return from_micros(int(micros)), job_id
    except (binascii.Error, ValueError, OverflowError):
        fault = Fault(
            pointer="/after",
            rule="cursor_invalid",
            detail="this is not a cursor of this service; use one from an earlier answer, unchanged",
        )
        raise InvalidInput(fault) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to write to one job. fence: rises with every claim; a write with an older one changes nothing."""

    job_id: str
    owner: str
    fence: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One trial. search_score is the raw score; value is the objective, larger is better.

    measures: other raw measures by name; {} until the trial has ended with a value.
    architecture: JSON of the graph; hash: its canonical hash.
    epochs: measured so far, then the fidelity of the outcome.
    attempts: how often it was started; seconds: wall clock of all its attempts.
    provenance: "baseline", "user" (enqueued), "controller", `RANDOM` (of the search, drawn uniformly), "prior" (of
        an earlier job, never run in this one), or `RANDOM_ARM` (not of the search, but of the random arm).
    measurements: filled by `Ledger.trial` only, in order of epoch.
    """

    job_id: str
    number: int
    state: TrialState
    reason: str | None
    architecture: Json
    hash: str
    choices: Json
    behaviour: dict[str, float]
    params: int
    macs: int
    search_score: float | None
    value: float | None
    measures: dict[str, float]
    epochs: int
    attempts: int
    seconds: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    mlflow_run_id: str | None
    provenance: str
    measurements: tuple[Measurement, ...] = ()

    @property
    def facts(self) -> dict[str, float]:
        """All measures that an objective may name, as far as they are known."""
        return facts(self.search_score, self.params, self.macs, self.measures)


def facts(score: float | None, params: int, macs: int, measures: dict[str, float]) -> dict[str, float]:
    """By the names of `search/objective.py`."""
    scored = {} if score is None else {"score": score}
    return {**scored, "params": params, "macs": macs, **measures}


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One start of a trial. fence: of the lease under which it ran."""

    job_id: str
    number: int
    attempt: int
    fence: int
    state: AttemptState
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredMeasurement:
    """One epoch of one trial as it is stored. train_loss is NaN where it was not finite."""

    job_id: str
    number: int
    attempt: int
    measurement: Measurement
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Finalist:
    """One full training. seed: which repetition; test_score: raw.

    role: "finalist" (one of the best), "baseline" and "random" (for comparison; "random" is the best of the random
    arm), "fidelity" (to find out whether short trainings rank as full ones do). An architecture with two roles has the
    first of them. rank: 1 for the best finalist, 2, 3, … for the others; those of other roles come after them.
    """

    job_id: str
    rank: int
    trial_number: int
    seed: int
    state: FinalistState
    role: Role = "finalist"
    test_score: float | None = None
    epochs: int = 0
    seconds: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """An event of a job. id: 1, 2, 3, ... per job, without gaps, in order of commit."""

    job_id: str
    id: int
    kind: str
    at: datetime
    data: Json


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxRow:
    """A message that the tracker has not delivered yet. id rises; within a job in order of commit."""

    id: int
    job_id: str
    kind: str
    payload: Json
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetRow:
    """One data set that jobs may name. report: JSON for people; bytes: on disk."""

    name: str
    format: str
    report: Json
    bytes: int
    state: str = "ready"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class JobFields(TypedDict, total=False):
    """What the owner may set on its job at any time; see `Job`."""

    phase: str
    phases: Json
    waiting_for: str | None
    seconds_used: float
    stopped_because: str | None
    final_score: float | None
    bundle_sha256: str | None
    bundle_bytes: int | None
    mlflow_experiment_id: str | None
    mlflow_run_id: str | None
