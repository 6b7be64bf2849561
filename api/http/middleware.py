"""Middleware around all routes: request ids, checks of Host and Origin, the limit on the body.

Listening on loopback is not enough protection: a web page in a browser on the same machine can send requests here (DNS
rebinding, cross-site forms). The Host, Origin and Sec-Fetch-Site headers give it away.
"""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import problem
from api.options import whole_number
from archsmith.errors import PayloadTooLarge
from search.validate import Pool

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
JSON_LIMIT = 1024**2
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MULTIPART_SLACK = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """The settings of the HTTP interface.

    allowed_hosts: names accepted in the Host header besides the loopback ones, without port.
    pool: processors and accelerators of the whole cluster; jobs that ask for more are refused.
    """

    allowed_hosts: frozenset[str] = frozenset()
    pool: Pool

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Edge":
        """From ARCHSMITH_ALLOWED_HOSTS (comma-separated), ARCHSMITH_TOTAL_CPUS, ARCHSMITH_TOTAL_GPUS."""
        env = os.environ if environ is None else environ
        hosts = {name.strip().lower() for name in env.get("ARCHSMITH_ALLOWED_HOSTS", "").split(",")}
        return cls(
            allowed_hosts=frozenset(hosts - {""}),
            pool=Pool(
                cpus=_count(env, "ARCHSMITH_TOTAL_CPUS", float(os.cpu_count() or 1)),
                gpus=_count(env, "ARCHSMITH_TOTAL_GPUS", 0.0),
            ),
        )


def _count(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "")
    return float(whole_number(name, text, 0, 999_999)) if text else default


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, code: str, detail: str) -> None:
    await problem(Request(scope), status=status, code=code, detail=detail)(scope, receive, send)


class RequestId:
    """Gives every request an id: in its scope, in the header X-Request-Id and in every problem document."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_id)


class HostCheck:
    """Refuses unknown names in the Host header. The match is exact: a pattern would let DNS rebinding through."""

    def __init__(self, app: ASGIApp, *, edge: Edge) -> None:
        self.app = app
        self.names = LOOPBACK | edge.allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or _name(hosts[0]) not in self.names:
                detail = "this name in the Host header is not served; add it to ARCHSMITH_ALLOWED_HOSTS"
                await _refuse(scope, receive, send, 403, "host_not_allowed", detail)
                return
        await self.app(scope, receive, send)


def _name(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    if colon and port.isascii() and port.isdigit():
        return name
    return host.lower()


class OriginCheck:
    """Refuses requests from pages of other sites, except those that change nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in _SAFE and not _same_origin(Headers(scope=scope)):
            detail = "the Origin or Sec-Fetch-Site header names another site; its pages may not change anything here"
            await _refuse(scope, receive, send, 403, "origin_not_allowed", detail)
            return
        await self.app(scope, receive, send)


def _same_origin(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin, host = headers.get("origin"), headers.get("host", "")
    return origin is None or origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


class BodyLimit:
    """Stops reading the body at the limit, with and without a Content-Length header."""

    def __init__(self, app: ASGIApp, *, upload_limit: int) -> None:
        self.app = app
        self.upload_limit = upload_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        upload = headers.get("content-type", "").startswith("multipart/form-data")
        # The headers and boundaries of the parts come on top of the files' bytes.
        limit = self.upload_limit + _MULTIPART_SLACK if upload else JSON_LIMIT
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > limit:
            error = PayloadTooLarge(self.upload_limit if upload else JSON_LIMIT)
            await _refuse(scope, receive, send, 413, error.code, str(error))
            return
        seen = 0

        async def receive_counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise PayloadTooLarge(self.upload_limit if upload else JSON_LIMIT)
            return message

        await self.app(scope, receive_counted, send)
