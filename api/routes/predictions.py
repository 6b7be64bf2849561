"""Trying a job's model: files go in, classes come out, in a process of their own as with `archsmith predict`."""

import base64
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from api import process
from api.context import Context, ContextDep
from api.http import uploads
from api.http.body import StrictRoute, accepts, media_type
from api.http.errors import ProblemError
from api.routes.jobs import JobDep, bundle_file, not_ready
from api.views.live import View
from archsmith.errors import Fault, InvalidInput

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

TIMEOUT_S = 60.0
PATIENCE_S = 3.0
"""For another prediction to end; whoever waits longer would keep a thread from other requests."""
MAX_BYTES = 32 * 1024**2
MAX_ROWS = 256
_ONE = threading.Semaphore(1)
"""A process takes half a second and 200 MB: one at a time."""


class PredictionView(View):
    """rows: what each sample is and what the model says of it, as `archsmith predict --json` prints it.

    In place of a mask's path stands the mask, as a data: URL. more: how many rows were left out. remark: of the reader,
    such as values in other units than the model's.
    """

    rows: list[dict[str, Any]]
    more: int
    remark: str | None


_BODY = {"multipart/form-data": {"schema": {"type": "object", "properties": {"file": {"type": "array", "items": {
    "type": "string", "format": "binary"}}}, "required": ["file"]}}}  # fmt: skip


@router.post(
    "/{job_id}/predict",
    dependencies=[accepts("application/json")],
    openapi_extra={"requestBody": {"required": True, "content": _BODY}},
)
async def predict(context: ContextDep, job: JobDep, request: Request) -> PredictionView:
    """Classify files with the job's bundle, the provisional one too. 409 until a trial has a score."""
    if media_type(request) != "multipart/form-data":
        raise ProblemError(415, "media_type_unsupported", "send the files as multipart/form-data, in parts named file")
    found = bundle_file(context, job)
    if found is None:
        raise not_ready(job, "there is a bundle once a trial has a score")
    parent = context.settings.state / "uploads"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="predict-") as folder:
        form = await uploads.receive(request, Path(folder), limit=MAX_BYTES)
        if not form.files:
            detail = "there is no file; send one or more as parts named file"
            raise InvalidInput(Fault(pointer="/file", rule="file_missing", detail=detail))
        return await run_in_threadpool(_predict, context, found[0], form.files)


def _predict(context: Context, bundle: Path, files: Sequence[Path]) -> PredictionView:
    if not _ONE.acquire(timeout=PATIENCE_S):
        detail = "other predictions are being made; try again in some seconds"
        raise ProblemError(503, "busy", detail, headers={"Retry-After": "5"})
    try:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "workers.bundle.predict",
                "--json",
                "--top",
                "10",
                "--",
                str(bundle),
                *map(str, files),
            ],
            cwd=context.settings.state,
            env=process.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            text=True,
        )
    except subprocess.TimeoutExpired:
        detail = f"the model took longer than {TIMEOUT_S:.0f} s; send fewer or smaller files"
        raise InvalidInput(Fault(pointer="/file", rule="check_timeout", detail=detail)) from None
    finally:
        _ONE.release()
    said = " ".join(line.removeprefix("archsmith: ") for line in done.stderr.splitlines())[:500]
    if done.returncode:
        raise InvalidInput(Fault(pointer="/file", rule="input_invalid", detail=said or "the files cannot be read"))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for row in rows[:MAX_ROWS]:
        if "mask" in row:  # a file of this request's folder, which is removed with it
            row["mask"] = "data:image/png;base64," + base64.b64encode(Path(row["mask"]).read_bytes()).decode("ascii")
    return PredictionView(rows=rows[:MAX_ROWS], more=max(0, len(rows) - MAX_ROWS), remark=said or None)
