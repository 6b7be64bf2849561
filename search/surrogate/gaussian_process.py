"""An exact Gaussian process over the features of architectures (Rasmussen & Williams 2006, "RW").

    value(x) = mean + s * f(x) + noise    f ~ GP(0, k),  k(x, x') = (1 + r + r² / 3) exp(-r),  r = √5 |x - x'| / l  (1)

(Matérn 5/2, RW equation 4.17; Snoek et al. 2012 advise it where a Gaussian kernel is unrealistically smooth. On a
published table of 3,969 networks of eight operations it finds the best after 33 trials instead of 38, and within 50 in
all of 24 searches instead of 83 %.)

Features come in groups (`features.py`), each of mean square 1 over the space; |x - x'|² is the weighted sum of the
groups' squared distances. The length-scale l, the noise and the weights are taken from a small grid by the marginal
likelihood (RW equation 2.30), with s² at its maximum given the rest, and weak priors that keep six points from
claiming much. With K = k(X, X) + noise I = L Lᵀ for n points of values z, and white = L⁻¹ z,

    log p(z | X) = -n/2 log(whiteᵀ white) - log det L + constant        s² = whiteᵀ white / n                        (2)
    mean(x)      = k(x, X) K⁻¹ z = (L⁻¹ k(X, x))ᵀ white                                RW equation 2.25              (3)
    variance(x)  = s² (1 - |L⁻¹ k(X, x)|²)                                             RW equation 2.26              (4)

computed from the Cholesky factor L as in RW algorithm 2.1. Values are winsorised (nothing counts as worse than median -
1.5 interquartile ranges) and standardised: otherwise a few very bad architectures stretch the scale on which the good
ones differ.

    lower fidelity   A value after e epochs, fewer than the most of any point, is of another level. Levels are
                     correlated by rho^|log3(e / e')|, an autoregressive model (Kennedy & O'Hagan 2000), and each lower
                     one has an unknown offset of its own, so that "lower because earlier" is not taken for "worse".
    open trials      shrink the variance near them and leave the mean alone, so that parallel asks spread out (GP-BUCB,
                     Desautels, Krause, Burdick 2014).
    failed ones      have no value; `FeasibilityModel` gives the probability not to fail, a process on 0 and 1.
    many             above 500 the best 300 and 200 others are kept: one ask stays below 50 ms.

Nothing here is random and nothing is kept between fits: a posterior is a function of the outcomes. A matrix that cannot
be factorised gets more noise and then gives up (`FitError`), and the controller draws at random.
"""

import itertools
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.special import ndtr
from threadpoolctl import ThreadpoolController

Array = npt.NDArray[np.float64]

LENGTHS = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
"""Length-scales, in units of the features' root mean square distance from the mean."""

NOISES = (1e-4, 1e-3, 1e-2, 0.1, 0.5)
"""Variances of the noise, in units of the signal's."""

CORRELATIONS = (0.75, 0.9, 0.97)
"""rho: between a fidelity and three times as many epochs; 12 and 200 epochs of a published table correlate by 0.77."""

OFFSET = 4.0
"""Variance of a lower fidelity's offset, in units of the signal's."""

OWN = 0.75
"""Share of the noise that is a deviation of the network itself from the smooth function, not of its training."""

BEST, OTHERS = 300, 200
"""How many points are kept where there are more."""

FITTED = 100
"""Points that the grid is tried on: a try costs 0.2 ms then, and more of them change its answer rarely."""

GROUP_WEIGHTS = ((1.0, 0.25, 0.0), (1.0, 0.25, 1.0), (0.0, 0.25, 1.0))
"""The weights that the groups graph, cost and choices may have: see `features.py`."""


_LIBRARIES = ThreadpoolController()  # those of numpy and scipy, which are loaded by now


def single_threaded() -> AbstractContextManager[object]:
    """Linear algebra on one thread, inside. Matrices of 500 rows gain nothing from a second one, and where trials keep
    all processors busy the threads wait for each other: an ask took three times the processor time."""
    limit: AbstractContextManager[object] = _LIBRARIES.limit(limits=1, user_api="blas")
    return limit


class FitError(Exception):
    """No process can be fitted: too few points, no spread, or a matrix that cannot be factorised."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Points:
    """The observations. x: (n, features). y: (n,) values, larger is better. epochs: (n,) above 0, of each value."""

    x: Array
    y: Array
    epochs: Array

    def __len__(self) -> int:
        return len(self.y)

    def only(self, places: Sequence[int] | npt.NDArray[np.int64]) -> "Points":
        return Points(x=self.x[places], y=self.y[places], epochs=self.epochs[places])


@dataclass(frozen=True, kw_only=True, slots=True)
class Hyperparameters:
    """The axes of the grid. weights: of each group's squared distances. rho: see `CORRELATIONS`."""

    length: float
    noise: float
    weights: tuple[float, ...]
    rho: float = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """mean, deviation: (n,) in standardised units, of the highest fidelity."""

    mean: Array
    deviation: Array


