"""Compressing the winner of an ended job: a job of its own, so that ended jobs never change."""

from dataclasses import replace

from fastapi import APIRouter, Response

from api import dataset_use
from api.context import ContextDep
from api.http.body import StrictRoute, accepts
from api.routes.jobs import IdempotencyKey, JobDep, created, not_ready
from api.schemas.requests import CompressRequest
from api.views import resources
from archsmith.errors import Fault, InvalidInput
from search.compress import check_compress, data_faults
from search.trial import JobState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)


@router.post("/{job_id}/compress", status_code=202, dependencies=[accepts("application/json")])
def compress(
    context: ContextDep,
    job: JobDep,
    answer: Response,
    request: CompressRequest,
    idempotency_key: IdempotencyKey = None,
) -> resources.JobDetail:
    """Queue a job that compresses the winner of a succeeded job; its bundle adds the smaller model to that job's."""
    if job.state is not JobState.SUCCEEDED or not (context.settings.job_folder(job.id) / "bundle.zip").is_file():
        raise not_ready(job, "only the winner of a job that has succeeded can be compressed")
    shape = context.shape(job.spec.dataset)
    if shape is None:
        detail = f"the data set {job.spec.dataset!r} of this job is gone, and the steps need it; add it again"
        raise InvalidInput(Fault(pointer="", rule="dataset_not_found", detail=detail, allowed=context.store.names()))
    dataset_use.check_same(context, job, doing="compressing its winner")
    section = request.spec(of=job.id)
    check_compress(section)
    if faults := data_faults(section, str(job.spec.space.get("data") or shape.tasks[0])):
        raise InvalidInput(faults)
    return created(context, replace(job.spec, compress=section), idempotency_key, answer, data=shape)
