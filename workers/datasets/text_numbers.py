"""Numbers that are written in tables, as people write them."""

import re
from collections.abc import Sequence

import numpy as np

from workers.datasets.raw import Array

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?"})
_COMMA = re.compile(r"[-+]?\d+,\d+")


def numbers_of(cells: Sequence[str]) -> Array | None:
    """(N,) float64, NaN for empty cells and words for "missing"; None where a cell holds something else, or all are
    missing. Where all that are no plain numbers look like 0,5, commas are decimal commas.
    """
    out = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell.lower() not in MISSING:
            number = _number(cell)
            if number is None:
                return None
            out[row] = number
    return out if len(cells) and not np.isnan(out).all() else None


def has_fraction(values: Array) -> bool:
    known = values[np.isfinite(values)]
    return bool((np.floor(known) != known).any())


def _number(cell: str) -> float | None:
    if "_" in cell:  # Python reads 1_000
        return None
    try:
        return float(cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell)
    except ValueError:
        return None
