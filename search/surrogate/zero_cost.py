"""Zero-cost proxies: which architectures to measure them on, and several proxies combined into one score.

No proxy is reliable alone (Krishnakumar et al. 2022, NAS-Bench-Suite-Zero), and their units do not compare, so they are
added as normal scores of their ranks. On the 9,445 cells of NAS-Bench-201 for which all are published, the rank
correlation with the validation accuracy is 0.71 for MACs, 0.80 for nwot, 0.74 for synflow, 0.83 for the Jacobians'
covariance, 0.80 for the sum of the first three, and 0.87 for the sum of all four.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from statistics import NormalDist
from typing import TypeVar

Key = TypeVar("Key")

COLUMNS = ("macs", "nwot", "synflow", "jacob_cov")
"""The proxies that are added: MACs are arithmetic, the rest is measured in `workers/measures/proxies.py`."""


def combined(columns: Iterable[Mapping[Key, float | None]]) -> dict[Key, float]:
    """By key, larger is better: the sum over the proxies of the normal scores of the ranks.

    columns: of each proxy, its values by key; all have the same keys. What has no finite value in a column is last
    there. Equal values share the mean of their ranks, so a proxy that failed for all of them changes nothing.
    """
    total: dict[Key, float] = {}
    for column in columns:
        for key, score in _scores(column).items():
            total[key] = total.get(key, 0.0) + score
    return total


def _scores(column: Mapping[Key, float | None]) -> dict[Key, float]:
    """The normal score of each rank: the quantile of (rank + 1/2) / count, ranks from 0."""
    values = {key: -math.inf if value is None or not math.isfinite(value) else value for key, value in column.items()}
    ties: dict[float, list[Key]] = {}
    for key, value in values.items():
        ties.setdefault(value, []).append(key)
    scores: dict[Key, float] = {}
    rank = 0
    for value in sorted(ties):
        mean = rank + (len(ties[value]) - 1) / 2
        scores |= dict.fromkeys(ties[value], NormalDist().inv_cdf((mean + 0.5) / len(values)))
        rank += len(ties[value])
    return {key: scores[key] for key in column}


def chosen(sizes: Sequence[float], count: int) -> list[int]:
    """Indices of at most `count` to measure: in turns the largest one left, and the first one left, which is random.

    Half of them are large, because size is the best predictor before; and in turns, so that a measurement that has to
    end early has seen some of both. sizes: of architectures in random order.
    """
    largest = sorted(range(len(sizes)), key=lambda place: -sizes[place])
    turns = chain.from_iterable(zip(largest, range(len(sizes)), strict=True))
    return list(dict.fromkeys(turns))[:count]
