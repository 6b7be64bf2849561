"""The number type and memory layout of a job's trainings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

REDUCED = ("bf16", "fp16")


def chosen(precision: str, layout: str) -> dict[str, float]:
    """What a trial chose, as its measures: 1 for yes, 0 for no."""
    return {**{name: float(precision == name) for name in REDUCED}, "nhwc": float(layout == "nhwc")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Numerics:
    """precision: "fp32", "bf16" or "fp16". layout: "nchw" or "nhwc". source: "fixed" by the user, or "calibration".

    table: the measured candidates with their images per second, empty where nothing was measured.
    """

    precision: str
    layout: str
    source: str
    table: tuple[dict[str, Any], ...] = ()

    def of_trial(self, measures: Mapping[str, float]) -> "Numerics":
        """Those that a trial chose for its network, by its measures (`chosen`); these, where it chose none."""
        if "nhwc" not in measures:
            return self
        precision = next((name for name in REDUCED if measures.get(name)), "fp32")
        return replace(self, precision=precision, layout="nhwc" if measures["nhwc"] else "nchw")

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "table": list(self.table)}
