"""Data sets: listing and adding them. Their files are opened by a child process only."""

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from api import ingestion, uploads, views
from api.body import Strict, StrictRoute, accepts, media_type
from api.context import Context, ContextDep
from api.errors import ProblemError
from api.faults import faults_of
from api.schemas import DatasetRequest, UploadFields
from archsmith.errors import AlreadyExists, Fault, InvalidInput
from search.ledger import DatasetRow

router = APIRouter(
    prefix="/v1/datasets", tags=["datasets"], dependencies=[accepts("application/json")], route_class=StrictRoute
)
Model = TypeVar("Model", bound=Strict)
UPLOADS = "uploads"
"""Folder in the state folder for uploads until they are read; emptied when the service starts."""


@router.get("")
def browse(context: ContextDep) -> views.DatasetList:
    rows = {row.name: row for row in context.ledger.datasets()}
    infos = [context.store.describe(name) for name in context.store.names()]
    return views.DatasetList(items=[views.dataset_view(info, rows.get(info.name)) for info in infos])


@router.get("/{name}")
def show(context: ContextDep, name: str) -> views.DatasetView:
    info = context.store.describe(name)
    rows = {row.name: row for row in context.ledger.datasets()}
    return views.dataset_view(info, rows.get(name))


_BODIES = {
    "application/json": {"schema": {"$ref": "#/components/schemas/DatasetRequest"}},
    "multipart/form-data": {"schema": {"$ref": "#/components/schemas/DatasetUpload"}},
}
"""For the OpenAPI document: a signature can declare one media type only."""


@router.post("", status_code=201, openapi_extra={"requestBody": {"required": True, "content": _BODIES}})
async def add(context: ContextDep, request: Request, answer: Response) -> views.DatasetView:
    """Upload a data set (multipart/form-data), or add one from a path on the service's machine (application/json)."""
    kind = media_type(request)
    if kind == "multipart/form-data":
        view = await _upload(context, request)
    elif kind == "application/json":
        request.state.model = DatasetRequest
        body = _checked(DatasetRequest, await request.json())
        view = await run_in_threadpool(_by_path, context, body)
    else:
        raise ProblemError(415, "media_type_unsupported", "send the body as application/json or multipart/form-data")
    answer.headers["Location"] = view.links["self"]
    return view


async def _upload(context: Context, request: Request) -> views.DatasetView:
    parent = context.settings.state / UPLOADS
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="upload-") as folder:
        form = await uploads.receive(request, Path(folder), limit=context.settings.max_upload_bytes)
        fields = _checked(UploadFields, form.fields)
        if not form.files:
            detail = "the upload has no file; send the data as one or more file parts"
            raise InvalidInput(Fault(pointer="/file", rule="file_missing", detail=detail))
        return await run_in_threadpool(_ingest, context, fields, form.files)


def _checked(model: type[Model], fields: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidInput(faults_of(error.errors(include_url=False), model=model)) from None


def _by_path(context: Context, body: DatasetRequest) -> views.DatasetView:
    source = _allowed(Path(body.path), context.settings.data_roots)
    return _ingest(context, body, [source])


def _allowed(path: Path, roots: tuple[Path, ...]) -> Path:
    """The path with all links resolved. Raises InvalidInput if that is not below one of the roots."""
    shown = [str(root) for root in roots]
    detail = "the path must lie below one of the folders in ARCHSMITH_DATA_ROOTS"
    detail += f": {', '.join(shown)}" if roots else ", and the service was started without any"
    refused = InvalidInput(Fault(pointer="/path", rule="path_not_allowed", detail=detail, allowed=shown))
    if not path.is_absolute():
        raise refused
    try:
        real = path.resolve()
        if not any(real.is_relative_to(root.resolve()) for root in roots):
            raise refused
        if not real.exists():
            detail = f"there is no file or folder {path} on the service's machine"
            raise InvalidInput(Fault(pointer="/path", rule="path_not_found", detail=detail))
    except (OSError, RuntimeError):  # the path is too long, or its links form a loop
        raise refused from None
    return real


def _ingest(context: Context, body: DatasetRequest | UploadFields, sources: Sequence[Path]) -> views.DatasetView:
    name = body.name
    if name in context.store.names():
        raise AlreadyExists(f"there is a data set {name!r} already; choose another name")
    ingestion.run(
        name=name,
        kind=body.format,
        sources=sources,
        settings=context.settings,
        image_size=body.image_size,
        transpose=body.transpose,
    )
    info = context.store.describe(name)
    row = DatasetRow(name=name, format=info.format, report=dict(info.report), bytes=info.bytes)
    # The files decide; a row with this name is left from files that somebody removed by hand.
    with contextlib.suppress(AlreadyExists):
        context.ledger.add_dataset(row)
    return views.dataset_view(info, row)
