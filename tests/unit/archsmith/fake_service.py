"""A fake service on a real socket: prepared answers, and a record of all requests."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """cut: send only so many bytes of the body, then close the connection."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


def answer(document: Any, status: int = 200) -> Answer:
    kind = "application/problem+json" if status >= 400 else "application/json"
    return Answer(status=status, body=json.dumps(document).encode(), headers={"Content-Type": kind})


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    return answer({"status": status, "code": code, "detail": detail, "errors": [], **more}, status)


Route = Callable[[Request], Answer]


class FakeService:
    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], Route] = {}
        self.requests: list[Request] = []
        self.url = ""

    def on(self, method: str, path: str, *answers: Answer | Route) -> None:
        """Give these answers in order; the last one is repeated."""
        left = list(answers)

        def route(request: Request) -> Answer:
            reply = left.pop(0) if len(left) > 1 else left[0]
            return reply if isinstance(reply, Answer) else reply(request)

        self.routes[method, path] = route

    def to(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]


def job(state: str = "running", **more: Any) -> dict[str, Any]:
    """A job view as the service sends it."""
    progress = {
        "trials": {"completed": 3, "running": 1},
        "trials_total": 20,
        "seconds_used": 6.0,
        "seconds_left": 594.0,
    }
    return {
        "id": "11111111-2222-3333-4444-555555555555",
        "name": "demo",
        "dataset": "digits",
        "state": state,
        "reason": None,
        "phase": "search",
        "waiting_for": None,
        "stopped_because": None,
        "created_at": "2026-01-02T03:04:05.678Z",
        "progress": progress,
        "best": {"trial": 2, "search_score": 0.95},
        "final_score": None,
        "mlflow_url": None,
        "links": {"self": "/v1/jobs/11111111-2222-3333-4444-555555555555"},
        **more,
    }


JOB = job()["id"]


@contextmanager
def running() -> Iterator[FakeService]:
    service = FakeService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            request = Request(
                method=self.command,
                path=parts.path,
                query={key: values[0] for key, values in parse_qs(parts.query).items()},
                headers={key.lower(): value for key, value in self.headers.items()},
                body=self._body(),
            )
            service.requests.append(request)
            route = service.routes.get((request.method, request.path))
            reply = route(request) if route else problem(404, "not_found", "no such path")
            self.send_response(reply.status)
            for key, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut])
            self.close_connection = reply.cut is not None

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_GET = do_POST = do_PATCH = do_DELETE = _serve

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exception(), ConnectionError):  # a client may go away in the middle
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
