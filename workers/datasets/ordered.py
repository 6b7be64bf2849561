"""The order of classes that have one: a number in, or at the beginning of, each name says it."""

import re
from collections.abc import Sequence

from workers.datasets.unsuitable import unsuitable

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?![^\s_.:)\]-])")
"""At the beginning of a name, and not the beginning of a word: "2", "1_low", "3. high", but not "2nd"."""


def in_order(names: Sequence[str]) -> tuple[int, ...]:
    """Numbers of `names`, the least class first. Raises `problem_unsuitable` where the names do not tell the order."""
    found = [match[0] if (match := _NUMBER.match(name.strip())) else None for name in names]
    values = [float(number) for number in found if number is not None]
    if len(values) < len(names) or len(set(values)) < len(values):
        shown = next(
            name for name, number in zip(names, found, strict=True) if number is None or values.count(float(number)) > 1
        )
        cure = (
            "number the classes by their order, 0, 1, 2 or 1_low, 2_medium, 3_high; arrays may list them in class_names"
        )
        raise unsuitable("ordinal", f"the order of the classes cannot be told from the name {shown[:80]!r}", cure=cure)
    return tuple(sorted(range(len(names)), key=values.__getitem__))
