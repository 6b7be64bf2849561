"""The OpenAPI document: FastAPI's own, with one schema for all errors."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from api.schemas.requests import DatasetRequest, DatasetUpload


class Problem(BaseModel):
    """Every error (RFC 9457). code: machine name; errors: each fault, with a pointer; example: a body that works."""

    class Fault(BaseModel):
        pointer: str
        rule: str
        detail: str
        allowed: Any = None

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[Fault]
    example: dict[str, Any] | None = None


def install(app: FastAPI) -> None:
    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas: dict[str, Any] = schema.setdefault("components", {}).setdefault("schemas", {})
    bodies = [route.body_field.field_info.annotation for route in app.state.routes if route.body_field]
    for model in (*bodies, DatasetRequest, DatasetUpload, Problem):
        # As pydantic writes them: FastAPI drops every `"default": null` and writes the bounds of integers as floats.
        own = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= own.pop("$defs", {}) | {model.__name__: own}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in schema["paths"].values():
        for operation in path.values():
            answers = operation["responses"]
            answers.pop("422", None)
            answers["default"] = {"description": "Any error", "content": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return schema
