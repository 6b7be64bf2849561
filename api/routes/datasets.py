"""Data sets: what is there, and bringing new ones in. The files themselves are only ever opened by a child process."""

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
"""Folder below the state folder where uploads lie until they are read; whatever is in it at start is left over."""


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
"""For the OpenAPI document: FastAPI can read one media type off a signature, not two."""


@router.post("", status_code=201, openapi_extra={"requestBody": {"required": True, "content": _BODIES}})
async def add(context: ContextDep, request: Request, answer: Response) -> views.DatasetView:
    """Upload a data set (multipart/form-data), or register one by path (application/json)."""
    kind = media_type(request)
    if kind == "multipart/form-data":
        view = await _upload(context, request)
    elif kind == "application/json":
        request.state.model = DatasetRequest
        wanted = _checked(DatasetRequest, await request.json())
        view = await run_in_threadpool(_by_path, context, wanted)
    else:
        raise ProblemError(415, "media_type_unsupported", "send application/json or multipart/form-data")
    answer.headers["Location"] = view.links["self"]
    return view


async def _upload(context: Context, request: Request) -> views.DatasetView:
    parent = context.settings.state / UPLOADS
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="upload-") as folder:
        form = await uploads.receive(request, Path(folder), limit=context.settings.max_upload_bytes)
        fields = _checked(UploadFields, form.fields)
        if not form.files:
            detail = "send the data as one or more file parts"
            raise InvalidInput(Fault(pointer="/file", rule="file_missing", detail=detail))
        return await run_in_threadpool(_ingest, context, fields, form.files)


def _checked(model: type[Model], fields: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidInput(faults_of(error.errors(include_url=False), model=model)) from None


def _by_path(context: Context, wanted: DatasetRequest) -> views.DatasetView:
    source = _allowed(Path(wanted.path), context.settings.data_roots)
    return _ingest(context, wanted, [source])


def _allowed(path: Path, roots: tuple[Path, ...]) -> Path:
    """The path with every link followed, if that lies below a root. Raises InvalidInput."""
    shown = [str(root) for root in roots]
    detail = "the path must lie below one of the folders in ARCHSMITH_DATA_ROOTS"
    detail += f" ({', '.join(shown)})" if roots else ", and none is set"
    refused = InvalidInput(Fault(pointer="/path", rule="path_not_allowed", detail=detail, allowed=shown))
    if not path.is_absolute():
        raise refused
    try:
        real = path.resolve()
        if not any(real.is_relative_to(root.resolve()) for root in roots):
            raise refused
        if not real.exists():
            detail = "there is nothing at this path"
            raise InvalidInput(Fault(pointer="/path", rule="path_not_found", detail=detail))
    except (OSError, RuntimeError):  # too long, a loop of links
        raise refused from None
    return real


def _ingest(context: Context, wanted: DatasetRequest | UploadFields, sources: Sequence[Path]) -> views.DatasetView:
    name = wanted.name
    if name in context.store.names():
        raise AlreadyExists(f"there is a data set {name!r} already")
    ingestion.run(
        name=name, kind=wanted.format, sources=sources, settings=context.settings, image_size=wanted.image_size
    )
    info = context.store.describe(name)
    row = DatasetRow(name=name, format=info.format, report=dict(info.report), bytes=info.bytes)
    # The files are the truth; a row of that name can only be left from files that somebody removed by hand.
    with contextlib.suppress(AlreadyExists):
        context.ledger.add_dataset(row)
    return views.dataset_view(info, row)
