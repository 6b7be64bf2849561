"""What of the installed MLflow can be reached: every route of both its layers, by every method, against the list."""

import asyncio
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from workers.tracking.mlflow_server import CREATE_EXPERIMENT, EMPTY, MAX_EXPERIMENT_BYTES, MODEL_SOURCE, ROUTES, Door

HOST = "127.0.0.1:5000"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")
CREATE = "/api/2.0/mlflow/experiments/create"
RUN = "/api/2.0/mlflow/runs/get"
ASSISTANT = "/ajax-api/3.0/mlflow/assistant"
Headers = Sequence[tuple[str, str]]


def ask(method: str, path: str, *, headers: Headers = (("Host", HOST),), body: bytes = b"") -> tuple[int, Any]:
    """(status, what MLflow got as a body) behind the door; the status is 299 where MLflow would have answered."""
    got: list[bytes] = []
    sent: list[Any] = []

    async def mlflow(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        got.append((await receive())["body"])
        length = dict(scope["headers"]).get(b"content-length")
        assert length is None or int(length) == len(got[0])
        await send({"type": "http.response.start", "status": 299, "headers": []})

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    named = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "method": method, "path": path, "headers": named}
    asyncio.run(Door(mlflow, hosts=[HOST, "localhost:5000"])(scope, receive, send))
    assert (sent[0]["status"] == 299) == bool(got)
    return sent[0]["status"], got[0] if got else b"".join(message.get("body", b"") for message in sent)


def native_routes(routes: Any) -> Iterator[tuple[str, str]]:
    """(method, template) of MLflow's FastAPI application. A kind of route that is not known here fails the test."""
    for route in routes:
        if hasattr(route, "effective_route_contexts"):
            yield from native_routes(one.starlette_route or one for one in route.effective_route_contexts())
        elif type(route).__name__ in ("APIRoute", "Route", "_EffectiveRouteContext"):
            assert route.methods, f"{route.path} answers any method"
            yield from ((method, route.path) for method in route.methods)
        else:
            mounted = route.app.app  # the only other thing there may be is Flask's application, below
            assert (type(route).__name__, route.path, type(mounted).__name__) == ("Mount", "", "Flask")


