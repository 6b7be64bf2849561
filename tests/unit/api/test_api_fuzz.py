"""No input may give a 500: documents with parts replaced, and bytes of any kind."""

import copy
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.effort import share
from tests.unit.api.support import Service

# One service for all examples of a test: what is stored by one does not matter to the next.
KEEP = settings(max_examples=share(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WHOLE: dict[str, Any] = {
    "name": "fuzz",
    "dataset": "digits",
    "seed": 7,
    "reproducible": False,
    "space": "tiny",
    "controller": {"name": "reinforce", "entropy": 0.01},
    "objective": {"maximize": "score", "constraints": ["params <= 500000"]},
    "budget": {"trials": 60, "epochs": 8},
    "trial": {"cpus": 1, "gpus": 0, "timeout_s": 120, "scheduler": "asha"},
    "finalists": {"top": 3, "seeds": 1},
}
_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 1, 2**31, 2**63, -(2**63), 0.5, 1e308, -0.0, "", "0", "tiny", "a" * 3000, "\ud800", "\x00", "é",
     "../x", "params", "params <= 1e400", "((((", "1/0 < params", [], {}, [[]], {"": {}}, [None] * 20],
)  # fmt: skip
ODD = _ODD.map(copy.deepcopy)  # the document grows inside them


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in _places(inner, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn, whole: dict[str, Any]) -> Any:
    """The document with up to three values replaced, removed or added."""
    document: Any = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        places = [place for place in _places(document) if place]
        if not places:
            break
        place = draw(st.sampled_from(places))
        holder = document
        for key in place[:-1]:
            holder = holder[key]
        how = draw(st.sampled_from(["replace", "remove", "add"]))
        if how == "replace":
            holder[place[-1]] = draw(ODD)
        elif how == "remove":
            del holder[place[-1]]
        elif isinstance(holder, dict):
            holder[draw(st.text(max_size=5))] = draw(ODD)
    return document


def _send(service: Service, path: str, body: bytes) -> int:
    answer = service.post(path, content=body, headers={"Content-Type": "application/json"})
    status: int = answer.status_code
    assert status < 500, (body, answer.text)
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"]
    return status


@KEEP
@given(mutated(WHOLE))
def test_mutated_jobs(service: Service, document: Any) -> None:
    assert _send(service, "/v1/jobs", json.dumps(document).encode()) in (202, 400, 422)


@pytest.mark.heavy
def test_mutated_spaces(service: Service) -> None:
    presets = service.get("/v1/spaces").json()["items"]
    whole = next(item["document"] for item in presets if item["name"] == "tiny")

    @KEEP
    @given(mutated({"space": whole, "input_shape": [1, 8, 8], "classes": 10}))
    def check(document: Any) -> None:
        assert _send(service, "/v1/spaces/validate", json.dumps(document).encode()) in (200, 400, 422)

    check()


@KEEP
@given(st.binary(max_size=300))
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/spaces/validate", "/v1/datasets"])
def test_any_bytes(service: Service, path: str, body: bytes) -> None:
    assert _send(service, path, body) in (400, 422)


@KEEP
@given(st.binary(max_size=300))
def test_any_bytes_as_multipart(service: Service, body: bytes) -> None:
    for whole in (body, b"--b\r\n" + body, b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + body):
        answer = service.post(
            "/v1/datasets", content=whole, headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
        assert answer.status_code in (400, 422), answer.text


@KEEP
@given(st.text(st.characters(codec="utf-8"), max_size=40), st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_path_and_query(service: Service, tail: str, query: str) -> None:
    for path in ("/v1/jobs/", "/v1/datasets/", "/"):
        answer = service.client.request("GET", path + quote(tail), params={"after": query, "limit": "5"})
        assert answer.status_code < 500, answer.text


@KEEP
@given(st.sampled_from(["Idempotency-Key", "Last-Event-ID", "Accept", "Range", "Origin"]), st.binary(max_size=40))
def test_any_header(service: Service, name: str, value: bytes) -> None:
    for path in ("/v1/jobs", "/v1/jobs/00000000-0000-0000-0000-000000000000/bundle"):
        assert service.get(path, headers={name: value}).status_code < 500
    assert service.post("/v1/jobs", json={"dataset": "no"}, headers={name: value}).status_code < 500
