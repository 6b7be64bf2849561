"""`python -m workers.tracking.mlflow_server`: MLflow's server behind a list of the routes that may be reached.

MLflow 3.17 serves far more than tracking: an assistant whose model may run commands as the service's user, a gateway
and webhooks that call foreign addresses, jobs, traces. Nobody logs in here, so all of that would be open to every
account of the machine. Only what `ROUTES` names gets through, by method and exact path; the rest ends here, before
MLflow's code.
"""

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TRACKING = {
    "GET": "experiments/get experiments/get-by-name experiments/search runs/get metrics/get-history"
    " metrics/get-history-bulk-interval artifacts/list logged-models/{model_id}"
    " logged-models/{model_id}/artifacts/directories",
    "POST": "experiments/create experiments/delete experiments/restore experiments/update experiments/search"
    " experiments/set-experiment-tag experiments/delete-experiment-tag runs/create runs/delete runs/restore runs/update"
    " runs/search runs/set-tag runs/delete-tag runs/log-metric runs/log-parameter runs/log-batch runs/log-inputs"
    " runs/log-model runs/outputs logged-models logged-models/search logged-models/{model_id}/params",
    "PATCH": "logged-models/{model_id} logged-models/{model_id}/tags",
    "DELETE": "logged-models/{model_id} logged-models/{model_id}/tags/{tag_key}",
}
REGISTRY = {
    "GET": "registered-models/get registered-models/search registered-models/alias"
    " registered-models/get-latest-versions model-versions/get model-versions/search model-versions/get-download-uri",
    "POST": "registered-models/create registered-models/rename registered-models/set-tag registered-models/alias"
    " registered-models/get-latest-versions model-versions/create model-versions/set-tag"
    " model-versions/transition-stage",
    "PATCH": "registered-models/update model-versions/update",
    "DELETE": "registered-models/delete registered-models/delete-tag registered-models/alias model-versions/delete"
    " model-versions/delete-tag",
}
"""Both below /api/2.0/mlflow/, where clients call them, and /ajax-api/2.0/mlflow/, where the page does."""
CLIENT = {
    "GET": "/health /version /api/3.0/mlflow/server-info /api/2.0/mlflow-artifacts/artifacts"
    " /api/2.0/mlflow-artifacts/artifacts/{path:path}",
    "PUT": "/api/2.0/mlflow-artifacts/artifacts/{path:path}",
}
PAGE = {
    "GET": "/ /static-files/{path:path} /get-artifact /model-versions/get-artifact"
    " /ajax-api/3.0/mlflow/server-info /ajax-api/2.0/mlflow/metrics/get-history-bulk"
    " /ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files"
    " /ajax-api/2.0/mlflow-artifacts/artifacts /ajax-api/2.0/mlflow-artifacts/artifacts/{path:path}",
    "POST": "/graphql /ajax-api/2.0/mlflow/experiments/search-datasets",
}
"""/graphql: the page asks it for a run, its experiment and its model versions; all of its fields only read."""
EMPTY: dict[tuple[str, str], dict[str, list[object]]] = {
    ("GET", "/ajax-api/2.0/mlflow/gateway-proxy"): {"endpoints": []},
    ("POST", "/ajax-api/3.0/mlflow/traces/metrics"): {"data_points": []},
}
"""Answered here, without MLflow: the page of an experiment asks for both and shows errors where it gets a 404."""

_BASES = ("/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/")


def _routes() -> Iterator[tuple[str, str]]:
    for table, bases in ((TRACKING, _BASES), (REGISTRY, _BASES), (CLIENT, ("",)), (PAGE, ("",))):
        for method, paths in table.items():
            yield from ((method, base + path) for path in paths.split() for base in bases)


ROUTES = frozenset(_routes())
"""(method, path); {name} stands for one segment, {name:path} for any number."""
CREATE_EXPERIMENT = frozenset(("POST", base + "experiments/create") for base in _BASES)
EXPERIMENT_KEYS = {"name", "tags"}
"""No `artifact_location`: MLflow would write and read the files of the machine wherever it points."""
MODEL_SOURCE = r"(?s)\A(runs|models|mlflow-artifacts):/(?!/)(?!.*\.\.)[^?#\\]+\Z"
"""Models come from runs of this server; MLflow itself would take file:, s3: and others as well."""
MAX_EXPERIMENT_BYTES = 1 << 20
MAX_BODY_BYTES = 16 << 20
"""Of all requests but uploads of artifacts: a batch of 1,000 metrics has 100 kB."""
_TRICK = re.compile(r"//|/\.{1,2}(/|$)|\\|%[0-9a-f]{2}|[\x00-\x1f\x7f]", re.IGNORECASE)


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+(?::path)?\})", template)
    named = {True: ".+", False: "[^/]+"}
    return re.compile("".join(named[p.endswith(":path}")] if p.startswith("{") else re.escape(p) for p in parts))


