"""Whether a trial can still win, from where the job's finished trials stood at the same epoch and what became of them.

    y(E) = a + b * y(e) + noise        least squares over the trials that were measured at e and at the last epoch E

and the chance that a new trial ends above a bound follows from the regression's predictive distribution, a Student t
with n - 2 degrees of freedom whose width grows with the distance of y(e) from what was seen. Learning curves are often
extrapolated by families of parametric curves, one trial at a time (Domhan, Springenberg, Hutter 2015), which knows
nothing of the shape that a job's own schedule gives to all its curves: with a learning rate that falls to zero most of
the gain comes at the end, where no power law expects it. A line through the job's own trials knows.

That weak trials were stopped does not bend the line: who was stopped at e or before depends on y(e) and what led there,
which it is conditioned on. Who was stopped later does: those left ended better, so the chances err on the trial's side.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

Array = npt.NDArray[np.float64]


def chance_above(early: Array, final: Array, *, now: float, bounds: Array) -> Array:
    """(bounds,) the chance that a trial that stands at `now` ends above each of `bounds`.

    early, final: (n,) of the finished trials, n > 2. 1 wherever the numbers allow no claim.
    """
    count = len(early)
    with np.errstate(all="ignore"):
        gap = early - early.mean()
        spread = float(gap @ gap)
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
