"""Errors as responses: the HTTP status of each class, and one kind of body (problem details, RFC 9457)."""

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from api.http.faults import example_of, faults_of
from archsmith.errors import (
    AlreadyExists,
    ArchsmithError,
    ClusterAway,
    ConfigurationError,
    Conflict,
    Fault,
    ImpossibleShape,
    InvalidArchitecture,
    InvalidBundle,
    InvalidDataset,
    InvalidExpression,
    InvalidInput,
    InvalidSpace,
    JobFailure,
    LeaseLost,
    MalformedInput,
    NotFound,
    PayloadTooLarge,
    SpaceExhausted,
    TrialFailure,
    Unavailable,
    UnknownTrial,
)

log = logging.getLogger(__name__)

STATUS: dict[type[ArchsmithError], int] = {
    MalformedInput: 400,
    InvalidInput: 422,
    InvalidSpace: 422,
    InvalidDataset: 422,
    InvalidBundle: 422,
    InvalidExpression: 422,
    InvalidArchitecture: 422,
    ImpossibleShape: 422,
    NotFound: 404,
    Conflict: 409,
    AlreadyExists: 409,
    LeaseLost: 409,
    PayloadTooLarge: 413,
    SpaceExhausted: 422,
    Unavailable: 503,
    ClusterAway: 503,
    # Errors of drivers, trials and start-up: if a route raises one of them, it has a bug.
    UnknownTrial: 500,
    JobFailure: 500,
    TrialFailure: 500,
    ConfigurationError: 500,
}
"""A test fails if a subclass of ArchsmithError is missing here."""

MEDIA_TYPE = "application/problem+json"
_MAX_DETAIL = 600
_MAX_ALLOWED = 100
_MAX_FAULTS = 100


class ProblemError(HTTPException):
    """An error that exists in HTTP only (media type, range, busy). code: the problem's machine name."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.code = code
        self.more = dict(more or {})


def problem(
    request: Request,
    *,
    status: int,
    code: str,
    detail: str,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """An application/problem+json response. What it quotes of the request is cut to a limit."""
    state: dict[str, Any] = request.scope.get("state", {})
    body: dict[str, Any] = {
        "type": f"urn:archsmith:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": _clip(detail),
        "instance": quote(request.scope["path"][:200], errors="replace"),
        "code": code,
        "request_id": state.get("request_id", ""),
        "errors": [_fault(fault) for fault in faults[:_MAX_FAULTS]],
        **(more or {}),
    }
    if faults and (example := example_of(state.get("model"))):
        body["example"] = example
    # ASCII only: a message may quote a lone surrogate of the request, which UTF-8 cannot encode.
    text = json.dumps(body, ensure_ascii=True, allow_nan=False)
    # Set here as well, because responses to bugs are made outside of the RequestId middleware.
    named = {"X-Request-Id": body["request_id"], "X-Content-Type-Options": "nosniff", **(headers or {})}
    return Response(text, status, named, media_type=MEDIA_TYPE)


def _clip(text: str) -> str:
    return text if len(text) <= _MAX_DETAIL else text[: _MAX_DETAIL - 1] + "…"


def _fault(fault: Fault) -> dict[str, Any]:
    allowed = fault.allowed
    if isinstance(allowed, (list, tuple, set, frozenset)):
        allowed = list(allowed)[:_MAX_ALLOWED]
    return {"pointer": _clip(fault.pointer), "rule": fault.rule, "detail": _clip(fault.detail), "allowed": allowed}


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.exception_handler(ArchsmithError)(_on_own)
    app.exception_handler(RequestValidationError)(_on_validation)
    app.exception_handler(HTTPException)(_on_http)
    app.exception_handler(ClientDisconnect)(_on_disconnect)
    app.exception_handler(Exception)(_on_bug)


def status_of(error: ArchsmithError) -> int:
    """The status of the error's nearest base class in STATUS."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


async def _on_own(request: Request, error: ArchsmithError) -> Response:
    status = status_of(error)
    if status >= 500 and not isinstance(error, Unavailable):
        log.error("an internal error reached the HTTP interface", exc_info=error)
        return await _on_bug(request, error)
    if isinstance(error, InvalidInput):
        return _invalid(request, status, error.code, error.faults)
    more: dict[str, Any] = {}
    if isinstance(error, Conflict) and error.state is not None:
        more = {"state": error.state, "allowed": list(error.allowed)}
    headers = {"Retry-After": "2"} if status == 503 else None
    return problem(request, status=status, code=error.code, detail=str(error), headers=headers, more=more)


def _invalid(request: Request, status: int, code: str, faults: Sequence[Fault]) -> Response:
    rules = {fault.rule for fault in faults}
    detail = "; ".join(f"{fault.pointer or 'the body'}: {fault.detail}" for fault in faults)
    # If all faults break one rule, its name says more than the class of the error.
    return problem(request, status=status, code=rules.pop() if len(rules) == 1 else code, detail=detail, faults=faults)


async def _on_validation(request: Request, error: RequestValidationError) -> Response:
    model = request.scope["state"].get("model")
    return _invalid(request, 422, InvalidInput.code, faults_of(error.errors(), skip=1, model=model))


async def _on_http(request: Request, error: HTTPException) -> Response:
    status, headers, detail = error.status_code, dict(error.headers or {}), str(error.detail)
    if isinstance(error, ProblemError):
        return problem(request, status=status, code=error.code, detail=detail, headers=headers, more=error.more)
    if status == 404:
        return problem(request, status=404, code="not_found", detail="no such path; /openapi.json lists them")
    if status == 405:
        allow = ", ".join(_methods(request))
        detail = f"{request.method[:20]} is not allowed on this path; allowed: {allow}"
        return problem(request, status=405, code="method_not_allowed", detail=detail, headers={"Allow": allow})
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    return problem(request, status=status, code=code, detail=detail, headers=headers)


def _methods(request: Request) -> list[str]:
    """The methods of all routes with this path; the router itself gives those of the first route only."""
    found: set[str] = set()
    for route in (*request.app.routes, *request.app.state.routes):
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            found |= set(getattr(route, "methods", None) or ())
    return sorted(found)


async def _on_disconnect(request: Request, error: Exception) -> Response:  # noqa: ARG001
    # Nobody reads the response; it is here so that no stack trace is logged.
    return problem(request, status=400, code="body_incomplete", detail="the connection was closed within the body")


async def _on_bug(request: Request, error: Exception) -> Response:
    # The server logs the stack trace; the response says how to find it.
    request_id = request.scope.get("state", {}).get("request_id")
    log.error("request %s, %s %r: %s", request_id, request.method, request.url.path, type(error).__name__)
    return problem(
        request, status=500, code="internal", detail="internal error; the service's log has it under this request_id"
    )
