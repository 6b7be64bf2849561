"""Guesses at architectures that need no training: which to measure, and several of them as one.

No guess is to be trusted alone (Krishnakumar et al. 2022, NAS-Bench-Suite-Zero), and their units do not compare, so
they are added as normal scores of their ranks. On the 9,445 cells of NAS-Bench-201 for which all are published, the
rank correlation with the validation accuracy is 0.71 for MACs, 0.80 for nwot, 0.74 for synflow, 0.83 for the Jacobians'
covariance, 0.80 for the sum of the first three, and 0.87 for the sum of all four.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from statistics import NormalDist
from typing import TypeVar

Key = TypeVar("Key")

COLUMNS = ("macs", "nwot", "synflow", "jacob_cov")
"""What the sum is made of where workers measure: MACs are arithmetic, the rest is in `workers/measures/proxies.py`."""


def combined(columns: Iterable[Mapping[Key, float | None]]) -> dict[Key, float]:
    """By key, larger is better: the sum over the columns, which have the same keys, of the normal scores of the ranks.

    What has no finite number in a column is last there. Equals share the mean of their places, so a column that failed
    for all of them says nothing.
    """
    total: dict[Key, float] = {}
    for column in columns:
        for key, score in _scores(column).items():
            total[key] = total.get(key, 0.0) + score
    return total


def _scores(column: Mapping[Key, float | None]) -> dict[Key, float]:
    """The normal score of each rank: the quantile of (place + 1/2) / count, places from 0."""
    values = {key: -math.inf if one is None or not math.isfinite(one) else one for key, one in column.items()}
    alike: dict[float, list[Key]] = {}
    for key, value in values.items():
        alike.setdefault(value, []).append(key)
    scores: dict[Key, float] = {}
    place = 0
    for value in sorted(alike):
        mean = place + (len(alike[value]) - 1) / 2
        scores |= dict.fromkeys(alike[value], NormalDist().inv_cdf((mean + 0.5) / len(values)))
        place += len(alike[value])
    return {key: scores[key] for key in column}


def chosen(sizes: Sequence[float], count: int) -> list[int]:
    """Places of at most `count` to measure: in turns the largest one left, and the first one left, which is random.

    Half of them large, because the largest are the best guess before; and in turns, so that a measurement that has to
    end early has seen some of both.
    """
    largest = sorted(range(len(sizes)), key=lambda place: -sizes[place])
    turns = chain.from_iterable(zip(largest, range(len(sizes)), strict=True))
    return list(dict.fromkeys(turns))[:count]
