"""Reading a request: what it may say in its headers, its query and its JSON body."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.functional_validators import BeforeValidator
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from api import strict_json
from api.errors import Refused
from api.faults import validation_faults
from archsmith.errors import Fault, InvalidInput, pointer

Model = TypeVar("Model", bound="Strict")


class Strict(BaseModel):
    """A request's part: unknown keys are refused, `true` is no integer, "1" is no integer, 40.0 is no integer."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read(request: Request, model: type[Model]) -> Model:
    """The body as `model`. Raises Refused (415), MalformedInput or InvalidInput with every fault."""
    if media_type(request) != "application/json":
        raise Refused(415, "media_type_unsupported", "send the body as Content-Type: application/json")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "content_encoding_unsupported", "send the body without Content-Encoding")
    examples = (model.model_config.get("json_schema_extra") or {}).get("examples", [])  # type: ignore[union-attr]
    if isinstance(examples, list) and examples:
        request.state.example = examples[0]
    value = strict_json.parse(await request.body())
    if not isinstance(value, dict):
        raise InvalidInput(Fault(pointer="", rule="type_mismatch", detail="must be an object", allowed="an object"))
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(validation_faults(error, model)) from None


def body_of(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """A FastAPI dependency that reads the body as `model`."""

    async def dependency(request: Request) -> Model:
        return await read(request, model)

    return dependency


def document(model: type[BaseModel], **others: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a body that `body_of(model)` reads; the schemas themselves are added in
    api/openapi_schema.py."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
    for kind, other in others.items():
        content[kind] = {"schema": {"$ref": f"#/components/schemas/{other.__name__}"}}
    return {"requestBody": {"required": True, "content": content}}


def plain_query(request: Request) -> None:
    """A dependency of every route: each query parameter is known and comes once."""
    route = request.scope.get("route")
    known = sorted(field.alias for field in route.dependant.query_params) if route is not None else []
    faults: list[Fault] = []
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            detail = f"there is no query parameter {name[:60]!r} here"
            faults.append(Fault(pointer=pointer(name[:60]), rule="query_unknown", detail=detail, allowed=known))
        elif name in seen:
            faults.append(Fault(pointer=pointer(name), rule="query_invalid", detail=f"{name} comes more than once"))
        seen.add(name)
    if faults:
        raise InvalidInput(faults)


def accepts(*offered: str) -> Any:
    """A dependency: refuses with 406 a request whose Accept header takes none of the offered media types."""

    def check(request: Request) -> None:
        header = request.headers.get("accept", "").strip()
        ranges = {part.partition(";")[0].strip().lower() for part in header.split(",") if not _ZERO.search(part)}
        for kind in offered:
            if not header or ranges & {kind, kind.partition("/")[0] + "/*", "*/*"}:
                return
        raise Refused(406, "not_acceptable", f"this path answers with {' or '.join(offered)}")

    return Depends(check)


_ZERO = re.compile(r";\s*q\s*=\s*0(\.0*)?\s*(;|$)")


def _digits(value: Any) -> Any:
    # Without this "1e2", "5.0" and " 5" would do for 100, 5 and 5.
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value):
        raise PydanticCustomError("type_mismatch", "must be a whole number in plain digits")
    return value


def plain_bool(value: Any) -> Any:
    """A query's flag: "1" and "yes" are none."""
    if isinstance(value, str) and value not in ("true", "false"):
        raise PydanticCustomError("type_mismatch", "must be true or false")
    return value


Limit = Annotated[int, BeforeValidator(_digits, json_schema_input_type=int), Query(ge=1, le=500)]
After = Annotated[str | None, Query(max_length=512, description="`next` of the page before")]
