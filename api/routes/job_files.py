"""What a job left behind: its log, and removing all of it."""

import http.client
import json
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Response
from pydantic.functional_validators import BeforeValidator
from starlette.responses import PlainTextResponse

from api.body import StrictRoute, accepts, plain_bool
from api.context import Context, ContextDep
from api.errors import ProblemError
from api.routes.jobs import JobDep
from archsmith.errors import Unavailable

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

LOG_LINES = 10_000
TAIL_BYTES = 4 * 1024**2
"""Of the end of a log, which are looked at for its last lines."""
MLFLOW_S = 10.0

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
    runs = set(context.ledger.runs(job.id).items())
    if context.settings.mlflow_url and job.state.terminal and context.ledger.outbox(job.id, limit=1) and not mlflow:
        detail = "what the job found is still being written to MLflow; try again in a minute"
        more = {"state": job.state, "allowed": [job.state]}
        raise ProblemError(409, "not_ready", detail, more=more, headers={"Retry-After": "60"})
    context.ledger.remove_job(job.id)
    _remove(context.settings.job_folder(job.id))
    if mlflow:
        _remove_runs(context, (run for key, run in runs if key != "experiment"))
    return Response(status_code=204)


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
    """Raises Unavailable where MLflow is away: the job is gone, its runs are not."""
    url = urlsplit(context.settings.mlflow_url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=MLFLOW_S)
    try:
        for run in runs if url.hostname else ():
            body = json.dumps({"run_id": run})
            connection.request("POST", "/api/2.0/mlflow/runs/delete", body, {"Content-Type": "application/json"})
            connection.getresponse().read()  # a run that is gone already is no error
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"the job is removed, but MLflow did not remove its runs: {error}") from error
    finally:
        connection.close()
