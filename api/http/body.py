"""Reading requests strictly: JSON bodies, query parameters, the Accept header."""

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from pydantic.functional_validators import BeforeValidator
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response

from api.http import strict_json
from api.http.errors import ProblemError
from archsmith.errors import Fault, InvalidInput, pointer


class Strict(BaseModel):
    """A part of a request body: no unknown keys; `true`, "1" and 40.0 are not integers."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


class StrictRequest(Request):
    """A request whose JSON body is read by `strict_json` and must be an object."""

    async def json(self) -> dict[str, Any]:
        """The body, parsed once. Raises ProblemError (415), MalformedInput or InvalidInput."""
        if not hasattr(self, "_json"):
            if media_type(self) != "application/json":
                raise ProblemError(415, "media_type_unsupported", "send the body with Content-Type: application/json")
            if self.headers.get("content-encoding", "identity").lower() != "identity":
                raise ProblemError(415, "content_encoding_unsupported", "send the body without Content-Encoding")
            self._json = strict_json.parse(await self.body())
        if not isinstance(self._json, dict):
            raise InvalidInput(
                Fault(pointer="", rule="type_mismatch", detail="must be a JSON object", allowed="an object")
            )
        return self._json


class StrictRoute(APIRoute):
    """A route that reads its body with `StrictRequest` and keeps the body's model in the state, for error responses."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        body = self.body_field

        async def handle_strict(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            if body is not None:
                strict.state.model = body.field_info.annotation
                await strict.json()  # first here: FastAPI turns whatever its own call raises into a plain 400
            return await handle(strict)

        return handle_strict


def plain_query(request: Request) -> None:
    """A dependency of every route. Raises InvalidInput if a query parameter is unknown or comes twice."""
    route = request.scope.get("route")
    known = sorted(field.alias for field in route.dependant.query_params) if route is not None else []
    faults: list[Fault] = []
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            detail = f"there is no query parameter {name[:60]!r} on this path"
            faults.append(Fault(pointer=pointer(name[:60]), rule="query_unknown", detail=detail, allowed=known))
        elif name in seen:
            faults.append(Fault(pointer=pointer(name), rule="query_invalid", detail=f"{name} must be given once"))
        seen.add(name)
    if faults:
        raise InvalidInput(faults)


def accepts(*offered: str) -> Any:
    """A dependency that raises ProblemError (406) if the Accept header allows none of the offered media types."""

    def check(request: Request) -> None:
        header = request.headers.get("accept", "").strip()
        ranges = {part.partition(";")[0].strip().lower() for part in header.split(",") if not _ZERO.search(part)}
        for kind in offered:
            if not header or ranges & {kind, kind.partition("/")[0] + "/*", "*/*"}:
                return
        raise ProblemError(406, "not_acceptable", f"the Accept header must allow {' or '.join(offered)}")

    return Depends(check)


_ZERO = re.compile(r";\s*q\s*=\s*0(\.0*)?\s*(;|$)")


def _digits(value: Any) -> Any:
    # Pydantic would take "5.0" and " 5" as 5.
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value):
        raise PydanticCustomError("type_mismatch", "must be a whole number, in digits only")
    return value


def plain_bool(value: Any) -> Any:
    """A flag in a query is `true` or `false`; pydantic would take "1" and "yes" too."""
    if isinstance(value, str) and value not in ("true", "false"):
        raise PydanticCustomError("type_mismatch", "must be true or false")
    return value


Limit = Annotated[int, BeforeValidator(_digits, json_schema_input_type=int), Query(ge=1, le=500)]
After = Annotated[str | None, Query(max_length=512, description="`next` of the previous page")]
