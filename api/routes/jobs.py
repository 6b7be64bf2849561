"""Jobs: submitting, reading and steering them, and their results."""

import re
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic.functional_validators import BeforeValidator
from starlette.responses import FileResponse, JSONResponse, StreamingResponse

from api import dataset_use
from api.context import Context, ContextDep
from api.http import events
from api.http.body import After, Limit, StrictRoute, accepts, plain_bool
from api.http.errors import ProblemError
from api.pricing import PriceView, price
from api.schemas.requests import JobRequest
from api.views import resources
from archsmith.errors import AlreadyExists, Fault, InvalidInput, MalformedInput, NotFound
from search.earlier_jobs.prior import look
from search.ledger import Job, Wanted
from search.objective import Objective
from search.pareto import pareto
from search.spec import JobSpec
from search.trial import JobState
from search.validate import DataShape, check_job
from space.analysis import analyse
from space.architecture import Architecture

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)
_JSON = [accepts("application/json")]
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_MAX_RANGES = 10

StateFilter = Annotated[JobState | None, Query(description="only jobs in this state")]
DryRun = Annotated[
    bool,
    BeforeValidator(plain_bool, json_schema_input_type=bool),
    Query(description="estimate the cost from a calibration trial, without queueing the job"),
]
IdempotencyKey = Annotated[
    str | None, Header(description="1 to 255 visible ASCII characters; the same key and body give the same job")
]


def find(context: ContextDep, job_id: str) -> Job:
    """The job of the path. Raises NotFound."""
    if not _UUID.fullmatch(job_id):
        raise NotFound("job", job_id)
    return context.ledger.job(job_id)


JobDep = Annotated[Job, Depends(find)]
"""A route's parameter of this type is the job of the path."""


def _key(header: IdempotencyKey = None) -> str | None:
    if header is not None and not _KEY.fullmatch(header):
        raise ProblemError(400, "idempotency_key_invalid", "Idempotency-Key must be 1 to 255 visible ASCII characters")
    return header


@router.post(
    "",
    status_code=202,
    dependencies=_JSON,
    response_model=resources.JobDetail,
    responses={200: {"model": PriceView, "description": "The estimated cost (dry_run)"}},
)
def submit(
    context: ContextDep,
    answer: Response,
    request: JobRequest,
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,
) -> resources.JobDetail | Response:
    """Queue a search, or estimate its cost. Nothing is stored unless the whole document is valid."""
    spec = request.spec()
    store, data = context.store, context.shape(spec.dataset)
    check_job(
        spec,
        data=data,
        datasets=store.names(),
        pool=context.edge.pool,
        find=lambda job_id: look(context.ledger, job_id),
    )
    dataset_use.check_earlier(context, spec)
    if dry_run:
        return JSONResponse(price(context, spec).model_dump())
    return created(context, spec, idempotency_key, answer, data=data)


def created(
    context: Context, spec: JobSpec, idempotency_key: str | None, answer: Response, *, data: DataShape | None
) -> resources.JobDetail:
    """The job of a checked spec: a new one, or the one that was made with the same key before.

    data: of the data set that it was checked for. Raises InvalidInput where that is gone by now.
    """

    def check() -> None:
        dataset_use.check_there(context, spec.dataset, data)

    try:
        job, _ = context.ledger.create_job(spec, key=_key(idempotency_key), check=check)
    except AlreadyExists:
        why = "this Idempotency-Key was used before with another body; use a new one for another job"
        raise InvalidInput(Fault(pointer="", rule="idempotency_key_reused", detail=why)) from None
    answer.headers["Location"] = f"/v1/jobs/{job.id}"
    return detail(context, job)


@router.get("", dependencies=_JSON)
def browse(context: ContextDep, limit: Limit = 50, after: After = None, state: StateFilter = None) -> resources.JobPage:
    """All jobs, newest first."""
    try:
        jobs = context.ledger.jobs(limit=limit + 1, after=after, state=state)
    except InvalidInput as error:
        raise MalformedInput(error.faults) from None
    items = [resources.job_view(job, context.settings) for job in jobs[:limit]]
    return resources.JobPage(items=items, next=jobs[limit - 1].cursor if len(jobs) > limit else None)


