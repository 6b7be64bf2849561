"""The client against a fake service on a real socket: values, errors, and lost connections."""

import hashlib
import json
from pathlib import Path

import pytest

from archsmith import (
    ApiError,
    Client,
    ConflictError,
    ConnectError,
    DownloadError,
    InvalidInputError,
    NotFoundError,
    WaitTimeoutError,
    downloads,
)
from tests.unit.archsmith.fake_service import JOB, Answer, FakeService, Request, answer, job, problem

BUNDLE = f"/v1/jobs/{JOB}/bundle"
EVENTS = f"/v1/jobs/{JOB}/events"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archsmith.client.time.sleep", lambda seconds: None)


def test_submit_sends_the_document_and_an_idempotency_key(service: FakeService) -> None:
    service.on("POST", "/v1/jobs", answer(job("queued"), 202))
    with Client() as c:
        posted = c.submit({"dataset": "digits", "seed": 1}, seed=2, space={"version": 1})
    assert posted.id == JOB
    assert posted.state == "queued"
    assert not posted.finished
    (request,) = service.requests
    assert request.json() == {"dataset": "digits", "seed": 2, "space": {"version": 1}}
    assert len(request.headers["idempotency-key"]) == 36


def test_a_job_view_becomes_a_value(service: FakeService) -> None:
    service.on("GET", f"/v1/jobs/{JOB}", answer(job(final_score=0.9, new_field=1)))
    with Client() as c:
        one = c.job(JOB)
    assert one.created_at is not None
    assert one.created_at.utcoffset() is not None
    assert one.best is not None
    assert (one.best.trial, one.best.search_score, one.final_score) == (2, 0.95, 0.9)
    assert (one.progress.done, one.progress.running, one.progress.trials_total) == (3, 1, 20)
    assert one.document["new_field"] == 1, "what this version does not know is not lost"


def test_lists_follow_the_cursor(service: FakeService) -> None:
    pages = {None: (["a", "b"], "p2"), "p2": (["c"], None)}

    def page(request: Request) -> Answer:
        ids, following = pages[request.query.get("after")]
        return answer({"items": [job(id=one) for one in ids], "next": following})

    service.on("GET", "/v1/jobs", page)
    with Client() as c:
        assert [one.id for one in c.jobs(state="running", page=2)] == ["a", "b", "c"]
    assert [request.query["limit"] for request in service.requests] == ["2", "2"]
    assert [request.query["state"] for request in service.requests] == ["running", "running"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidInputError), (404, NotFoundError), (409, ConflictError), (413, InvalidInputError),
     (415, InvalidInputError), (422, InvalidInputError), (403, ApiError), (500, ApiError), (503, ApiError)],
)  # fmt: skip
def test_a_problem_document_becomes_an_error(service: FakeService, status: int, kind: type[ApiError]) -> None:
    fault = {"pointer": "/budget/trials", "rule": "out_of_range", "detail": "must be >= 1, got 0", "allowed": ">= 1"}
    service.on("POST", "/v1/jobs", problem(status, "out_of_range", "the reason\nin two lines", errors=[fault]))
    with Client() as c, pytest.raises(kind) as caught:
        c.submit(dataset="digits")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, str(error)) == (status, "out_of_range", "the reason in two lines")
    assert [(one.pointer, one.rule, one.allowed) for one in error.faults] == [
        ("/budget/trials", "out_of_range", ">= 1")
    ]


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"\xff", b'{"errors": [1]}'])
def test_an_error_without_problem_document_has_its_status(service: FakeService, body: bytes) -> None:
    service.on("GET", "/v1/datasets", Answer(status=502, body=body))
    with Client() as c, pytest.raises(ApiError, match="the service answered 502") as caught:
        c.datasets()
    assert caught.value.status == 502


@pytest.mark.parametrize("body", [b"<html>", b"[1]"])
def test_a_success_must_be_a_json_object(service: FakeService, body: bytes) -> None:
    service.on("GET", "/v1/datasets", Answer(body=body))
    with Client() as c, pytest.raises(ApiError, match="is it an archsmith service"):
        c.datasets()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "no-url", "ftp://127.0.0.1", "http://[", "http://127.0.0.1:99999"]
)
def test_a_connect_error_names_the_url(url: str) -> None:
    with pytest.raises(ConnectError) as caught, Client(url) as c:
        c.datasets()
    assert url in str(caught.value)


