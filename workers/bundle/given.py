"""What `archsmith predict` makes of a file: arrays as in the data set, names of the rows, and what is odd about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archsmith.errors import Fault, InvalidBundle, pointer
from workers.bundle.manifest import Array, Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """Rows of a file. arrays: x and indices as `space.kinds` lists them, raw. rows: a name for each row of the logits.

    remark: what is suspicious about it, "" for nothing.
    """

    arrays: Mapping[str, Array]
    rows: Sequence[str]
    remark: str


def fault(path: Path, rule: str, detail: str) -> InvalidBundle:
    return InvalidBundle(Fault(pointer=pointer("files", path.name), rule=rule, detail=detail))


def typed(x: Array, manifest: Manifest, path: Path) -> Array:
    """x in the data set's type, of the same shape. Raises InvalidBundle where that would change a value."""
    wanted = np.dtype(manifest.preprocessing.dtype)
    if x.dtype.kind not in "biuf":
        raise fault(path, "dtype_unsupported", f"the model takes {wanted} values, this array holds {x.dtype}")
    if not np.isfinite(x).all():
        raise fault(path, "values_not_finite", "all values must be finite")
    if wanted == np.uint8 and not ((x >= 0) & (x <= 255) & (x == np.rint(x))).all():
        detail = f"the model takes whole numbers from 0 to 255, this array has others, {x.min():g} to {x.max():g}"
        raise fault(path, "values_unsuitable", detail)
    with np.errstate(over="ignore"):
        out = np.ascontiguousarray(x, dtype=wanted)
    if not np.isfinite(out).all():
        raise fault(path, "values_unsuitable", f"the model takes {wanted} values, some of these are out of their range")
    return out


def remark(x: Array, manifest: Manifest) -> str:
    """Values out of the data set's range, or in a small part of it only, are most often in other units: 0 to 1 instead
    of 0 to 255, or the reverse.
    """
    low, high, given = float(x.min()), float(x.max()), manifest.preprocessing
    if given.low <= low and high <= given.high and not 0 < high <= given.small(manifest.data):
        return ""
    return (
        f"values from {low:g} to {high:g}, those of the data set lie in {given.low:g} to {given.high:g}: other units?"
    )
