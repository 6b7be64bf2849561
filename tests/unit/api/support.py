"""Helpers of the tests of the API."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

from search.ledger import Ledger
from workers.settings import Settings

BASE = "http://127.0.0.1:8080"


class Local:
    """A synchronous client of an application in this process. A bug of the application is a response (500)."""

    def __init__(self, app: FastAPI, portal: BlockingPortal) -> None:
        self.app = app
        self._portal = portal
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=BASE)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        if isinstance(options.get("content"), list):
            options["content"] = _chunks(options["content"])
        return self._portal.call(partial(self._client.request, method, path, **options))


async def _chunks(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@contextmanager
def local(app: FastAPI) -> Iterator[Local]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(app.router.lifespan_context(app)):
        yield Local(app, portal)


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    client: Local
    ledger: Ledger
    settings: Settings

    def get(self, path: str, **options: Any) -> Any:
        return self.client.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        return self.client.request("POST", path, **options)

    def patch(self, path: str, **options: Any) -> Any:
        return self.client.request("PATCH", path, **options)

    def submit(self, **fields: Any) -> Any:
        """Submit a job and return its id."""
        answer = self.post("/v1/jobs", json={"dataset": "digits", "space": "tiny", **fields})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]


def check_problem(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """Check the shape that every error has; returns the body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id", "errors"} <= body.keys()
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["detail"]
    for fault in body["errors"]:
        assert fault.keys() == {"pointer", "rule", "detail", "allowed"}
    if code is not None:
        assert body["code"] == code, body
    return body