@router.get("/{job_id}", dependencies=_JSON)
def show(context: ContextDep, job: JobDep) -> resources.JobDetail:
    return detail(context, job)


@router.get("/{job_id}/trials", dependencies=_JSON)
def trials(context: ContextDep, job: JobDep, limit: Limit = 50, after: After = None) -> resources.TrialPage:
    """The job's trials in order of their numbers, without measurements."""
    found = context.ledger.trials(job.id, after=trial_cursor(after), limit=limit + 1)
    items = [resources.trial_view(trial, job, context.settings, full=False) for trial in found[:limit]]
    return resources.TrialPage(items=items, next=str(found[limit - 1].number) if len(found) > limit else None)


@router.get("/{job_id}/trials/{number}", dependencies=_JSON)
def trial(context: ContextDep, job: JobDep, number: str) -> resources.TrialView:
    """A trial with its measurements."""
    return resources.trial_view(context.ledger.trial(job.id, trial_number(number)), job, context.settings, full=True)


def trial_number(text: str) -> int:
    """Of a path. Raises NotFound."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", text):
        raise NotFound("trial", text)
    return int(text)


def trial_cursor(after: str | None) -> int | None:
    """Of a list in order of the trials' numbers. Raises MalformedInput."""
    if after is not None and not re.fullmatch(r"[0-9]{1,9}", after):
        detail = "not a cursor of this list; use `next` of the previous page"
        raise MalformedInput(Fault(pointer="/after", rule="cursor_invalid", detail=detail))
    return None if after is None else int(after)


@router.get(
    "/{job_id}/events",
    dependencies=[accepts("text/event-stream")],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events"}},
)
def follow(
    context: ContextDep, job: JobDep, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """All events, or those after Last-Event-ID, then new ones; ends with `event: end` when the job has ended."""
    return events.stream(context, job.id, events.last_event_id(last_event_id))


@router.get("/{job_id}/best", dependencies=_JSON)
def best(context: ContextDep, job: JobDep) -> resources.BestArchitecture:
    """The incumbent's architecture. 409 until a trial has completed."""
    if job.best_trial is None or job.best_score is None:
        raise not_ready(job, "no trial has completed yet")
    found = context.ledger.trial(job.id, job.best_trial)
    return resources.BestArchitecture(
        trial=found.number,
        search_score=job.best_score,
        hash=found.hash,
        measures=dict(analyse(Architecture.from_json(found.architecture)).measures),
        architecture=found.architecture,
    )


@router.get("/{job_id}/controller", dependencies=_JSON)
def controller(context: ContextDep, job: JobDep) -> resources.ControllerStateView:
    """The state of the job's controller, such as a policy's probabilities or a model's hyperparameters."""
    return resources.controller_state_view(job, context.ledger.controller_state(job.id))


@router.get("/{job_id}/front", dependencies=_JSON)
def front(context: ContextDep, job: JobDep) -> resources.FrontView:
    """The Pareto front of the job's objectives so far."""
    return resources.front_view(job, pareto(context.ledger.facts(job.id), Objective.of(job.spec.objective)))


@router.get(
    "/{job_id}/bundle",
    dependencies=[accepts("application/zip", "application/octet-stream")],
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The bundle"}},
)
def bundle(context: ContextDep, job: JobDep, request: Request) -> Response:
    """The model as a zip archive: the finished one, or the best so far, whose file name says `provisional`.

    In a planned job the best so far is the winner, once it is trained in full. 409 until a trial has a score.
    """
    found = bundle_file(context, job) or bundle_file(
        context, context.ledger.job(job.id)
    )  # one may be replaced meanwhile
    if found is None:
        raise not_ready(job, "there is a bundle once a trial has a score")
    path, sha256, mark = found
    etag = f'"{sha256}"'
    if _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers={"ETag": etag})
    _check_range(request.headers.get("range"), path)
    headers = {"ETag": etag, "X-Content-Type-Options": "nosniff"}
    name = f"{job.name}-{job.id[:8]}{mark}.zip"
    return FileResponse(path, media_type="application/zip", filename=name, headers=headers)


