"""What pages draw of a job: all learning curves at once, and the picture of an architecture."""

from fastapi import APIRouter, Response

from api.context import ContextDep
from api.http.body import After, Limit, StrictRoute, accepts
from api.routes.jobs import JobDep, trial_cursor, trial_number
from api.views.live import View
from space.architecture import Architecture
from space.picture.drawing import draw

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

CLOSED = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
"""A picture that is opened by itself may load nothing and run nothing."""


class CurveView(View):
    """A trial's learning curve: points are pairs of epoch and score."""

    trial: int
    points: list[tuple[int, float]]


class CurvePage(View):
    items: list[CurveView]
    next: str | None


@router.get("/{job_id}/measurements", dependencies=[accepts("application/json")])
def measurements(context: ContextDep, job: JobDep, limit: Limit = 500, after: After = None) -> CurvePage:
    """The learning curves of many trials at once, in order of their numbers."""
    found = context.ledger.curves(job.id, after=trial_cursor(after), limit=limit + 1)
    items = [CurveView(trial=number, points=points) for number, points in found[:limit]]
    return CurvePage(items=items, next=str(found[limit - 1][0]) if len(found) > limit else None)


@router.get(
    "/{job_id}/trials/{number}/picture.svg",
    dependencies=[accepts("image/svg+xml")],
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}, "description": "The picture"}},
)
def picture(context: ContextDep, job: JobDep, number: str) -> Response:
    """The trial's network as a picture, with the shapes of its maps."""
    trial = context.ledger.trial(job.id, trial_number(number))
    text = draw(Architecture.from_json(trial.architecture), title=f"trial {trial.number}")
    return Response(text, media_type="image/svg+xml", headers={**CLOSED, "Cache-Control": "private, max-age=3600"})
