"""Whether short trainings rank architectures as full ones do: Kendall's tau among all trials of a search.

The architectures with both scores are the best of the search, the baseline and others down to the worst, because
finalists are trained anyway. Kendall's tau among them is higher than among all trials, since the worst and the best are
seldom confused. They were chosen by their search scores alone, so a regression of the final on the search score is the
same for them as for all, which tau is computed from (the correction for a selected range, Pearson 1903; Thorndike
1949):

    x    normal score of the trial's rank among the search scores of all trials
    y    -log(1 - final score)
    rho  slope * sd of all x / sqrt(slope^2 * variance of all x + variance of the residuals)
    tau  2 / pi * arcsin(rho), as for two normal variables (Kruskal 1958)

The interval is that of slope over residual deviation, noncentral t with n - 2 degrees of freedom. Measured with
`python -m benchmarks.intervals` on six of 30 trials of NAS-Bench-201 (12 against 200 epochs; all cells, and those above
90 %): tau of the six reads 0.20 and 0.29 too high and its interval covers the true one in 80 and 73 %; this estimate is
-0.03 and +0.05 off and covers it in 97 and 90 %. Drawing the others at random in strata and weighting each pair was
worse: three finalists and the baseline are certain, so that two trainings stand for 26 trials.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from workers.report.statistics import LEVEL, Floats

FEWEST = 5
"""Architectures from which all trials are judged: 3 degrees of freedom."""

STEPS = 200
"""Quantiles of each of the two distributions that the interval is made of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Agreement of two rankings.

    seen: Kendall's tau-b of the architectures with both scores; None if all values of a ranking are equal.
    tau: among all trials, with its interval of confidence LEVEL; None for fewer than FEWEST architectures.
    """

    seen: float | None
    tau: float | None = None
    interval: tuple[float, float] | None = None


def agreement(short: Sequence[float], full: Sequence[float], everyone: Sequence[float]) -> Agreement:
    """short, full: (n,) search and final scores of the same architectures; everyone: (N,) search scores of all trials.

    Final scores are at most 1; R² and kappa may be below 0.
    """
    n = len(short)
    if n < 2 or len(set(short)) < 2 or len(set(full)) < 2:
        return Agreement(seen=None)
    seen = round(float(stats.kendalltau(short, full).statistic), 12)
    if n < FEWEST:
        return Agreement(seen=seen)
    everything = np.array(everyone)
    x, y, spread = _placed(short, everything), _log_error(full), float(_placed(everyone, everything).var())
    range_x, range_y = x - x.mean(), y - y.mean()
    among = float(np.square(range_x).sum())
    slope = float((range_x * range_y).sum()) / among
    left = float(np.square(range_y - slope * range_x).sum()) / (n - 2)
    t = slope * math.sqrt(among / max(left, 1e-12))
    ratio = math.sqrt(spread / among)
    low, high = (_tau(ratio * float(end)) for end in _noncentral(t, n - 2))
    return Agreement(seen=seen, tau=_tau(ratio * t), interval=(low, high))


def _placed(scores: Sequence[float], everyone: Floats) -> Floats:
    """Normal scores of the middle rank that each of `scores` has, or would have, among `everyone`."""
    ordered = np.sort(everyone)
    below, upto = (np.searchsorted(ordered, scores, side=side) for side in ("left", "right"))
    return np.asarray(stats.norm.ppf((below + upto + 1) / 2 / (len(ordered) + 1)))


def _log_error(scores: Sequence[float]) -> Floats:
    """-log of the error; one of zero counts as half of the smallest that is not."""
    error = 1.0 - np.array(scores)
    return np.asarray(-np.log(np.maximum(error, error[error > 0].min() / 2)))


def _noncentral(t: float, freedom: int) -> Floats:
    """(2,) ends of the confidence interval for the noncentrality: quantiles of t * sqrt(chi2 / freedom) + normal."""
    at = (np.arange(STEPS) + 0.5) / STEPS
    scale = np.sqrt(stats.chi2.ppf(at, freedom) / freedom)
    drawn = t * scale[:, None] + stats.norm.ppf(at)
    return np.asarray(np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]))


def _tau(ratio: float) -> float:
    """Kendall's tau of two normal variables from the ratio of explained to other deviation."""
    return 2 / math.pi * math.asin(ratio / math.sqrt(1 + ratio * ratio))
