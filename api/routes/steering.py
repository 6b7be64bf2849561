"""Changing a job that was posted already: finishing it early, extending or shrinking its budget."""

import contextlib
import os
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api import dataset_use
from api.context import Context, ContextDep
from api.http.body import StrictRoute
from api.routes.jobs import JobDep, action, detail
from api.schemas.budget import MONTH_S, JobPatch
from api.views import resources
from archsmith.errors import Fault, InvalidInput
from search.ledger import Job
from search.trial import JobState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

Within = Annotated[
    float | None,
    Query(ge=1, le=MONTH_S, description="seconds of work for all that follows; what does not fit is left out"),
]


@router.post("/{job_id}/finish", **action())
def finish(context: ContextDep, job: JobDep, answer: Response, within_seconds: Within = None) -> resources.JobDetail:
    """End the search now, then do what follows it: final trainings, report, bundle.

    Final trainings are cut to what fits into `within_seconds`: at least the winner's first, or else the best weights of
    the search become the product. May be repeated: the last limit counts. 409 before a trial has a score.
    """
    job = context.ledger.finish(job.id, within_seconds=within_seconds)
    answer.status_code = 202
    return detail(context, job)


@router.patch("/{job_id}", **action())
def change(context: ContextDep, job: JobDep, answer: Response, request: JobPatch) -> resources.JobDetail:
    """Set limits of the job's budget. A running search follows within seconds; a search that has ended goes on.

    An ended job goes back to the queue, and its bundle can be downloaded until the next one is there.
    """
    changes = request.budget.changes()
    kept_as = _kept(context, job)
    job = context.ledger.change_budget(job.id, changes, kept_as=kept_as, check=lambda: _check_data(context, job))
    answer.status_code = 200 if job.state is JobState.PAUSED else 202
    return detail(context, job)


def _check_data(context: Context, job: Job) -> None:
    """Raises InvalidInput where the data set of an ended job is gone, or another one."""
    if context.shape(job.spec.dataset) is None:
        text = f"the data set {job.spec.dataset!r} of this job is gone; add it again"
        raise InvalidInput(Fault(pointer="", rule="dataset_not_found", detail=text, allowed=context.store.names()))
    dataset_use.check_same(context, job, doing="going on with its search")


def _kept(context: Context, job: Job) -> str | None:
    """Gives the bundle of a job that has succeeded a second name, under which it outlives the next one's writing."""
    folder = context.settings.job_folder(job.id)
    if job.state is not JobState.SUCCEEDED or not job.bundle_sha256 or not (folder / "bundle.zip").is_file():
        return None
    name = f"bundle-{job.bundle_sha256:.16}.zip"
    with contextlib.suppress(FileExistsError):
        os.link(folder / "bundle.zip", folder / name)
    return name
