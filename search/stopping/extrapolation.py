"""Whether a trial can still win, by regression on the job's finished trials.

    y(E) = a + b * y(e) + noise        least squares over the n trials that were measured at e and at the last epoch E

The probability that a new trial ends above a bound follows from the predictive distribution of this regression,

    y(E) ~ a + b y(e) + s sqrt(1 + 1/n + (y(e) - mean)² / Sxx) t(n - 2),    s² = residual sum of squares / (n - 2)

a Student t whose width grows with the distance of y(e) from the mean of the values at e; Sxx is the sum of squared
deviations of these. Learning curves are often extrapolated by families of parametric curves, one trial at a time
(Domhan, Springenberg, Hutter 2015). That ignores the shape which a job's schedule gives to all of its curves: with a
learning rate that falls to zero most of the improvement comes at the end, which no power law predicts. A line through
the job's own trials does.

Trials that were stopped at e or before do not bias the line: whether they were depends on y(e) and what came before it,
on which the regression is conditioned. Trials stopped later do: those left ended better, so the probabilities are
rather too high.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

Array = npt.NDArray[np.float64]


def probability_above(early: Array, final: Array, *, now: float, bounds: Array) -> Array:
    """(bounds,): the probability that a trial with the value `now` ends above each of `bounds`.

    early, final: (n,) values of the finished trials at e and E, n > 2. 1 wherever the values are not finite, or do not
    determine the line.
    """
    count = len(early)
    with np.errstate(all="ignore"):
        gap = early - early.mean()
        spread = float(gap @ gap)  # Sxx
        if not math.isfinite(spread):
            return np.ones(len(bounds))
        slope = float(gap @ final) / spread if spread > 0 else 0.0
        residual = final - final.mean() - slope * gap
        distance = now - float(early.mean())
        leverage = distance * distance / spread if spread > 0 else (0.0 if distance == 0 else math.inf)
        expected = float(final.mean()) + slope * distance
        width = math.sqrt(float(residual @ residual) / (count - 2) * (1.0 + 1.0 / count + leverage))
        if not math.isfinite(expected) or not math.isfinite(width):
            return np.ones(len(bounds))
        if width == 0.0:
            return np.asarray(expected > bounds, dtype=np.float64)
        return np.asarray(stdtr(count - 2, (expected - bounds) / width), dtype=np.float64)
