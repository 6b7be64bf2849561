"""Statistics of final trainings: gains with confidence intervals, rank agreement.

A gain is the difference of two mean scores on the test split: the winner's and that of the architecture it is compared
with. It has two sources of uncertainty, and the interval is a bootstrap over both (Davison & Hinkley 1997, chapters 2
and 3):

    trainings  Another seed gives another score. Resampling three scores per architecture would be too optimistic: the
               variance of three resampled values is too small by a third. So residuals are drawn instead,
               each a score minus the mean of its architecture, times sqrt(n / (n - 1)), pooled over all architectures
               that were trained more than once. This assumes that their noise is equal. The remaining uncertainty
               about the size of the noise is covered by Student's factor for the degrees of freedom of the pool.
    samples    Another test split gives another score. The samples are resampled in pairs, so that only samples on
               which the two architectures disagree matter. This needs a score that is a mean over samples, which the
               AUC is not; for other scores the interval holds for this test split only.

Part of the noise between trainings is counted by both, so the intervals tend to be too wide rather than too narrow. The
winner was chosen by its search score and never by the test split, so the winner's curse inflates its search score and
not this difference.
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

    values: (n,) scores. shares: (samples,) what each sample contributes to the score, averaged over the trainings; None
    if the score is not a mean over samples.
    """

    values: tuple[float, ...]
    shares: Floats | None = field(default=None, compare=False)

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def sd(self) -> float | None:
        """Standard deviation between trainings; None with a single training."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """A difference of mean scores.

    interval: of `value`, with confidence LEVEL; None if no architecture was trained more than once.
    samples: whether the interval covers the choice of the test samples.
    """

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
        """The result in words, for example "gain over random: +0.0100, 95% interval +0.0040 to +0.0160"."""
        if self.interval is None:
            return f"gain over {over} unknown: {self.value:+.4f}, but no architecture was trained more than once"
        low, high = self.interval
        text = f"{self.value:+.4f}, {LEVEL:.0%} interval {low:+.4f} to {high:+.4f}"
        if low > 0:
            return f"gain over {over}: {text}"
        return f"no gain over {over}: {text}" + (", which includes zero" if high >= 0 else "; the winner is worse")


def gain(winner: Scores, other: Scores, pool: Sequence[Scores], *, seed: int = 0) -> Gain:
    """How much better the winner is. pool: the architectures from which the noise between trainings is estimated."""
    value = winner.mean - other.mean
    residuals, freedom = _residuals(pool)
    if not freedom:
        return Gain(value=value, interval=None, samples=False)
    rng = np.random.default_rng([seed, len(winner.values), len(other.values)])
    factor = float(stats.t.ppf(0.5 + LEVEL / 2, freedom) / stats.norm.ppf(0.5 + LEVEL / 2))
    first, second = (rng.choice(residuals, (DRAWS, len(side.values))).mean(axis=1) for side in (winner, other))
    drawn = value + factor * (first - second)
    samples = winner.shares is not None and other.shares is not None
    if winner.shares is not None and other.shares is not None:
        drawn += _of_samples(winner.shares - other.shares, rng)
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Gain(value=value, interval=(float(low), float(high)), samples=samples)


def _residuals(pool: Sequence[Scores]) -> tuple[Floats, int]:
    """All residuals, and their degrees of freedom."""
    repeated = [np.array(scores.values) for scores in pool if len(scores.values) > 1]
    if not repeated:
        return np.empty(0), 0
    each = [(values - values.mean()) * math.sqrt(len(values) / (len(values) - 1)) for values in repeated]
    return np.concatenate(each), sum(len(values) - 1 for values in repeated)


def _of_samples(differences: Floats, rng: np.random.Generator) -> Floats:
    """(DRAWS,) the deviation of the mean of resampled differences from the mean of `differences`, (samples,).

    The differences take few distinct values, so their counts are drawn from a multinomial: the same distribution
    without DRAWS times n numbers.
    """
    values, counts = np.unique(np.round(differences, 9), return_counts=True)
    drawn = rng.multinomial(len(differences), counts / counts.sum(), size=DRAWS)
    means: Floats = drawn @ values / len(differences) - differences.mean()
    return means


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Kendall's tau-b of two rankings; None if all values of a ranking are equal. interval: None for n < 5."""

    tau: float | None
    interval: tuple[float, float] | None


def agreement(first: Sequence[float], second: Sequence[float]) -> Agreement:
    """Kendall's tau-b with the interval of Fieller, Hartley & Pearson (1957): Fisher's z with variance 0.437 / (n - 4).

    Fisher's z is infinite for perfect agreement, so |tau| is limited to that of half a discordant pair.
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
