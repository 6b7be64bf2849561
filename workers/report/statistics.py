"""What final trainings prove: gains with intervals, agreement of rankings, noise.

A gain is the difference of two mean scores on the test split, of the winner and of what it is compared with. It is
uncertain at two levels, and the interval is a bootstrap of both (Davison & Hinkley 1997, chapters 2 and 3):

    trainings  Another seed gives another score. With three seeds of each, resampling them would be an illusion: three
               values have a standard deviation of their own that is too small by a third. So residuals are drawn, each
               a score minus the mean of its architecture, times sqrt(n / (n - 1)), pooled over all architectures that
               were trained more than once: their noise is taken to be alike. What is left of the uncertainty about the
               size of the noise is Student's factor for the degrees of freedom of the pool.
    samples    Another test split gives another score. The samples are resampled in pairs: what counts is where the two
               disagree. Known only for scores that are a mean over samples (the AUC is none); where it is not, the
               interval holds for this very split.

A part of a training's noise shows in both levels, so intervals are rather too wide than too narrow. The winner was
chosen by its search score and never by the test split, so the luck that made it the winner (the winner's curse) is in
its search score and not in this difference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import stats

LEVEL = 0.95
DRAWS = 10_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Final trainings of one architecture on one test split.

    values: (n,) scores. shares: (items,) what each sample gives to the score, mean over the trainings; None where the
    score is no mean over samples.
    """

    values: tuple[float, ...]
    shares: Floats | None = field(default=None, compare=False)

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def sd(self) -> float | None:
        """Standard deviation of one training; None of a single one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """interval: of `value`, with confidence LEVEL; None where nothing tells it. samples: whether it covers them."""

    value: float
    interval: tuple[float, float] | None
    samples: bool

    @property
    def verdict(self) -> str:
        """ "gain", "no gain", or "unknown"."""
        if self.interval is None:
            return "unknown"
        return "gain" if self.interval[0] > 0 else "no gain"

    def words(self, over: str) -> str:
        """The result as a sentence."""
        if self.interval is None:
            return f"gain over {over} unknown: {self.value:+.4f}, and no architecture was trained more than once"
        low, high = self.interval
        told = f"{self.value:+.4f}, {LEVEL:.0%} interval {low:+.4f} to {high:+.4f}"
        if low > 0:
            return f"gain over {over}: {told}"
        return f"no gain over {over}: {told}" + (", which holds zero" if high >= 0 else "; it is worse")


def gain(winner: Scores, other: Scores, pool: Sequence[Scores], *, seed: int = 0) -> Gain:
    """How much better the winner is. pool: all architectures whose trainings tell how much a training varies."""
    value = winner.mean - other.mean
    residuals, freedom = _residuals(pool)
    if not freedom:
        return Gain(value=value, interval=None, samples=False)
    rng = np.random.default_rng([seed, len(winner.values), len(other.values)])
    factor = float(stats.t.ppf(0.5 + LEVEL / 2, freedom) / stats.norm.ppf(0.5 + LEVEL / 2))
    first, second = (rng.choice(residuals, (DRAWS, len(one.values))).mean(axis=1) for one in (winner, other))
    drawn = value + factor * (first - second)
    samples = winner.shares is not None and other.shares is not None
    if winner.shares is not None and other.shares is not None:
        drawn += _of_samples(winner.shares - other.shares, rng)
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Gain(value=value, interval=(float(low), float(high)), samples=samples)


def _residuals(pool: Sequence[Scores]) -> tuple[Floats, int]:
    """All residuals, and their degrees of freedom."""
    repeated = [np.array(one.values) for one in pool if len(one.values) > 1]
    if not repeated:
        return np.empty(0), 0
    each = [(values - values.mean()) * math.sqrt(len(values) / (len(values) - 1)) for values in repeated]
    return np.concatenate(each), sum(len(values) - 1 for values in repeated)


def _of_samples(differences: Floats, rng: np.random.Generator) -> Floats:
    """(DRAWS,) how far the mean of resampled differences lies from theirs.

    They take few values, so that counts of these are drawn: the same law, without DRAWS times n numbers.
    """
    values, counts = np.unique(np.round(differences, 9), return_counts=True)
    drawn = rng.multinomial(len(differences), counts / counts.sum(), size=DRAWS)
    means: Floats = drawn @ values / len(differences) - differences.mean()
    return means


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Kendall's tau-b of two rankings of n things; None where one of them has no order. interval: None below 5."""

    tau: float | None
    interval: tuple[float, float] | None


def agreement(first: Sequence[float], second: Sequence[float]) -> Agreement:
    """The interval is that of Fieller, Hartley & Pearson (1957): Fisher's z with variance 0.437 / (n - 4).

    Perfect agreement of a few is taken as half a pair less, or it would leave no doubt at all.
    """
    n = len(first)
    if n < 2 or len(set(first)) < 2 or len(set(second)) < 2:
        return Agreement(tau=None, interval=None)
    tau = round(float(stats.kendalltau(first, second).statistic), 12)
    if n < 5:
        return Agreement(tau=tau, interval=None)
    most = 1.0 - 1.0 / (n * (n - 1) / 2)
    z = math.atanh(max(-most, min(most, tau)))
    reach = float(stats.norm.ppf(0.5 + LEVEL / 2)) * math.sqrt(0.437 / (n - 4))
    return Agreement(tau=tau, interval=(min(tau, math.tanh(z - reach)), max(tau, math.tanh(z + reach))))