@pytest.fixture(scope="module")
def installed() -> set[tuple[str, str]]:
    """(method, template) of both layers of the installed version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own use of what Starlette and others will drop
        from mlflow.server import app as flask
        from mlflow.server.fastapi_app import app
    found = set(native_routes(app.routes))
    assert ("PUT", f"{ASSISTANT}/config") in found
    rules = {(method, rule.rule) for rule in flask.url_map.iter_rules() for method in rule.methods or METHODS}
    assert ("POST", "/graphql") in rules
    return found | rules


def plain(template: str) -> str:
    """FastAPI's, Flask's and our own templates in one spelling."""
    template = re.sub(r"<path:\w+>|\{\w+:path\}", "{*}", template)
    template = re.sub(r"<\w+>|\{\w+\}", "{}", template)
    assert not re.search(r"[<>]|\{[^*}]", template), f"{template}: a converter this test does not know"
    return template


LISTED = {(method, plain(path)) for method, path in ROUTES}


@pytest.mark.heavy
def test_every_route_is_listed_or_closed(installed: set[tuple[str, str]], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR")
    opened, closed = set(), set()
    for template in {template for _, template in installed}:
        for method in METHODS:
            path = plain(template).replace("{*}", "a/b").replace("{}", "c")
            body = b'{"name": "a"}' if (method, path) in CREATE_EXPERIMENT else b""
            status, _ = ask(method, path, body=body)
            if status == 299:
                opened.add((method, plain(template)))
            else:
                assert status == (200 if (method, path) in EMPTY else 404)
                closed.add((method, plain(template)))
    existing = {(method, plain(template)) for method, template in installed}
    assert opened & existing - LISTED == set(), "reached through the template of another route: list or close them"
    assert LISTED - opened == set()
    assert LISTED - existing == set(), "listed, but not there in this version of MLflow"
    shut = existing & closed
    assert len(shut) > 2 * len(LISTED), f"{len(shut)} closed, {len(LISTED)} open"
    for word in ("assistant", "gateway", "jobs", "webhooks", "scorers", "traces", "mcp-servers", "upload-artifact"):
        assert any(word in template for _, template in shut), f"{word} is not in this version any more"
        assert not any(word in template for _, template in LISTED)
    assert not any(method in ("HEAD", "OPTIONS") for method, _ in LISTED)


@pytest.mark.parametrize(
    "path",
    [
        "//api/2.0/mlflow/runs/get",
        "/api/2.0//mlflow/runs/get",
        "/api/2.0/mlflow/./runs/get",
        "/api/2.0/mlflow/runs/x/../get",
        "/api/2.0/mlflow/runs/get/",
        "/API/2.0/mlflow/runs/get",
        "/api/2.0/mlflow/runs/get%2f",
        "/api/2.0/mlflow/runs\\get",
        "/api/2.0/mlflow/runs/get\n",
        "/mlflow/api/2.0/mlflow/runs/get",
        "http://127.0.0.1:5000/api/2.0/mlflow/runs/get",
        "/static-files/../ajax-api/3.0/mlflow/assistant/config",
        "/static-files//ajax-api/3.0/mlflow/assistant/config",
        "/static-files/%2e%2e/ajax-api/3.0/mlflow/assistant/config",
        "/api/2.0/mlflow-artifacts/artifacts/../../../../etc/passwd",
        "/api/2.0/mlflow-artifacts/artifacts/%2e%2e/x",
        "/api/2.0/mlflow-artifacts/artifacts/a/..",
        "/api/2.0/mlflow-artifacts/artifacts//etc/passwd",
        "/api/2.0/mlflow-artifacts/artifacts/",
        "/ajax-api/2.0/mlflow/logged-models/a/b",
        "",
        "*",
    ],
)
def test_other_spellings_of_a_path_are_closed(path: str) -> None:
    assert ask("GET", RUN)[0] == 299
    assert ask("GET", path)[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        [("Host", HOST), ("Origin", "http://localhost:3000")],
        [("Host", HOST), ("Origin", "http://localhost:5000")],
        [("Host", HOST), ("Origin", "null")],
        [("Host", HOST), ("Origin", "")],
        [("Host", HOST), ("Origin", f"http://{HOST}"), ("Origin", "http://evil.example")],
        [("Host", HOST), ("Origin", f"http://{HOST}.evil.example")],
        [("Host", HOST), ("Sec-Fetch-Site", "cross-site")],
        [("Host", HOST), ("Sec-Fetch-Site", "same-site")],
        [("Host", "evil.example:5000")],
        [("Host", "127.0.0.1")],
        [("Host", HOST), ("Host", "evil.example:5000")],
        [],
    ],
)
@pytest.mark.parametrize("route", [("GET", RUN), ("POST", CREATE), ("GET", "/health"), ("OPTIONS", RUN), *EMPTY])
def test_foreign_pages_and_names_are_refused(headers: Headers, route: tuple[str, str]) -> None:
    assert ask(*route, headers=headers)[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        [("host", "LocalHost:5000"), ("Origin", "http://localhost:5000")],
        [("Host", HOST), ("Origin", f"http://{HOST}"), ("Sec-Fetch-Site", "same-origin")],
        [("Host", HOST), ("Sec-Fetch-Site", "none")],
    ],
)
def test_the_page_itself_and_programs_are_let_in(headers: Headers) -> None:
    assert ask("POST", "/api/2.0/mlflow/runs/search", headers=headers)[0] == 299
    assert ask("GET", "/", headers=[("Host", HOST), ("Sec-Fetch-Site", "cross-site")])[0] == 299  # a link to it


def test_websockets_are_closed() -> None:
    sent: list[Any] = []

    async def mlflow(*_: Any) -> None:
        raise AssertionError("reached")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": [(b"host", HOST.encode())]}
    asyncio.run(Door(mlflow, hosts=[HOST])(scope, mlflow, send))  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_an_experiment_gets_to_mlflow_as_it_was_checked() -> None:
    status, body = ask("POST", CREATE, body=b'{"name": "x", "name": "a", "tags": [{"key": "k", "value": "v"}]}')
    assert status == 299
    assert json.loads(body) == {"name": "a", "tags": [{"key": "k", "value": "v"}]}
    assert body.count(b"name") == 1


@pytest.mark.parametrize("path", sorted(path for _, path in CREATE_EXPERIMENT))
@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "artifact_location": "file:///etc"}',
        b'{"name": "a", "artifactLocation": "/etc"}',
        b'{"name": "a", "artifact\\u005flocation": "s3://b"}',
        b'"{\\"name\\": \\"a\\", \\"artifact_location\\": \\"/etc\\"}"',
        b"[]",
        b"",
        b"\xff",
        b"[" * 100_000,
        b'{"name": "' + b"a" * MAX_EXPERIMENT_BYTES + b'"}',
    ],
)
def test_no_experiment_has_a_place_of_its_own(path: str, body: bytes) -> None:
    assert ask("POST", path, body=body)[0] == 400


@pytest.mark.parametrize("source", ["runs:/0a1b/bundle", "models:/m-1", "models:/a b/2", "mlflow-artifacts:/1/2/a"])
def test_models_come_from_this_server(source: str) -> None:
    assert re.search(MODEL_SOURCE, source)


@pytest.mark.parametrize(
    "source",
    [
        *("file:///etc", "/etc", "etc", "FILE:///etc", "s3://b/k", "http://a/b", "dbfs:/x", "local:/etc", ""),
        *("mlflow-artifacts://evil/1", "mlflow-artifacts:/../etc", "x\nruns:/a/b", "runs:/a\n/../b", "runs:/a?b"),
    ],
)
def test_models_come_from_nowhere_else(source: str) -> None:
    assert not re.search(MODEL_SOURCE, source)


@pytest.mark.parametrize(("method", "kept"), [("POST", 3), ("PUT", 6)])
def test_a_body_without_end_is_cut_off_but_for_artifacts(
    method: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kept: of six pieces of 100 bytes, how many come to MLflow."""
    monkeypatch.setattr("workers.tracking.mlflow_server.MAX_BODY_BYTES", 300)
    path = (
        "/api/2.0/mlflow/runs/log-batch" if method == "POST" else "/api/2.0/mlflow-artifacts/artifacts/0/a/artifacts/b"
    )
    pieces: list[Any] = [{"type": "http.request", "body": b"x" * 100, "more_body": n < 5} for n in range(6)]
    seen: list[Any] = []

    async def mlflow(scope: Any, receive: Any, send: Any) -> None:
        while len(seen) < 6 and (not seen or seen[-1]["type"] == "http.request"):
            seen.append(await receive())

    async def receive() -> Any:
        return pieces.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [(b"host", HOST.encode())]}
    asyncio.run(Door(mlflow, hosts=[HOST])(scope, receive, send))
    assert sum(message["type"] == "http.request" for message in seen) == kept
