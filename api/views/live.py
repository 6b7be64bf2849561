"""The parts of a job's view that tell of a job that still runs: its trials, its bundle so far, its early end."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from search.ledger import Job, Trial
from search.planning.values import Plan
from search.trial import JobState


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProvisionalView(View):
    """trial, epochs: whose weights, after how many epochs of epochs_total. missing: a sentence each.

    final_score: on the test split, of a winner that was trained in full; null for weights of the search, whose
    search_score is theirs.
    """

    trial: int
    epochs: int
    epochs_total: int
    score: str
    search_score: float
    missing: list[str]
    final_score: float | None = None


class BundleView(View):
    """What `/bundle` answers with now. provisional: null for the bundle of a job that has succeeded, else whose weights
    these are, their score, and what the job has yet to do."""

    sha256: str
    bytes: int
    provisional: ProvisionalView | None


class RunningView(View):
    """A trial that runs now. scores: on the validation split, one for each epoch so far.

    epochs_total: null as long as a planned job has no plan.
    """

    trial: int
    provenance: str
    epochs: int
    epochs_total: int | None
    scores: list[float]
    params: int
    links: dict[str, str]


class FinishingView(View):
    """An early end that was asked for. within_seconds: for all that follows the search, null = no limit."""

    within_seconds: float | None


def running_view(trial: Trial, job: Job, plan: dict[str, Any] | None) -> RunningView:
    """plan: the newest of the job, which decides how long its trials are."""
    same = ("provenance", "epochs", "params")
    return RunningView(
        **{name: getattr(trial, name) for name in same},
        trial=trial.number,
        epochs_total=job.spec.budget.epochs if plan is None else len(Plan.from_json(plan).rungs),
        scores=[row.score for row in trial.measurements],
        links={"trial": f"/v1/jobs/{job.id}/trials/{trial.number}"},
    )


def bundle_view(job: Job) -> BundleView | None:
    if job.state is JobState.SUCCEEDED and job.bundle_sha256:
        return BundleView(sha256=job.bundle_sha256, bytes=job.bundle_bytes or 0, provisional=None)
    if job.interim_bundle is None:
        return None
    given = job.interim_bundle["provisional"]
    shown = given and ProvisionalView(**{name: given[name] for name in ProvisionalView.model_fields if name in given})
    return BundleView(sha256=job.interim_bundle["sha256"], bytes=job.interim_bundle["bytes"], provisional=shown)
