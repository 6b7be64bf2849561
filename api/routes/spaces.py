"""Spaces: the presets, the schema, and what a document of one's own would give."""

import statistics
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from api import views
from api.body import accepts, body_of, document
from api.context import Context, Here
from api.schemas import SpaceRequest
from archsmith.errors import Fault, InvalidInput, InvalidSpace
from search.check import DataShape, Sample, Samples, below, parse_space, sample
from space import presets
from space.schema import SCHEMA
from space.space import Space

TASKS_OF_AXES = {1: ("nodes", "graphs", "links"), 3: ("image",), 4: ("volume",)}
"""What may be asked about samples of so many axes, where no data set says it."""
router = APIRouter(prefix="/v1/spaces", tags=["spaces"], dependencies=[accepts("application/json")])


@router.get("")
def browse() -> views.PresetList:
    """The presets, whole."""
    links = {"schema": "/v1/spaces/schema", "validate": "/v1/spaces/validate"}
    items = [views.PresetView(name=name, document=presets.load(name), links=links) for name in presets.names()]
    return views.PresetList(items=items, links=links)


@router.get("/schema")
def schema() -> dict[str, Any]:
    """JSON Schema of a space document."""
    return dict(SCHEMA)


@router.post("/validate", openapi_extra=document(SpaceRequest))
def validate(context: Here, request: Annotated[SpaceRequest, Depends(body_of(SpaceRequest))]) -> views.SpaceReport:
    """Reads a space for a data set and samples it. 422 with every fault when it cannot be read."""
    data = _shape(context, request)
    try:
        space = parse_space(request.space, data)
    except InvalidSpace as error:
        raise InvalidInput(below("/space", error.faults)) from None
    return report(space, sample(space))


def _shape(context: Context, request: SpaceRequest) -> DataShape:
    if request.dataset is not None:
        if request.input_shape is not None or request.classes is not None:
            raise _fault("/dataset", "ambiguous", "give dataset, or input_shape and classes, not both")
        data = context.shape(request.dataset)
        if data is None:
            allowed = context.store.names()
            raise _fault("/dataset", "dataset_not_found", f"there is no data set {request.dataset[:80]!r}", allowed)
        return data
    if request.input_shape is None or request.classes is None:
        raise _fault("", "missing_field", "give dataset, or input_shape and classes")
    shape = tuple(request.input_shape)
    if len(shape) not in TASKS_OF_AXES:
        detail = f"an input shape is [C, H, W], [C, D, H, W] or [F], it cannot have {len(shape)} numbers"
        raise _fault("/input_shape", "out_of_range", detail)
    return DataShape(input_shape=shape, classes=request.classes, tasks=TASKS_OF_AXES[len(shape)])


def _fault(pointer: str, rule: str, detail: str, allowed: Sequence[str] | None = None) -> InvalidInput:
    return InvalidInput(Fault(pointer=pointer, rule=rule, detail=detail, allowed=allowed))


def report(space: Space, samples: Samples) -> views.SpaceReport:
    """What a person wants to know before a job: how large, how much of it can be used, what it costs."""
    size = space.size()
    kept = [one for one in samples.samples if all(law.holds(one.measures) for law in space.constraints)]
    example = kept[0] if kept else None
    return views.SpaceReport(
        name=space.name,
        input_shape=list(space.input_shape),
        classes=space.classes,
        size=size.count,
        size_log10=size.log10,
        size_exact=size.exact,
        sampled=samples.drawn,
        feasible_share=len(kept) / samples.drawn,
        costs={name: _quantiles(samples.samples, name) for name in ("params", "macs")} if samples.samples else {},
        example=example.architecture.to_json() if example else None,
        example_measures=dict(example.measures) if example else None,
    )


def _quantiles(samples: Sequence[Sample], name: str) -> views.QuantilesView:
    values = sorted(float(one.measures[name]) for one in samples)
    p25, p50, p75 = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return views.QuantilesView(min=values[0], p25=p25, p50=p50, p75=p75, max=values[-1])