def kept_points(y: Array, key: Array) -> npt.NDArray[np.int64]:
    """Indices of the points that are kept, ascending: all, or the best ones and those of the lowest `key`.

    y, key: (n,). Returns (at most BEST + OTHERS,).
    """
    if len(y) <= BEST + OTHERS:
        return np.arange(len(y))
    order = np.argsort(-y, kind="stable")
    others = order[BEST:]
    return np.sort(np.concatenate([order[:BEST], others[np.argsort(key[others], kind="stable")[:OTHERS]]]))


def standardised(y: Array) -> Array:
    """(n,) -> (n,) winsorised below, of mean 0 and deviation 1. Raises FitError where all values are equal."""
    low, middle, high = np.quantile(y, [0.25, 0.5, 0.75])
    with np.errstate(over="ignore", invalid="ignore"):
        cut = np.maximum(y, middle - 1.5 * (high - low))
        spread = cut.std()
        z: Array = (cut - cut.mean()) / spread if 0 < spread < np.inf else cut * np.nan
    if not np.isfinite(z).all():
        raise FitError("the values have no finite spread")
    return z


def group_weights(sizes: Sequence[int]) -> list[tuple[float, ...]]:
    """The different weights among GROUP_WEIGHTS, each normalised to the sum 1. sizes: columns of each group.

    A group without columns has no weight, so that some of GROUP_WEIGHTS may be equal.
    """
    found: list[tuple[float, ...]] = []
    for candidate in GROUP_WEIGHTS:
        weights = [weight if size else 0.0 for weight, size in zip(candidate, sizes, strict=True)]
        shares = tuple(weight / max(sum(weights), 1e-9) for weight in weights)
        if any(shares) and shares not in found:
            found.append(shares)
    return found


def plausible(points: Points, sizes: Sequence[int], count: int) -> list[tuple[float, Hyperparameters]]:
    """The likeliest `count` of the grid, with their posterior weights, which sum to 1.

    sizes: columns of each group. Raises FitError.
    """
    points = _fitted(points)
    z = standardised(points.y)
    gaps, lower = _fidelity_levels(points.epochs)
    rhos = CORRELATIONS if lower.any() else (0.9,)
    groups = distances(points.x, points.x, sizes)
    tried: list[tuple[float, Hyperparameters]] = []
    for weights, length, rho in itertools.product(group_weights(sizes), LENGTHS, rhos):
        kernel = _matern(groups, weights, length) * rho**gaps + OFFSET * lower
        for noise in NOISES:
            hyperparameters = Hyperparameters(length=length, noise=noise, weights=weights, rho=rho)
            tried.append((_log_likelihood(kernel, z, hyperparameters), hyperparameters))
    tried = sorted((pair for pair in tried if math.isfinite(pair[0])), key=lambda pair: -pair[0])[:count]
    if not tried:
        raise FitError("the likelihood is finite for no length-scale")
    shares = rounded(np.exp([likelihood - tried[0][0] for likelihood, _ in tried]))
    return [(float(share / shares.sum()), found) for share, (_, found) in zip(shares, tried, strict=True) if share]


