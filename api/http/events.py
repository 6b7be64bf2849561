"""A job's events as server-sent events: first the past ones, then new ones until the job has ended."""

import json
import re
import time
from collections.abc import AsyncIterator

import anyio
from anyio import to_thread
from starlette.responses import StreamingResponse

from api.context import Context
from api.http.errors import ProblemError
from archsmith.errors import Fault, MalformedInput
from search.ledger import Event
from search.trial import JobState

POLL_S = 0.5
"""Between two looks at the ledger, where many watch; one watcher sees an event after a fifth of that."""
HEARTBEAT_S = 15.0
BATCH = 500
MAX_STREAMS = 200
"""Per process. Each costs two short reads of the ledger a second; SQLite served about 900 a second on 2 cores."""

_open_streams = 0


def last_event_id(header: str | None) -> int:
    """The Last-Event-ID header, 0 when there is none. Raises MalformedInput."""
    if header is None or header == "":
        return 0
    if not re.fullmatch(r"[0-9]{1,15}", header):
        detail = "the header Last-Event-ID must be the id of an event, a whole number"
        raise MalformedInput(Fault(pointer="", rule="event_id_invalid", detail=detail))
    return int(header)


def stream(context: Context, job_id: str, after: int) -> StreamingResponse:
    """Raises ProblemError (503) if MAX_STREAMS are open."""
    if _open_streams >= MAX_STREAMS:
        detail = f"{MAX_STREAMS} event streams are open, which is the limit; try again later"
        raise ProblemError(503, "watchers_full", detail, headers={"Retry-After": "10"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_follow(context, job_id, after), media_type="text/event-stream", headers=headers)


async def _follow(context: Context, job_id: str, after: int) -> AsyncIterator[str]:
    global _open_streams
    _open_streams += 1
    sent = time.monotonic()
    try:
        yield "retry: 2000\n\n"
        while not context.closing.is_set():
            # State first, events second: if the job ends in between, the next round sees it.
            state, events = await to_thread.run_sync(_read, context, job_id, after)
            for event in events:
                yield _format(event)
                after, sent = event.id, time.monotonic()
            if state.terminal and not events:
                yield f"event: end\ndata: {json.dumps({'state': state})}\n\n"
                return
            if len(events) == BATCH:
                continue
            if time.monotonic() - sent > HEARTBEAT_S:
                yield ": keep-alive\n\n"
                sent = time.monotonic()
            await anyio.sleep(0 if state.terminal else POLL_S * min(1.0, _open_streams / 5))
        yield ": the service is stopping; connect again\n\n"
    finally:
        _open_streams -= 1


def _read(context: Context, job_id: str, after: int) -> tuple[JobState, list[Event]]:
    state = context.ledger.job(job_id).state
    return state, context.ledger.events(job_id, after=after, limit=BATCH)


def _format(event: Event) -> str:
    at = event.at.isoformat().replace("+00:00", "Z")
    data = json.dumps({"id": event.id, "kind": event.kind, "at": at, "data": event.data}, separators=(",", ":"))
    return f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n"
