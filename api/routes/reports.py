"""The report of a finished job, for programs and for people, and its published schema."""

import json
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from api.body import accepts
from api.context import Context, ContextDep
from api.routes.jobs import JobDep, not_ready
from search.ledger import Job
from search.trial import JobState
from workers.report.schema import schema as report_schema

router = APIRouter(prefix="/v1", tags=["reports"])
ALONE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
"""A page that loads nothing and runs nothing."""


@router.get("/reports/schema", dependencies=[accepts("application/json")])
def schema() -> dict[str, Any]:
    """JSON Schema of `report.json`."""
    return dict(report_schema())


@router.get("/jobs/{job_id}/report", dependencies=[accepts("application/json")])
def report(context: ContextDep, job: JobDep) -> dict[str, Any]:
    """What was found, by how much it is better, what it cost. 409 until the job has succeeded."""
    found: dict[str, Any] = json.loads(_read(context, job, "report.json"))
    return found


@router.get("/jobs/{job_id}/report.html", dependencies=[accepts("text/html")], response_class=HTMLResponse)
def page(context: ContextDep, job: JobDep) -> HTMLResponse:
    """The same for people, with its plots inside."""
    return HTMLResponse(_read(context, job, "report.html"), headers=ALONE)


def _read(context: Context, job: Job, name: str) -> str:
    """A file of the bundle. Raises ProblemError (409)."""
    path = context.settings.job_folder(job.id) / "bundle" / name
    if job.state is not JobState.SUCCEEDED or not path.is_file():
        raise not_ready(job, "the report is made at the end of a job that succeeds")
    return path.read_text(encoding="utf-8")
