"""What a job left behind: its log, and removing all of it."""

import http.client
import json
import shutil
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Response
from pydantic.functional_validators import BeforeValidator
from starlette.responses import PlainTextResponse

from api.context import Context, ContextDep
from api.http.body import StrictRoute, accepts, plain_bool
from api.http.errors import ProblemError
from api.routes.jobs import JobDep
from archsmith.errors import Unavailable
from search.ledger import Job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

LOG_LINES = 10_000
TAIL_BYTES = 4 * 1024**2
"""Of the end of a log, which are looked at for its last lines."""
MLFLOW_S = 10.0
DELIVERY_S = 120.0
"""After a job's end; its driver takes 60 s at most. What is left then is for good, if MLflow is away for good."""

Lines = Annotated[int, Query(ge=1, le=LOG_LINES, description="the last lines of the log")]
Mlflow = Annotated[
    bool,
    BeforeValidator(plain_bool, json_schema_input_type=bool),
    Query(description="remove its runs in MLflow too"),
]


@router.get(
    "/{job_id}/log",
    dependencies=[accepts("text/plain")],
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {}}, "description": "The end of the log"}},
)
def log(context: ContextDep, job: JobDep, lines: Lines = 200) -> PlainTextResponse:
    """The last lines that the job's driver wrote; empty before it has been started."""
    path = context.settings.job_folder(job.id) / "driver.log"
    return PlainTextResponse(_tail(path, lines), headers={"X-Content-Type-Options": "nosniff"})


@router.delete("/{job_id}", status_code=204)
def delete(context: ContextDep, job: JobDep, mlflow: Mlflow = False) -> Response:
    """Remove an ended job: its rows, trials, events, log, report and bundle. 409 before it has ended, and while a job
    that has not ended starts from it."""
    context.ledger.check_removable(job.id)
    if _is_delivered_now(context, job):
        detail = "what the job found is still being written to MLflow; try again in a minute"
        more = {"state": job.state, "allowed": [job.state]}
        raise ProblemError(409, "not_ready", detail, more=more, headers={"Retry-After": "60"})
    if mlflow:  # first, so that the request can be repeated where MLflow is away
        _remove_runs(context, (run for key, run in context.ledger.runs(job.id).items() if key != "experiment"))
    context.ledger.remove_job(job.id)
    _remove(context.settings.job_folder(job.id))
    return Response(status_code=204)


def _is_delivered_now(context: Context, job: Job) -> bool:
    """Whether the job's driver may still write to MLflow: it ends with what it could not deliver in a minute."""
    if not context.settings.mlflow_url or job.finished_at is None or not context.ledger.outbox(job.id, limit=1):
        return False
    return (datetime.now(UTC) - job.finished_at).total_seconds() < DELIVERY_S


def _tail(path: Path, lines: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            found = file.read().decode("utf-8", "replace").splitlines()[-lines:]
    except FileNotFoundError:
        return ""
    return "".join(f"{line}\n" for line in found)


def _remove(folder: Path) -> None:
    """Out of sight first, so that a process that dies meanwhile leaves no half of a job; the next start sweeps."""
    if folder.is_dir():
        away = folder.with_name(f".{uuid.uuid4().hex}-removed")
        folder.rename(away)
        shutil.rmtree(away, ignore_errors=True)


def _remove_runs(context: Context, runs: Iterable[str]) -> None:
    """Raises Unavailable where MLflow is away; then the job is still there."""
    url = urlsplit(context.settings.mlflow_url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=MLFLOW_S)
    try:
        for run in runs if url.hostname else ():
            body = json.dumps({"run_id": run})
            connection.request("POST", "/api/2.0/mlflow/runs/delete", body, {"Content-Type": "application/json"})
            connection.getresponse().read()  # a run that is gone already is no error
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"MLflow did not remove the job's runs, so nothing is removed: {error}") from error
    finally:
        connection.close()
