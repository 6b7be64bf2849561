"""A job's events as a stream (server-sent events): replay, then follow the ledger until the job has ended."""

import json
import re
import time
from collections.abc import AsyncIterator

import anyio
from anyio import to_thread
from starlette.responses import StreamingResponse

from api.context import Context
from api.errors import ProblemError
from archsmith.errors import Fault, MalformedInput
from search.ledger import Event
from search.trial import JobState

POLL_S = 0.5
HEARTBEAT_S = 15.0
BATCH = 500
MAX_WATCHERS = 200
"""Of one process. Each costs two short reads of the ledger a second, of which SQLite gave about 900 on 2 cores."""

_watchers = 0


def last_event_id(header: str | None) -> int:
    """The Last-Event-ID header, 0 when there is none. Raises MalformedInput."""
    if header is None or header == "":
        return 0
    if not re.fullmatch(r"[0-9]{1,15}", header):
        detail = "Last-Event-ID must be the id of an event of this job"
        raise MalformedInput(Fault(pointer="", rule="event_id_invalid", detail=detail))
    return int(header)


def stream(context: Context, job_id: str, after: int) -> StreamingResponse:
    """Raises ProblemError (503) when too many watch."""
    if _watchers >= MAX_WATCHERS:
        detail = f"{MAX_WATCHERS} streams are open already"
        raise ProblemError(503, "watchers_full", detail, headers={"Retry-After": "10"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_follow(context, job_id, after), media_type="text/event-stream", headers=headers)


async def _follow(context: Context, job_id: str, after: int) -> AsyncIterator[str]:
    global _watchers
    _watchers += 1
    spoke = time.monotonic()
    try:
        yield "retry: 2000\n\n"
        while not context.closing.is_set():
            # The state is read before the events: an end that comes in between is seen in the next round.
            state, events = await to_thread.run_sync(_read, context, job_id, after)
            for event in events:
                yield _format(event)
                after, spoke = event.id, time.monotonic()
            if state.terminal and not events:
                yield f"event: end\ndata: {json.dumps({'state': state})}\n\n"
                return
            if len(events) == BATCH:
                continue
            if time.monotonic() - spoke > HEARTBEAT_S:
                yield ": still here\n\n"
                spoke = time.monotonic()
            await anyio.sleep(0 if state.terminal else POLL_S)
        yield ": the service stops; connect again\n\n"
    finally:
        _watchers -= 1


def _read(context: Context, job_id: str, after: int) -> tuple[JobState, list[Event]]:
    state = context.ledger.job(job_id).state
    return state, context.ledger.events(job_id, after=after, limit=BATCH)


def _format(event: Event) -> str:
    at = event.at.isoformat().replace("+00:00", "Z")
    data = json.dumps({"id": event.id, "kind": event.kind, "at": at, "data": event.data}, separators=(",", ":"))
    return f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n"
