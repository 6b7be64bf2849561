"""The status of each error, and the one shape of all of them."""

import logging
import os
import socket
import time
from typing import Any

import pytest

from api.http.errors import STATUS, status_of
from api.routes.health import CLUSTER_BEAT, RAY_ADDRESS
from archsmith import errors
from archsmith.errors import ArchsmithError
from search.ledger import Ledger
from tests.unit.api.support import Service, check_problem


def _all(kind: type[ArchsmithError]) -> set[type[ArchsmithError]]:
    return {kind}.union(*(_all(child) for child in kind.__subclasses__()))


def test_every_error_has_a_status() -> None:
    drawn = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ArchsmithError)}
    assert _all(ArchsmithError) == drawn, "an error is defined outside the one tree"
    assert drawn - {ArchsmithError} == set(STATUS)


def test_a_subclass_gets_the_status_of_its_nearest_ancestor() -> None:
    assert status_of(errors.MalformedInput([])) == 400
    assert status_of(errors.InvalidSpace([])) == 422


def test_an_unknown_path_and_method(service: Service) -> None:
    for path in ("/v1", "/v1/jobs/", "/v1//jobs", "/v1/jobs/%2e%2e/x", "/docs", "/v1/jobs/a%00b", "/v1/jobs;x"):
        check_problem(service.get(path), 404, "not_found")
    answer = service.client.request("DELETE", "/v1/jobs")
    body = check_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"
    assert "GET, POST" in body["detail"]


def test_the_override_header_is_ignored(service: Service) -> None:
    assert service.get("/v1/jobs", headers={"X-HTTP-Method-Override": "DELETE"}).status_code == 200


def test_a_bug_is_a_500_without_details(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(Ledger, "jobs", broken)
    body = check_problem(service.get("/v1/jobs"), 500, "internal")
    assert "secret" not in str(body)

    def internal(*_: Any, **__: Any) -> Any:
        raise errors.UnknownTrial("a secret detail")

    monkeypatch.setattr(Ledger, "jobs", internal)
    with caplog.at_level(logging.ERROR):
        body = check_problem(service.get("/v1/jobs"), 500, "internal")
    assert "secret" not in str(body)
    assert "a secret detail" in caplog.text


def test_a_ledger_that_does_not_answer_is_503(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise errors.Unavailable("the database does not answer")

    monkeypatch.setattr(Ledger, "jobs", away)
    monkeypatch.setattr(Ledger, "ping", away)
    answer = service.get("/v1/jobs")
    check_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"]
    assert service.get("/livez").status_code == 200
    assert service.get("/readyz").status_code == 503


def test_the_cluster_belongs_to_what_a_ready_service_needs(service: Service) -> None:
    """The port alone says little: a GCS answers there while every raylet is dead."""

    def ray() -> tuple[int, str]:
        answer = service.get("/readyz")
        return answer.status_code, answer.json()["details"]["ray"]

    assert ray() == (200, "not configured")
    beat, address = service.settings.state / CLUSTER_BEAT, service.settings.state / RAY_ADDRESS
    with socket.create_server(("127.0.0.1", 0)) as port:
        address.write_text(f"127.0.0.1:{port.getsockname()[1]}")
        assert ray() == (503, "not seen")
        beat.touch()
        assert ray() == (200, "ok")
        os.utime(beat, (time.time() - 40, time.time() - 40))
        assert ray() == (503, "silent for 40 s")
        beat.touch()
    assert ray() == (503, "away")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.evil.example", "", "localhost:x", "[::2]"]
)
def test_a_foreign_host_is_refused(service: Service, host: str) -> None:
    check_problem(service.get("/v1/jobs", headers={"Host": host}), 403, "host_not_allowed")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:1", "[::1]", "[::1]:8080"])
def test_loopback_names_are_served(service: Service, host: str) -> None:
    assert service.get("/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:5000"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_site_may_not_change_anything(service: Service, headers: dict[str, str]) -> None:
    answer = service.post("/v1/jobs", json={"dataset": "digits"}, headers=headers)
    check_problem(answer, 403, "origin_not_allowed")
    assert service.get("/v1/jobs", headers=headers).json()["items"] == []


def test_pages_of_the_service_may_change_things(service: Service) -> None:
    headers = {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}
    answer = service.post("/v1/jobs", json={"dataset": "digits", "space": "tiny"}, headers=headers)
    assert answer.status_code == 202


def test_the_body_limit_holds_with_and_without_a_length(service: Service) -> None:
    large = b'{"name": "' + b"a" * (1024**2 + 1) + b'"}'
    headers = {"Content-Type": "application/json"}
    check_problem(service.post("/v1/jobs", content=large, headers=headers), 413, "body_too_large")
    check_problem(service.post("/v1/jobs", content=[large], headers=headers), 413, "body_too_large")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "media_type_unsupported"),
        ({"Content-Type": "text/plain"}, "media_type_unsupported"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "content_encoding_unsupported"),
    ],
)
def test_other_media_types_are_refused(service: Service, headers: dict[str, str], code: str) -> None:
    check_problem(service.post("/v1/jobs", content=b'{"dataset": "digits"}', headers=headers), 415, code)


def test_the_accept_header_is_checked(service: Service) -> None:
    check_problem(service.get("/v1/jobs", headers={"Accept": "text/html"}), 406, "not_acceptable")
    check_problem(service.get("/v1/jobs", headers={"Accept": "application/json;q=0"}), 406, "not_acceptable")
    for good in ("application/json", "text/html, */*;q=0.1", "application/*"):
        assert service.get("/v1/jobs", headers={"Accept": good}).status_code == 200
    job = service.submit()
    check_problem(service.get(f"/v1/jobs/{job}/events", headers={"Accept": "application/json"}), 406, "not_acceptable")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=-1", "limit=abc", "limit=5.0", "limit=%205", "limit=", "limit=1e1"]
)
def test_limits_out_of_range(service: Service, query: str) -> None:
    check_problem(service.get(f"/v1/jobs?{query}"), 422)


def test_unknown_and_repeated_query_parameters(service: Service) -> None:
    body = check_problem(service.get("/v1/jobs?limti=5"), 422, "query_unknown")
    assert body["errors"][0]["allowed"] == ["after", "limit", "state"]
    check_problem(service.get("/v1/jobs?limit=5&limit=6"), 422, "query_invalid")
    check_problem(service.get("/v1/jobs?state=done"), 422, "choice_unknown")
    check_problem(service.get("/livez?x=1"), 422, "query_unknown")


@pytest.mark.parametrize("after", ["x", "AAAA", "%00", "a" * 10_000, "MS4x.", "LS4x"])
def test_forged_cursors(service: Service, after: str) -> None:
    assert service.get(f"/v1/jobs?after={after}").status_code in ((400,) if len(after) < 512 else (422,))
    job = service.submit()
    assert service.get(f"/v1/jobs/{job}/trials?after={after}").status_code in (400, 422)
