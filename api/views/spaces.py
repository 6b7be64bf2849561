"""What routes about spaces and controllers answer with."""

from typing import Any

from api.views.live import View


class PresetView(View):
    name: str
    document: dict[str, Any]
    links: dict[str, str]


class PresetList(View):
    items: list[PresetView]
    links: dict[str, str]


class ControllerView(View):
    """options: by name, each as a JSON Schema with type, range or allowed values, and default."""

    name: str
    options: dict[str, dict[str, Any]]


class ControllerList(View):
    items: list[ControllerView]


class QuantilesView(View):
    """Minimum, percentiles and maximum over the sampled architectures that fit the input, feasible or not."""

    min: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    max: float


class SpaceReport(View):
    """A report on a space.

    size: number of decision paths, null if it is estimated or above 2^53 (which JSON readers round); size_log10 is
    always given, with its standard error size_log10_error, 0 if exact.
    feasible_share: share of the sampled paths that satisfy all constraints; feasible_interval: its 95 % interval for
    all paths. costs: by the name of the measure. example: a feasible architecture, null if none was found.
    """

    valid: bool = True
    name: str
    data: str
    input_shape: list[int]
    classes: int
    size: int | None
    size_log10: float
    size_log10_error: float
    size_exact: bool
    sampled: int
    feasible_share: float
    feasible_interval: tuple[float, float]
    costs: dict[str, QuantilesView]
    example: dict[str, Any] | None
    example_measures: dict[str, int | float] | None
