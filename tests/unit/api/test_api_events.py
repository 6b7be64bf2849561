"""The stream of a job's events: replay, end, resume."""

import json
import threading
import time
from typing import Any

import pytest

from api.http import events
from search.trial import JobState
from tests.unit.api.support import Service, check_problem


def _events(text: str) -> list[dict[str, Any]]:
    blocks = [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in text.split("\n\n")]
    return [{**block, "data": json.loads(block["data"])} for block in blocks if "data" in block]


def _stream(service: Service, job: str, last: str | None = None) -> list[dict[str, Any]]:
    headers = {"Last-Event-ID": last} if last is not None else {}
    answer = service.get(f"/v1/jobs/{job}/events", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return _events(answer.text)


def test_a_finished_job_is_replayed_and_the_stream_ends(service: Service) -> None:
    job = service.submit()
    service.post(f"/v1/jobs/{job}/cancel")
    found = _stream(service, job)
    ids = [int(event["id"]) for event in found[:-1]]
    assert ids == list(range(1, len(ids) + 1))
    assert found[-1] == {"event": "end", "data": {"state": "cancelled"}}
    assert all(event["data"]["id"] == int(event["id"]) for event in found[:-1])
    assert _stream(service, job, "1") == found[1:]
    assert _stream(service, job, str(ids[-1])) == found[-1:]
    assert _stream(service, job, "999999") == found[-1:]


@pytest.mark.parametrize("last", ["abc", "-1", "1.5", "9" * 40])
def test_invalid_event_ids(service: Service, last: str) -> None:
    job = service.submit()
    answer = service.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": last})
    check_problem(answer, 400, "event_id_invalid")


def test_the_stream_follows_new_events(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "POLL_S", 0.02)
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)
    job = service.submit()

    def drive() -> None:
        time.sleep(0.2)
        lease = service.ledger.claim("driver", 30)
        assert lease is not None
        service.ledger.finish_job(lease, JobState.SUCCEEDED)

    thread = threading.Thread(target=drive)
    thread.start()
    answer = service.get(f"/v1/jobs/{job}/events")
    thread.join()
    assert ": keep-alive" in answer.text
    found = _events(answer.text)
    assert found[-1]["data"] == {"state": "succeeded"}
    assert len(found) >= 3


def test_streams_close_when_the_service_ends(service: Service) -> None:
    job = service.submit()
    service.client.app.state.context.closing.set()
    answer = service.get(f"/v1/jobs/{job}/events")
    assert "the service is stopping" in answer.text
    assert "event: end" not in answer.text
    assert service.get("/readyz").status_code == 503


def test_too_many_streams(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    job = service.submit()
    monkeypatch.setattr(events, "MAX_STREAMS", 0)
    answer = service.get(f"/v1/jobs/{job}/events")
    check_problem(answer, 503, "watchers_full")
    assert answer.headers["retry-after"]