_OPEN = {method: [_pattern(path) for m, path in sorted(ROUTES) if m == method] for method, _ in ROUTES}


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a request does not get to MLflow."""

    status: int
    reason: str

    @property
    def body(self) -> dict[str, str]:
        """In the form of MLflow's own errors, which its clients and its page show."""
        return {"error_code": "REFUSED", "message": self.reason}


class Door:
    """The application in front of MLflow's. hosts: the exact values of Host that it answers to."""

    def __init__(self, app: App, *, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return
        route, refusal = (scope["method"], scope["path"]), self.refusal(scope)
        if refusal is None and route in CREATE_EXPERIMENT:
            body = _checked(await _read(receive))
            if isinstance(body, Refusal):
                refusal = body
            else:
                scope, receive = _with_body(scope, receive, body)
        if refusal is not None:
            log.warning("refused %s %.200r: %s", *route, refusal.reason)
            await _answer(send, refusal.status, refusal.body)
        elif route in EMPTY:
            await _answer(send, 200, EMPTY[route])
        else:
            await self._app(scope, receive if scope["method"] == "PUT" else _at_most(receive, MAX_BODY_BYTES), send)

    def refusal(self, scope: Scope) -> Refusal | None:
        """Why a request stops here, by all that stands in its head; None = it may go on."""
        method, path = scope["method"], scope["path"]
        hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return Refusal(status=403, reason="this Host is not served here; --allowed-hosts adds names")
        # A page of another site, or of another port of this machine, is no page of ours. Links may lead to ours.
        sites = set() if path == "/" else {*_values(scope, b"sec-fetch-site")} - {"none", "same-origin"}
        if sites or any(origin not in (f"http://{hosts[0]}", f"https://{hosts[0]}") for origin in origins):
            return Refusal(status=403, reason="requests from other web pages are not answered here")
        known = (method, path) in EMPTY or any(pattern.fullmatch(path) for pattern in _OPEN.get(method, ()))
        if not known or _TRICK.search(path):
            return Refusal(status=404, reason="not served here: only tracking, registry, artefacts and the page are")
        return None


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").lower() for key, value in scope["headers"] if key.lower() == name]


async def _read(receive: Receive) -> bytes | None:
    """The body; None = too long, or the client is gone."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or len(body) > MAX_EXPERIMENT_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _at_most(receive: Receive, limit: int) -> Receive:
    """For MLflow, which keeps a body in memory: a longer one looks as if the client had gone."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= limit else {"type": "http.disconnect"}

    return limited


def _checked(body: bytes | None) -> bytes | Refusal:
    """A new experiment, written anew so that MLflow reads exactly what was checked here."""
    try:
        given = json.loads(body or b"")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return Refusal(status=400, reason="the body is no JSON object, or too long")
    if unknown := sorted(set(given) - EXPERIMENT_KEYS):
        return Refusal(
            status=400, reason=f"{unknown[0][:50]!r} may not be set here: only name and tags of an experiment"
        )
    return json.dumps(given).encode()


def _with_body(scope: Scope, receive: Receive, body: bytes) -> tuple[Scope, Receive]:
    replaced = (b"content-length", b"content-type", b"content-encoding", b"transfer-encoding")
    headers = [(key, value) for key, value in scope["headers"] if key.lower() not in replaced]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def once() -> Message:
        return messages.pop() if messages else await receive()

    return {**scope, "headers": headers}, once


async def _answer(send: Send, status: int, document: Mapping[str, object]) -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers.append((b"x-content-type-options", b"nosniff"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def mlflow_app(*, store: str, artifacts: str, hosts: Sequence[str]) -> App:
    """MLflow's own application, set up as `mlflow server --serve-artifacts` sets it up. Once a process."""
    os.environ |= {
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(hosts),
        "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": MODEL_SOURCE,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_AI_GATEWAY": "false",
        "MLFLOW_ENABLE_WORKSPACES": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    # MLflow builds its tables of routes, and reads some of its environment, while it is imported.
    from mlflow.server import constants, handlers

    root = "mlflow-artifacts:/"
    os.environ |= {
        constants.BACKEND_STORE_URI_ENV_VAR: store,
        constants.REGISTRY_STORE_URI_ENV_VAR: store,
        constants.ARTIFACT_ROOT_ENV_VAR: root,
        constants.ARTIFACTS_DESTINATION_ENV_VAR: artifacts,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
    }
    from mlflow.server.fastapi_app import app

    handlers.initialize_backend_stores(store, store, root)
    inner: App = app
    return inner


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.tracking.mlflow_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--backend-store-uri", required=True)
    parser.add_argument("--artifacts-destination", required=True)
    parser.add_argument("--allowed-hosts", required=True, help="HOST:PORT,… as browsers and clients write them")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    hosts = [host for host in map(str.strip, given.allowed_hosts.split(",")) if host]
    app = mlflow_app(store=given.backend_store_uri, artifacts=given.artifacts_destination, hosts=hosts)
    # lifespan: MLflow uses it for its assistant alone. proxy_headers: there is no proxy to believe.
    uvicorn.run(
        Door(app, hosts=hosts),
        host=given.host,
        port=given.port,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