def bundle_file(context: Context, job: Job) -> tuple[Path, str, str] | None:
    """The file of the bundle to hand out now, its SHA-256, and what its name has at the end."""
    folder = context.settings.job_folder(job.id)
    if job.state is JobState.SUCCEEDED and job.bundle_sha256:
        found = folder / "bundle.zip", job.bundle_sha256, ""
    elif job.interim_bundle is not None:
        mark = "-provisional" if job.interim_bundle["provisional"] else ""
        found = folder / job.interim_bundle["file"], str(job.interim_bundle["sha256"]), mark
    else:
        return None
    return found if found[0].is_file() else None


def _matches(header: str, etag: str) -> bool:
    """Whether an If-None-Match header has the tag, by weak comparison (RFC 9110, 13.1.2)."""
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in header.split(","))


def not_ready(job: Job, why: str) -> ProblemError:
    """The error for what exists in other states of the job only."""
    reason = f": {job.reason}" if job.reason else ""
    more = {"state": job.state, "allowed": [JobState.SUCCEEDED]}
    return ProblemError(409, "not_ready", f"{why}; the job is {job.state}{reason}", more=more)


def _check_range(header: str | None, path: Path) -> None:
    """Raises ProblemError (416), because FileResponse answers bad ranges in plain text."""
    if header is None:
        return
    size = path.stat().st_size
    unit, _, text = header.partition("=")
    parts = [re.fullmatch(r"\s*(\d{0,15})-(\d{0,15})\s*", part) for part in text.split(",")[: _MAX_RANGES + 1]]
    good = unit.strip().lower() == "bytes" and len(parts) <= _MAX_RANGES and all(_inside(part, size) for part in parts)
    if not good:
        detail = f"the Range header must have 1 to {_MAX_RANGES} byte ranges within the file's {size} bytes"
        raise ProblemError(416, "range_invalid", detail, headers={"Content-Range": f"bytes */{size}"})


def _inside(part: re.Match[str] | None, size: int) -> bool:
    if part is None or part[1] == part[2] == "":
        return False
    if part[1] == "":
        return int(part[2]) > 0
    return int(part[1]) < size and (part[2] == "" or int(part[1]) <= int(part[2]))


def _steer(context: Context, job: Job, wanted: Wanted, answer: Response) -> resources.JobDetail:
    job = context.ledger.request(job.id, wanted)
    # 202: a running job stops at its next heartbeat; 200: done.
    answer.status_code = 202 if job.state is JobState.RUNNING else 200
    return detail(context, job)


def detail(context: Context, job: Job) -> resources.JobDetail:
    ledger = context.ledger
    running = ledger.running(job.id) if job.state is JobState.RUNNING else []
    return resources.job_detail(
        job,
        ledger.finalists(job.id),
        running,
        context.settings,
        ledger.plan(job.id),
        dataset_changed=dataset_use.changed(context, job),
    )


def action() -> dict[str, Any]:
    """What all routes that change a job declare: 202 = it will be done, 200 = it is done."""
    done = {200: {"model": resources.JobDetail, "description": "Done"}}
    return {"status_code": 202, "dependencies": _JSON, "responses": done}


_ACTION = action()


@router.post("/{job_id}/cancel", **_ACTION)
def cancel(context: ContextDep, job: JobDep, answer: Response) -> resources.JobDetail:
    """Cancel a job; its measurements and its provisional bundle are kept."""
    return _steer(context, job, "cancel", answer)


@router.post("/{job_id}/pause", **_ACTION)
def pause(context: ContextDep, job: JobDep, answer: Response) -> resources.JobDetail:
    """Pause a job; its running trials stop and continue from their last checkpoints when it is resumed."""
    return _steer(context, job, "pause", answer)


@router.post("/{job_id}/resume", **_ACTION)
def resume(context: ContextDep, job: JobDep, answer: Response) -> resources.JobDetail:
    """Put a paused job back into the queue."""
    return _steer(context, job, "run", answer)
