"""The OpenAPI document: FastAPI's own, plus the bodies that are read strictly and the one shape of every error."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from api.schemas import DatasetRequest, DatasetUpload, JobRequest, SpaceRequest

BODIES: tuple[type[BaseModel], ...] = (JobRequest, SpaceRequest, DatasetRequest, DatasetUpload)
_TEMPLATE = "#/components/schemas/{model}"


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
    models: tuple[type[BaseModel], ...] = (*BODIES, Problem)
    for model in models:
        own = model.model_json_schema(ref_template=_TEMPLATE)
        schemas.update(own.pop("$defs", {}))
        schemas[model.__name__] = own
    problem = {"application/problem+json": {"schema": {"$ref": _TEMPLATE.format(model="Problem")}}}
    for path in schema["paths"].values():
        for operation in path.values():
            answers = operation["responses"]
            answers.pop("422", None)
            answers["default"] = {"description": "Any error", "content": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return schema