@pytest.mark.parametrize("text", ["../datasets", "..", ".", "a/b", "a?b", "", "%2e%2e", "ä"])
def test_an_id_cannot_leave_its_place_in_the_path(service: FakeService, text: str) -> None:
    with Client() as c, pytest.raises(NotFoundError):
        c.cancel(text)
    (request,) = service.requests
    assert request.path.startswith("/v1/jobs/")
    assert request.path.count("/") == 4


def test_wait_ends_with_the_job_and_survives_a_restart(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archsmith.client.time.sleep", lambda seconds: None)
    gone = Answer(headers={"Content-Length": "9"}, cut=0)
    service.on("GET", f"/v1/jobs/{JOB}", answer(job()), gone, gone, answer(job("succeeded")))
    seen: list[str] = []
    with Client() as c:
        assert c.wait(JOB, on_update=lambda one: seen.append(one.state)).state == "succeeded"
    assert seen == ["running", "succeeded"]


def test_wait_gives_up_on_a_service_that_does_not_come_back(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("archsmith.client.time.monotonic", lambda: float(next(clock)))
    with Client("http://127.0.0.1:1") as c, pytest.raises(ConnectError):
        c.wait(JOB)


def test_wait_has_a_timeout(service: FakeService) -> None:
    service.on("GET", f"/v1/jobs/{JOB}", answer(job()))
    with Client() as c, pytest.raises(WaitTimeoutError, match="it keeps running"):
        c.wait(JOB, timeout_s=0.01)


def _events(*ids: int, end: bool) -> Answer:
    lines = "retry: 2000\n\n: hello\n\n"
    for number in ids:
        data = {"id": number, "kind": "trial_ended", "at": "2026-01-02T03:04:05Z", "data": {"number": number}}
        lines += f"id: {number}\nevent: trial_ended\ndata: {json.dumps(data)}\n\n"
    if end:
        lines += 'event: end\ndata: {"state": "succeeded"}\n\n'
    return Answer(body=lines.encode(), headers={"Content-Type": "text/event-stream"})


def test_events_resume_after_the_last_event_seen(service: FakeService) -> None:
    cut = _events(1, 2, end=False)
    short = Answer(body=cut.body, headers={**cut.headers, "Content-Length": str(len(cut.body) + 99)}, cut=len(cut.body))
    service.on("GET", EVENTS, short, _events(3, end=False), _events(4, end=True))
    with Client() as c:
        events = list(c.events(JOB))
    assert [one.id for one in events] == [1, 2, 3, 4]
    assert events[3].data == {"number": 4}
    assert [request.headers.get("last-event-id") for request in service.to(EVENTS)] == [None, "2", "3"]


def test_events_of_an_unknown_job(service: FakeService) -> None:
    with Client() as c, pytest.raises(NotFoundError):
        next(c.events("nothing"))


DATA = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(DATA).hexdigest()


def _bundle(request: Request) -> Answer:
    start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
    return Answer(status=206 if start else 200, body=DATA[start:], headers={"ETag": f'"{DIGEST}"'})


def test_a_download_leaves_no_other_file(service: FakeService, tmp_path: Path) -> None:
    service.on("GET", BUNDLE, _bundle)
    seen: list[tuple[int, int | None]] = []
    with Client() as c:
        path = c.download_bundle(
            JOB, tmp_path / "new" / "b.zip", on_bytes=lambda done, total: seen.append((done, total))
        )
    assert path.read_bytes() == DATA
    assert list(path.parent.iterdir()) == [path]
    assert seen[-1] == (len(DATA), len(DATA))


def test_an_interrupted_download_is_resumed(service: FakeService, tmp_path: Path) -> None:
    cut = Answer(body=DATA, headers={"ETag": f'"{DIGEST}"'}, cut=100_000)
    service.on("GET", BUNDLE, cut, _bundle)
    with Client() as c:
        path = c.download_bundle(JOB, tmp_path / "b.zip")
    assert path.read_bytes() == DATA
    first, second = service.to(BUNDLE)
    assert "range" not in first.headers
    assert second.headers["range"].startswith("bytes=")
    assert second.headers["range"] != "bytes=0-"


def test_a_download_of_an_earlier_call_is_resumed(service: FakeService, tmp_path: Path) -> None:
    (tmp_path / f".b.zip.{JOB}.part").write_bytes(DATA[:5])
    service.on("GET", BUNDLE, _bundle)
    with Client() as c:
        assert c.download_bundle(JOB, tmp_path / "b.zip").read_bytes() == DATA
    assert service.to(BUNDLE)[0].headers["range"] == "bytes=5-"


def test_a_partial_file_that_is_too_long_is_discarded(service: FakeService, tmp_path: Path) -> None:
    (tmp_path / f".b.zip.{JOB}.part").write_bytes(b"x" * (len(DATA) + 5))
    service.on("GET", BUNDLE, problem(416, "range_invalid", "no such range"), _bundle)
    with Client() as c:
        assert c.download_bundle(JOB, tmp_path / "b.zip").read_bytes() == DATA


def test_a_damaged_download_is_an_error(service: FakeService, tmp_path: Path) -> None:
    service.on("GET", BUNDLE, Answer(body=b"other bytes", headers={"ETag": f'"{DIGEST}"'}))
    with Client() as c, pytest.raises(DownloadError, match=DIGEST):
        c.download_bundle(JOB, tmp_path / "b.zip")
    assert list(tmp_path.iterdir()) == [], "nor does a damaged part stay to be taken up"


def test_a_download_without_progress_ends(service: FakeService, tmp_path: Path) -> None:
    service.on("GET", BUNDLE, Answer(body=DATA, cut=0))
    with Client() as c, pytest.raises(ConnectError):
        c.download_bundle(JOB, tmp_path / "b.zip")
    assert len(service.to(BUNDLE)) == downloads.ATTEMPTS


def test_the_error_for_an_early_bundle_has_the_state(service: FakeService, tmp_path: Path) -> None:
    service.on("GET", BUNDLE, problem(409, "not_ready", "the job is running", state="running"))
    with Client() as c, pytest.raises(ConflictError, match="running") as caught:
        c.download_bundle(JOB, tmp_path / "b.zip")
    assert caught.value.document["state"] == "running"
    assert list(tmp_path.iterdir()) == []


def test_upload_sends_every_file_as_a_part(service: FakeService, tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).write_bytes(name.encode() * 3)
    service.on(
        "POST", "/v1/datasets", answer({"name": "f", "format": "idx", "input_shape": [1, 28, 28], "classes": 10})
    )
    with Client() as c:
        made = c.upload_dataset("f", "idx", [tmp_path / "images", tmp_path / "labels"])
    assert (made.input_shape, made.classes) == ((1, 28, 28), 10)
    (request,) = service.requests
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert request.body.count(b'name="file"; filename=') == 2
    assert b'name="name"\r\n\r\nf\r\n' in request.body
    assert b"labelslabelslabels" in request.body


def test_register_sends_only_the_path(service: FakeService) -> None:
    service.on("POST", "/v1/datasets", answer({"name": "f", "format": "npz", "input_shape": None}))
    with Client() as c:
        assert c.register_dataset("f", "npz", "/data/f.npz").input_shape is None
    assert service.requests[0].json() == {"name": "f", "format": "npz", "path": "/data/f.npz"}


def test_spaces_and_trials(service: FakeService) -> None:
    service.on("GET", "/v1/spaces", answer({"items": [{"name": "tiny", "document": {}}]}))
    service.on("POST", "/v1/spaces/validate", answer({"valid": True}))
    trial = {
        "number": 3,
        "state": "completed",
        "hash": "ab",
        "params": 5,
        "macs": 7,
        "search_score": 0.5,
        "seconds": 1.5,
    }
    service.on("GET", f"/v1/jobs/{JOB}/trials", answer({"items": [trial], "next": None}))
    service.on("GET", f"/v1/jobs/{JOB}/trials/3", answer({**trial, "measurements": [{"epoch": 1, "score": 0.5}]}))
    with Client() as c:
        assert [one["name"] for one in c.spaces()] == ["tiny"]
        assert c.validate_space("tiny", dataset="digits") == {"valid": True}
        assert [one.number for one in c.trials(JOB)] == [3]
        assert c.trial(JOB, 3).measurements == ({"epoch": 1, "score": 0.5},)
    assert service.to("/v1/spaces/validate")[0].json() == {"space": "tiny", "dataset": "digits"}