def _fitted(points: Points) -> Points:
    """What the grid is tried on: of more than FITTED points the best half of so many, and others at even steps."""
    if len(points) <= FITTED:
        return points
    # what tells good ones apart counts most
    order = np.argsort(-points.y, kind="stable")
    rest = order[FITTED // 2 :]
    step = len(rest) / (FITTED - FITTED // 2)
    spaced = rest[(np.arange(FITTED - FITTED // 2) * step).astype(np.int64)]
    return points.only(np.sort(np.concatenate([order[: FITTED // 2], spaced])))


def _log_likelihood(kernel: Array, z: Array, hyperparameters: Hyperparameters) -> float:
    """Equation (2) without its constant, plus the log of wide log-normal priors on length-scale and noise.

    kernel: (n, n), without noise. z: (n,). -inf where the matrix cannot be factorised.
    """
    try:
        root = np.linalg.cholesky(kernel + hyperparameters.noise * np.eye(len(z)))
    except np.linalg.LinAlgError:
        return -math.inf
    white = solve_triangular(root, z, lower=True, check_finite=False)
    fit = -0.5 * len(z) * math.log(max(float(white @ white), 1e-300)) - float(np.log(np.diag(root)).sum())
    return fit - 0.5 * math.log(hyperparameters.length) ** 2 - 0.5 * (math.log(hyperparameters.noise / 0.01) / 2.3) ** 2


class GaussianProcess:
    """The posterior after n observations. Raises FitError.

    points: the n trials with a value. pending: (m, features) of the open ones. Rows of the kernel are the points, then
    the pending ones: the Cholesky factor of all n + m holds that of the points alone as its upper left (n, n) block, so
    that the mean is found from this block and the variance from the whole.
    """

    def __init__(
        self,
        points: Points,
        hyperparameters: Hyperparameters,
        sizes: Sequence[int],
        *,
        pending: Array | None = None,
    ) -> None:
        self._hyperparameters, self._sizes = hyperparameters, sizes
        self._x = with_pending(points.x, pending)  # (n + m, features)
        top = points.epochs.max() if len(points) else 1.0
        self._epochs = np.concatenate([points.epochs, np.full(len(self._x) - len(points), top)])  # (n + m,)
        self._top = float(top)
        gaps, lower = _fidelity_levels(self._epochs)
        correlation = _correlation(distances(self._x, self._x, sizes), hyperparameters)  # (n + m, n + m)
        self._root = _root(correlation * hyperparameters.rho**gaps + OFFSET * lower, hyperparameters.noise)
        count = len(points)
        z = standardised(points.y)
        white = _solve(self._root[:count, :count], z)  # (n,): L⁻¹ z
        self._white, self._count, self._z = white, count, z
        self._signal = max(math.sqrt(float(white @ white) / count), 1e-6)  # s of (2)
        # (n,): K⁻¹ z, which gives the mean at the points themselves, at the highest fidelity
        weights = solve_triangular(self._root[:count, :count], white, lower=True, trans="T", check_finite=False)
        self._mean: Array = correlation[:count, :count] @ (self._to_top[:count] * weights)

    def predict(self, x: Array) -> Prediction:
        """Equations (3) and (4). x: (q, features). Returns (q,) each."""
        return self.predict_at(distances(self._x, x, self._sizes))

    def predict_at(self, groups: Sequence[Array]) -> Prediction:
        """As `predict`, for q candidates given by their squared distances from the points and the pending ones,
        (n + m, q) for each group of features."""
        cross = _correlation(groups, self._hyperparameters) * self._to_top[:, None]  # (n + m, q): k(X, x)
        solved = _solve(self._root, cross)  # (n + m, q): L⁻¹ k(X, x)
        mean = solved[: self._count].T @ self._white
        variance = np.maximum(1.0 - (solved**2).sum(axis=0), 1e-12)
        return Prediction(mean=mean, deviation=self._signal * np.sqrt(variance))

    def at_points(self) -> tuple[Array, Array]:
        """(n,) each, standardised: the posterior mean at the points, and the estimated value of their networks.

        The noise of a smooth process is partly that of training and partly the network's own deviation (`OWN`), so the
        estimate lies between the mean and the value. For a lower fidelity the mean is the estimate.
        """
        own = OWN * (self._epochs[: self._count] >= self._top)
        return self._mean, self._mean + own * (self._z - self._mean)

    @cached_property
    def _to_top(self) -> Array:
        """(n + m,): rho^|log3(e / top)|, the correlation of each point's fidelity with the highest."""
        gaps = np.abs(np.log(self._epochs / self._top)) / math.log(3.0)
        return np.asarray(self._hyperparameters.rho**gaps)


def with_pending(x: Array, pending: Array | None) -> Array:
    """x: (n, features), pending: (m, features) -> (n + m, features)."""
    return x if pending is None else np.concatenate([x, pending])


class FeasibilityModel:
    """The probability that a trial does not fail: a process on 1 and 0 around the share of those that did not fail.

    succeeded, failed: (n, features) and (m, features) of the trials with and without a value. The marginal likelihood
    chooses how alike two networks must be to fail together, and how much of it is chance: a kernel that never fits in
    memory is told from a machine that fails three times in ten. Raises FitError.
    """

    def __init__(self, succeeded: Array, failed: Array, sizes: Sequence[int]) -> None:
        self._x = np.concatenate([succeeded, failed])
        labels = np.concatenate([np.ones(len(succeeded)), np.zeros(len(failed))])  # (n + m,)
        self._prior = (len(succeeded) + 1.0) / (len(labels) + 2.0)
        self._sizes = sizes
        self._hyperparameters = self._chosen(labels - self._prior)
        root = _root(self._kernel(self._x, self._x), self._hyperparameters.noise)
        self._root, self._white = root, _solve(root, labels - self._prior)

    def probability(self, x: Array) -> Array:
        """(q, features) -> (q,) from 0.001 to 1: the mean of equation (3), clipped."""
        mean = self._prior + _solve(self._root, self._kernel(self._x, x)).T @ self._white
        return np.clip(mean, 0.001, 1.0)

    def _chosen(self, z: Array) -> Hyperparameters:
        """The likeliest of a small grid, on at most FITTED of the trials. z: (n + m,)."""
        spaced = np.unique(np.linspace(0, len(z) - 1, min(len(z), FITTED)).astype(np.int64))
        groups = distances(self._x[spaced], self._x[spaced], self._sizes)
        grid = itertools.product(group_weights(self._sizes), (0.5, 1.0, 2.0), (0.05, 0.5, 5.0))
        tried = [Hyperparameters(weights=weights, length=length, noise=noise) for weights, length, noise in grid]
        return max(tried, key=lambda chosen: _log_likelihood(_correlation(groups, chosen), z[spaced], chosen))

    def _kernel(self, a: Array, b: Array) -> Array:
        return _correlation(distances(a, b, self._sizes), self._hyperparameters)


def log_expected_improvement(prediction: Prediction, best: float) -> Array:
    """(q,) log E max(0, value - best), with u = (mean - best) / deviation:

        EI(x) = deviation (u Φ(u) + φ(u))                    Mockus 1978; Jones, Schonlau, Welch 1998, equation 15

    The logarithm tells candidates apart whose improvement is too small for a float (Ament et al. 2023). Below u = -5 it
    is the first term of the asymptotic series, deviation φ(u) / u², where log φ(u) = -u² / 2 - 0.919.
    """
    with np.errstate(all="ignore"):
        u = (prediction.mean - best) / prediction.deviation
        density = np.exp(-0.5 * u**2) / math.sqrt(2 * math.pi)
        exact = np.log(prediction.deviation * (u * ndtr(u) + density))
        tail = np.log(prediction.deviation) - 0.5 * u**2 - 2 * np.log(np.maximum(-u, 1.0)) - 0.919
    return np.asarray(np.where(u > -5.0, exact, tail))


def rounded(values: Array) -> Array:
    """To 8 decimals: the last digits depend on how many threads a matrix product ran on, and equal values must tie."""
    return np.round(values, 8)


def _fidelity_levels(epochs: Array) -> tuple[Array, Array]:
    """epochs: (n,) -> (n, n) each: |log3(e / e')|, and 1 where both are of the same fidelity below the highest."""
    logs = np.log(epochs) / math.log(3.0)
    gaps = np.abs(logs[:, None] - logs[None, :])
    lower = (gaps == 0.0) & (logs < logs.max(initial=0.0))[:, None]
    return gaps, lower.astype(np.float64)


def distances(x: Array, other: Array, sizes: Sequence[int]) -> list[Array]:
    """Squared distances within each group of features: x (n, features), other (q, features) -> (n, q) for each group.

    By |a - b|² = |a|² + |b|² - 2 ab, one matrix product in the place of n q differences; rounding may make it negative.
    """
    found, start = [], 0
    for size in sizes:
        a, b = x[:, start : start + size], other[:, start : start + size]
        squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
        found.append(np.maximum(squares, 0.0))
        start += size
    return found


def _correlation(groups: Sequence[Array], hyperparameters: Hyperparameters) -> Array:
    """k of (1). groups: (n, q) squared distances of each group -> (n, q)."""
    return _matern(groups, hyperparameters.weights, hyperparameters.length)


def _matern(groups: Sequence[Array], weights: Sequence[float], length: float) -> Array:
    squares = sum(weight * group for weight, group in zip(weights, groups, strict=True))
    r = np.sqrt(5.0 * np.asarray(squares)) / length
    return np.asarray((1.0 + r + r * r / 3.0) * np.exp(-r))


def _root(kernel: Array, noise: float) -> Array:
    """(n, n) -> (n, n): the lower Cholesky factor, with more noise where it needs more. Raises FitError."""
    for extra in (0.0, 1e-6, 1e-3):
        try:
            root = np.asarray(np.linalg.cholesky(kernel + (noise + extra) * np.eye(len(kernel))), dtype=np.float64)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(root).all():
            return root
    raise FitError("the kernel's matrix cannot be factorised")


def _solve(root: Array, right: Array) -> Array:
    """root⁻¹ right, for a lower triangular root (n, n) and right (n,) or (n, q)."""
    return np.asarray(solve_triangular(root, right, lower=True, check_finite=False))
