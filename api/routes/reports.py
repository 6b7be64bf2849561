"""The report of a finished job as JSON and HTML, and its schema."""

import json
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from api.context import Context, ContextDep
from api.http.body import accepts
from api.routes.jobs import JobDep, not_ready
from search.ledger import Job
from search.trial import JobState
from workers.report.schema import schema as report_schema

router = APIRouter(prefix="/v1", tags=["reports"])
SANDBOX = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "X-Content-Type-Options": "nosniff",
}
"""The page may load nothing and run no scripts."""


@router.get("/reports/schema", dependencies=[accepts("application/json")])
def schema() -> dict[str, Any]:
    """JSON Schema of `report.json`."""
    return dict(report_schema())


@router.get("/jobs/{job_id}/report", dependencies=[accepts("application/json")])
def report(context: ContextDep, job: JobDep) -> dict[str, Any]:
    """The report: scores, gains over the baseline and the random search, costs. 409 until the job has succeeded."""
    found: dict[str, Any] = json.loads(_read(context, job, "report.json"))
    return found


@router.get("/jobs/{job_id}/report.html", dependencies=[accepts("text/html")], response_class=HTMLResponse)
def page(context: ContextDep, job: JobDep) -> HTMLResponse:
    """The report as a page with plots."""
    return HTMLResponse(_read(context, job, "report.html"), headers=SANDBOX)


def _read(context: Context, job: Job, name: str) -> str:
    """The text of a file of the bundle. Raises ProblemError (409)."""
    path = context.settings.job_folder(job.id) / "bundle" / name
    interim = job.interim_bundle
    old = interim is not None and interim["provisional"] is None  # of a job that goes on after its end
    if not (job.state is JobState.SUCCEEDED or old) or not path.is_file():
        raise not_ready(job, "the report exists once the job has succeeded")
    return path.read_text(encoding="utf-8")
