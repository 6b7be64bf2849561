"""Gains: differences of mean scores of final trainings, with confidence intervals.

A gain is the difference of two mean scores on the test split: the winner's and that of the architecture it is compared
with. It has two sources of uncertainty, and the interval is of their sum, of which DRAWS values are drawn:

    trainings  Another seed gives another score. The variance between trainings is estimated from the two architectures
               that are compared, and its own uncertainty is covered by Student's t with their degrees of freedom. With
               equally many trainings of each this holds for unequal variances too (Scheffé 1959, section 10.2).
               Measured with three trainings of each: the pair's own variance misses the truth in 5 %, also where it is
               four times that of the others; a pool of all architectures misses it in 14 % there, and is narrower by
               17 % where all vary alike. Welch's degrees of freedom miss 3.5 % and are wider by 16 %, with two
               trainings of each by 82 %. Where one of the pair was trained twice and the other once, which leaves one
               degree of freedom, all architectures that were trained repeatedly are pooled, as if they varied alike.
    samples    Another test split gives another score. The samples' shares of the scores (`workers.train.shares`) are
               resampled in pairs (Davison & Hinkley 1997, chapter 2), so that only samples on which the two
               architectures disagree matter. Without shares the interval holds for this test split only.

Part of the noise between trainings is counted by both, so the intervals tend to be too wide rather than too narrow. The
winner was not chosen by the test split, so the winner's curse inflates its search score and not this difference.
`python -m benchmarks.intervals` measures on simulated jobs how often the intervals miss.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
DRAWS = 10_000

MANY = 50
"""Different values among the samples' shares from which their mean is drawn from a normal distribution: 10,000
resamples of 10,000 values take seconds, and the mean of so many hardly differs from it."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Final trainings of one architecture on one test split.

    values: (n,) scores. shares: (samples,) what each sample contributes to the score, averaged over the trainings; None
    where it was not stored.
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

    interval: of `value`, with confidence LEVEL; None if each of the two was trained once.
    samples: whether the interval covers the choice of the test samples. trainings: of the winner and of the other.
    """

    value: float
    interval: tuple[float, float] | None
    samples: bool
    trainings: tuple[int, int] = (1, 1)

    @property
    def verdict(self) -> str:
        """ "gain", "no gain", or "unknown"."""
        if self.interval is None:
            return "unknown"
        return "gain" if self.interval[0] > 0 else "no gain"

    def words(self, over: str) -> str:
        """The result in words, for example "gain over random: +0.0100, 95% interval +0.0040 to +0.0160, from 3 ..."."""
        if self.interval is None:
            return f"gain over {over} unknown: {self.value:+.4f}, but each of the two was trained only once"
        low, high = self.interval
        text = f"{self.value:+.4f}, {LEVEL:.0%} interval {low:+.4f} to {high:+.4f}"
        rests = "from {} and {} trainings".format(*self.trainings)
        if low > 0:
            return f"gain over {over}: {text}, {rests}"
        zero = ", which includes zero" if high >= 0 else "; the winner is worse"
        return f"no gain over {over}: {text}{zero}, {rests}"


def gain(winner: Scores, other: Scores, pool: Sequence[Scores], *, seed: int = 0) -> Gain:
    """How much better the winner is. pool: all architectures, for the case that the pair has a single repetition."""
    value, trainings = winner.mean - other.mean, (len(winner.values), len(other.values))
    variance, freedom = _noise((winner, other), pool)
    if not freedom:
        return Gain(value=value, interval=None, samples=False, trainings=trainings)
    rng = np.random.default_rng([seed, *trainings])
    error = math.sqrt(variance * sum(1 / count for count in trainings))
    drawn = value + error * rng.standard_t(freedom, DRAWS)
    samples = winner.shares is not None and other.shares is not None
    if winner.shares is not None and other.shares is not None:
        drawn += _of_samples(winner.shares - other.shares, rng)
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Gain(value=value, interval=(float(low), float(high)), samples=samples, trainings=trainings)


def _noise(pair: Sequence[Scores], pool: Sequence[Scores]) -> tuple[float, int]:
    """Variance between trainings of one architecture, and its degrees of freedom, 0 where nothing is known of it."""
    variance, freedom = _pooled(pair)
    return _pooled(pool) if freedom == 1 else (variance, freedom)


def _pooled(architectures: Sequence[Scores]) -> tuple[float, int]:
    repeated = [np.array(scores.values) for scores in architectures if len(scores.values) > 1]
    freedom = sum(len(values) - 1 for values in repeated)
    squares = sum(float(np.square(values - values.mean()).sum()) for values in repeated)
    return (squares / freedom if freedom else 0.0), freedom


def _of_samples(differences: Floats, rng: np.random.Generator) -> Floats:
    """(DRAWS,) the deviation of the mean of resampled differences from the mean of `differences`, (samples,).

    Where the differences take few distinct values, their counts are drawn from a multinomial: the same distribution
    without DRAWS times n numbers.
    """
    values, counts = np.unique(np.round(differences, 6), return_counts=True)
    if len(values) > MANY:
        return rng.normal(0.0, float(differences.std()) / math.sqrt(len(differences)), DRAWS)
    drawn = rng.multinomial(len(differences), counts / counts.sum(), size=DRAWS)
    means: Floats = drawn @ values / len(differences) - differences.mean()
    return means
