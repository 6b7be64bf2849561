"""Spaces: the presets, the schema, and reports on a user's documents."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from api.context import Context, ContextDep
from api.http.body import StrictRoute, accepts
from api.schemas.requests import SpaceRequest
from api.views.spaces import PresetList, PresetView, QuantilesView, SpaceReport
from archsmith.errors import Fault, InvalidInput, InvalidSpace
from search.proposing.walks import Draw
from search.validate import DataShape, Samples, below, parse_space, repaired, sample
from space import presets
from space.constraint import MEASURES
from space.document.schema import SCHEMA
from space.kinds import KINDS
from space.space import Space

EXACT = 2**53
"""The largest count that every JSON reader keeps exactly."""

Z95 = 1.959964
"""95 % of a normal distribution are within this many standard deviations of the mean."""

router = APIRouter(
    prefix="/v1/spaces", tags=["spaces"], dependencies=[accepts("application/json")], route_class=StrictRoute
)


@router.get("")
def browse() -> PresetList:
    """The presets with their documents."""
    links = {"schema": "/v1/spaces/schema", "validate": "/v1/spaces/validate"}
    items = [PresetView(name=name, document=presets.load(name), links=links) for name in presets.names()]
    return PresetList(items=items, links=links)


@router.get("/schema")
def schema() -> dict[str, Any]:
    """The JSON Schema of space documents."""
    return dict(SCHEMA)


@router.post("/validate")
def validate(context: ContextDep, request: SpaceRequest) -> SpaceReport:
    """Check a space and sample it. 422 with every fault if it is not valid."""
    data = _shape(context, request)
    try:
        space = parse_space(request.space, data)
    except InvalidSpace as error:
        raise InvalidInput(below("/space", error.faults)) from None
    return report(space, sample(space, space.constraints))


def _shape(context: Context, request: SpaceRequest) -> DataShape:
    if request.dataset is not None:
        if any(given is not None for given in (request.input_shape, request.classes, request.data)):
            raise _fault("/dataset", "ambiguous", "give either dataset, or input_shape, classes and data")
        data = context.shape(request.dataset)
        if data is None:
            allowed = context.store.names()
            detail = f"there is no data set {request.dataset[:80]!r}; there are {', '.join(allowed)}"
            raise _fault("/dataset", "dataset_not_found", detail, allowed)
        return data
    if request.input_shape is None or request.classes is None:
        raise _fault("", "missing_field", "give either dataset, or input_shape and classes")
    return DataShape(input_shape=tuple(request.input_shape), classes=request.classes, tasks=_tasks(request))


def _tasks(request: SpaceRequest) -> tuple[str, ...]:
    """The kinds of data that can have this shape. Raises InvalidInput if there are none."""
    shape = request.input_shape or []
    kinds = [KINDS[request.data]] if request.data else list(KINDS.values())
    fitting = [kind for kind in kinds if len(kind.axes) == len(shape)]
    if not fitting:
        shown = " or ".join(dict.fromkeys(f"({', '.join(kind.axes)})" for kind in kinds))
        what = f"input_shape of {request.data}" if request.data else "input_shape"
        raise _fault("/input_shape", "out_of_range", f"{what} must be {shown}, got {len(shape)} numbers")
    for number, (length, limit) in enumerate(zip(shape, fitting[0].limits, strict=True)):
        if length > limit:
            detail = f"{fitting[0].axes[number]} must be at most {limit}, got {length}"
            raise _fault(f"/input_shape/{number}", "out_of_range", detail)
    return tuple(kind.name for kind in fitting)


def _fault(pointer: str, rule: str, detail: str, allowed: Sequence[str] | None = None) -> InvalidInput:
    return InvalidInput(Fault(pointer=pointer, rule=rule, detail=detail, allowed=allowed))


def report(space: Space, samples: Samples) -> SpaceReport:
    """The size of a space, its share of feasible architectures, and the costs of samples."""
    size = space.size()
    low, high = (
        (samples.feasible / samples.walks,) * 2 if samples.exhaustive else wilson(samples.feasible, samples.walks)
    )
    example = next((draw for draw in samples.draws if not draw.violation), None)
    if example is None and not samples.exhaustive:
        found = repaired(space, space.constraints, samples)
        example = None if found is None or found.violation else found
    return SpaceReport(
        name=space.name,
        data=space.data,
        input_shape=list(space.input_shape),
        classes=space.classes,
        size=size.count if size.count is not None and size.count <= EXACT else None,
        size_log10=size.log10,
        size_log10_error=size.log10_error,
        size_exact=size.exact,
        sampled=samples.walks,
        feasible_share=samples.feasible / samples.walks,
        feasible_interval=(low, high),
        costs={name: _quantiles(samples.draws, name) for name in MEASURES} if samples.draws else {},
        example=example.architecture.to_json() if example else None,
        example_measures=dict(example.measures) if example else None,
    )


def wilson(hits: int, draws: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson 1927), which holds for few or no hits as well."""
    share, z2 = hits / draws, Z95**2
    middle = (share + z2 / (2 * draws)) / (1 + z2 / draws)
    half = Z95 / (1 + z2 / draws) * math.sqrt(share * (1 - share) / draws + z2 / (4 * draws**2))
    return round(max(0.0, middle - half), 6), round(min(1.0, middle + half), 6)


def _quantiles(draws: Sequence[Draw], name: str) -> QuantilesView:
    values = sorted(float(draw.measures[name]) for draw in draws)
    twentieths = statistics.quantiles(values, n=20, method="inclusive") if len(values) > 1 else values * 19
    p5, p25, p50, p75, p95 = (twentieths[at] for at in (0, 4, 9, 14, 18))
    return QuantilesView(min=values[0], p5=p5, p25=p25, p50=p50, p75=p75, p95=p95, max=values[-1])
