"""Data sets: listing, adding, replacing and removing them. Their files are opened by a child process only."""

import contextlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError
from pydantic.functional_validators import BeforeValidator

from api import dataset_use, ingestion
from api.context import Context, ContextDep
from api.http import uploads
from api.http.body import Strict, StrictRoute, accepts, media_type, plain_bool
from api.http.errors import ProblemError
from api.http.faults import faults_of
from api.schemas.requests import DatasetRequest, UploadFields
from api.views import resources
from archsmith.errors import AlreadyExists, Fault, InvalidInput, NotFound
from search.ledger import DatasetRow
from workers.datasets import DatasetInfo, DataStore
from workers.settings import Settings

router = APIRouter(
    prefix="/v1/datasets", tags=["datasets"], dependencies=[accepts("application/json")], route_class=StrictRoute
)
Model = TypeVar("Model", bound=Strict)
OPTIONS = ("image_size", "image_fit", "group_by", "problem", "transpose", "kind")
"""Of formats, by name."""
UPLOADS = "uploads"
"""Folder in the state folder for uploads until they are read; emptied when the service starts."""


@router.get("")
def browse(context: ContextDep) -> resources.DatasetList:
    rows = {row.name: row for row in context.ledger.datasets()}
    items = []
    for name in context.store.names():
        with contextlib.suppress(NotFound):  # removed in this instant
            items.append(resources.dataset_view(context.store.describe(name), rows.get(name)))
    return resources.DatasetList(items=items)


@router.get("/{name}")
def show(context: ContextDep, name: str) -> resources.DatasetView:
    info = context.store.describe(name)
    rows = {row.name: row for row in context.ledger.datasets()}
    return resources.dataset_view(info, rows.get(name))


Forced = Annotated[
    bool,
    BeforeValidator(plain_bool, json_schema_input_type=bool),
    Query(description="remove it although jobs that have succeeded need it for compress, extend and replay"),
]


@router.delete("/{name}", status_code=204, response_class=Response)
def remove(context: ContextDep, name: str, force: Forced = False) -> None:
    """Remove a data set; its name is free at once, and jobs keep their reports and bundles.

    409 while a job that has not ended uses it, with the states that would do; and, unless forced, while a job that has
    succeeded needs it.
    """
    context.store.describe(name)  # 404 where there is none
    with dataset_use.unused(context, name, force=force, doing="removed"):
        context.store.remove(name)
    context.ledger.remove_dataset(name)


_BODIES = {
    "application/json": {"schema": {"$ref": "#/components/schemas/DatasetRequest"}},
    "multipart/form-data": {"schema": {"$ref": "#/components/schemas/DatasetUpload"}},
}
"""For the OpenAPI document: a signature can declare one media type only."""


@router.post("", status_code=201, openapi_extra={"requestBody": {"required": True, "content": _BODIES}})
async def add(context: ContextDep, request: Request, answer: Response) -> resources.DatasetView:
    """Upload a data set (multipart/form-data), or add one from a path on the service's machine (application/json).

    With `replace` it takes the place of the one of that name, under the same rules as removing that.
    """
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


async def _upload(context: Context, request: Request) -> resources.DatasetView:
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


def _by_path(context: Context, body: DatasetRequest) -> resources.DatasetView:
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


def _ingest(context: Context, body: DatasetRequest | UploadFields, sources: Sequence[Path]) -> resources.DatasetView:
    there = body.name in context.store.names()
    if there and not body.replace:
        detail = (
            f"there is a data set {body.name!r} already; choose another name, or replace it (`--replace`, replace=true)"
        )
        raise AlreadyExists(detail)
    info = _replaced(context, body, sources) if there else _read(body, sources, context.settings)
    row = DatasetRow(name=info.name, format=info.format, report=dict(info.report), bytes=info.bytes)
    # The files decide; a row with this name is of the data set before, or of one whose files somebody removed by hand.
    context.ledger.put_dataset(row)
    return resources.dataset_view(info, row)


def _replaced(context: Context, body: DatasetRequest | UploadFields, sources: Sequence[Path]) -> DatasetInfo:
    """Reads into a folder beside the data sets, whose name no data set can have, and swaps only what was read whole."""
    dataset_use.check_unused(context, body.name, force=body.force, doing="replaced")
    with tempfile.TemporaryDirectory(dir=context.store.root, prefix=".", suffix="-incoming") as folder:
        _read(body, sources, replace(context.settings, state=Path(folder)))
        with dataset_use.unused(context, body.name, force=body.force, doing="replaced"):  # reading may take minutes
            return context.store.replace(body.name, DataStore(Path(folder) / "datasets"))


def _read(body: DatasetRequest | UploadFields, sources: Sequence[Path], settings: Settings) -> DatasetInfo:
    """settings: with the state folder below which it is stored."""
    options = {name: getattr(body, name) for name in OPTIONS}
    ingestion.run(name=body.name, kind=body.format, sources=sources, settings=settings, options=options)
    return DataStore(settings.datasets).describe(body.name)
