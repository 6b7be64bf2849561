"""The number type and memory layout of a job's trainings."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Numerics:
    """precision: "fp32", "bf16" or "fp16". layout: "nchw" or "nhwc". source: "fixed" by the user, or "calibration".

    table: the measured candidates with their images per second, empty where nothing was measured.
    """

    precision: str
    layout: str
    source: str
    table: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "table": list(self.table)}
