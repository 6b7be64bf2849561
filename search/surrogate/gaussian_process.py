"""An exact Gaussian process over the features of architectures (Rasmussen & Williams 2006, chapters 2 and 5).

    value(x) = mean + s * f(x) + noise      f ~ GP(0, k),  k(x, x') = (1 + r + r² / 3) exp(-r),  r = √5 |x - x'| / l

(Matérn 5/2, equation 4.17: Snoek et al. 2012 advise it where a Gaussian kernel is too smooth to be true. On a published
table of 3,969 networks of eight operations the best is found after 33 trials in the place of 38, and within 50 in all
of 24 searches in the place of 83 %.)

Features come in groups (`features.py`), each of mean square 1 over the space, with a weight for each group.
Length-scale l, noise and weights are taken from a small grid by the marginal likelihood, with s integrated out in
closed form (its best value given the rest) and weak priors that keep six points from claiming much. Targets are
winsorised (nothing counts as worse than median - 1.5 interquartile ranges) and standardised: otherwise the few hopeless
architectures stretch the scale on which the good ones differ.

    lower fidelity   A value after fewer epochs e than the most told speaks of another level. Levels are correlated by
                     rho^|log3(e / e')|, an autoregressive model (Kennedy & O'Hagan 2000), and each lower one has an
                     unknown offset of its own, so that "lower because earlier" is not taken for "worse".
    open trials      shrink the variance near them and leave the mean alone, so that parallel asks spread out.
    failed ones      have no value; `FeasibilityModel` is that of not being like them, a process on 0 and 1.
    many             above 500 the best 300 and 200 others are kept: one ask stays below 50 ms.

Nothing here is random and nothing is kept between fits: a posterior is a function of what was told. A matrix that
cannot be factorised gets more noise and then gives up (`FitError`), and the controller draws at random.
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
"""Between a fidelity and three times as many epochs; 12 and 200 epochs of a published table correlate by 0.77."""

OFFSET = 4.0
"""Variance of a lower fidelity's offset, in units of the signal's."""

OWN = 0.75
"""Share of what a process calls noise that is the network's own."""

BEST, OTHERS = 300, 200
"""How many points are kept where there are more."""

FITTED = 100
"""Points that the grid is tried on: a try costs 0.2 ms then, and more of them change its answer rarely."""

VIEWS = ((1.0, 0.25, 0.0), (1.0, 0.25, 1.0), (0.0, 0.25, 1.0))
"""What weights the groups graph, cost and choices may have: see `features.py`."""


_LIBRARIES = ThreadpoolController()  # those of numpy and scipy, which are loaded by now


def alone() -> AbstractContextManager[object]:
    """Linear algebra on one thread, inside. Matrices of 500 rows gain nothing from a second one, and where trials keep
    all processors busy the threads wait for each other: an ask took three times the processor's time."""
    limit: AbstractContextManager[object] = _LIBRARIES.limit(limits=1, user_api="blas")
    return limit


class FitError(Exception):
    """The numbers do not make a process: too few points, no spread, or a matrix that cannot be factorised."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Points:
    """What was told. x: (n, features). y: (n,) values, larger is better. epochs: (n,) that each value rests on."""

    x: Array
    y: Array
    epochs: Array

    def __len__(self) -> int:
        return len(self.y)

    def only(self, places: Sequence[int] | npt.NDArray[np.int64]) -> "Points":
        return Points(x=self.x[places], y=self.y[places], epochs=self.epochs[places])


@dataclass(frozen=True, kw_only=True, slots=True)
class Hyperparameters:
    """What the grid is over. weights: of each group's squared distances. rho: see `CORRELATIONS`."""

    length: float
    noise: float
    weights: tuple[float, ...]
    rho: float = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """mean, deviation: (n,) in standardised units, of the highest fidelity."""

    mean: Array
    deviation: Array


def kept(y: Array, key: Array) -> npt.NDArray[np.int64]:
    """Places of the points that are kept, in order: all, or the best ones and those of the lowest `key`."""
    if len(y) <= BEST + OTHERS:
        return np.arange(len(y))
    order = np.argsort(-y, kind="stable")
    others = order[BEST:]
    return np.sort(np.concatenate([order[:BEST], others[np.argsort(key[others], kind="stable")[:OTHERS]]]))


def standardised(y: Array) -> Array:
    """Winsorised below, mean 0 and deviation 1. Raises Unfit where all are equal."""
    low, middle, high = np.quantile(y, [0.25, 0.5, 0.75])
    with np.errstate(over="ignore", invalid="ignore"):
        cut = np.maximum(y, middle - 1.5 * (high - low))
        spread = cut.std()
        z: Array = (cut - cut.mean()) / spread if 0 < spread < np.inf else cut * np.nan
    if not np.isfinite(z).all():
        raise FitError("the values have no finite spread")
    return z


def views(sizes: Sequence[int]) -> list[tuple[float, ...]]:
    """The weights that make a difference where the groups have so many columns; each sums to 1."""
    found: list[tuple[float, ...]] = []
    for view in VIEWS:
        weights = [weight if size else 0.0 for weight, size in zip(view, sizes, strict=True)]
        shares = tuple(weight / max(sum(weights), 1e-9) for weight in weights)
        if any(shares) and shares not in found:
            found.append(shares)
    return found


def plausible(points: Points, sizes: Sequence[int], count: int) -> list[tuple[float, Hyperparameters]]:
    """The likeliest `count` of the grid, with weights that sum to 1. sizes: columns of each group. Raises Unfit."""
    points = _fitted(points)
    z = standardised(points.y)
    gaps, lower = _levels(points.epochs)
    rhos = CORRELATIONS if lower.any() else (0.9,)
    groups = distances(points.x, points.x, sizes)
    tried: list[tuple[float, Hyperparameters]] = []
    for weights, length, rho in itertools.product(views(sizes), LENGTHS, rhos):
        kernel = _matern(groups, weights, length) * rho**gaps + OFFSET * lower
        for noise in NOISES:
            scales = Hyperparameters(length=length, noise=noise, weights=weights, rho=rho)
            tried.append((_merit(kernel, z, scales), scales))
    tried = sorted((one for one in tried if math.isfinite(one[0])), key=lambda one: -one[0])[:count]
    if not tried:
        raise FitError("no length-scale fits")
    shares = settled(np.exp([merit - tried[0][0] for merit, _ in tried]))
    return [(float(share / shares.sum()), scales) for share, (_, scales) in zip(shares, tried, strict=True) if share]


def _fitted(points: Points) -> Points:
    """What scales are chosen on: of many points the best half and every so many of the rest."""
    if len(points) <= FITTED:
        return points
    # what tells good ones apart counts most
    order = np.argsort(-points.y, kind="stable")
    rest = order[FITTED // 2 :]
    step = len(rest) / (FITTED - FITTED // 2)
    spaced = rest[(np.arange(FITTED - FITTED // 2) * step).astype(np.int64)]
    return points.only(np.sort(np.concatenate([order[: FITTED // 2], spaced])))


def _merit(kernel: Array, z: Array, scales: Hyperparameters) -> float:
    """Log marginal likelihood with the signal's variance profiled out, and log-normal priors, wide ones."""
    try:
        root = np.linalg.cholesky(kernel + scales.noise * np.eye(len(z)))
    except np.linalg.LinAlgError:
        return -math.inf
    white = solve_triangular(root, z, lower=True, check_finite=False)
    fit = -0.5 * len(z) * math.log(max(float(white @ white), 1e-300)) - float(np.log(np.diag(root)).sum())
    return fit - 0.5 * math.log(scales.length) ** 2 - 0.5 * (math.log(scales.noise / 0.01) / 2.3) ** 2


class GaussianProcess:
    """The process after what was told. Raises Unfit.

    points: told ones with a value. pending: (m, features) of the open ones.
    """

    def __init__(
        self, points: Points, scales: Hyperparameters, sizes: Sequence[int], *, pending: Array | None = None
    ) -> None:
        self._scales, self._sizes = scales, sizes
        self._x = with_pending(points.x, pending)
        top = points.epochs.max() if len(points) else 1.0
        self._epochs = np.concatenate([points.epochs, np.full(len(self._x) - len(points), top)])
        self._top = float(top)
        gaps, lower = _levels(self._epochs)
        alike = _correlation(distances(self._x, self._x, sizes), scales)
        self._root = _root(alike * scales.rho**gaps + OFFSET * lower, scales.noise)
        told = len(points)
        z = standardised(points.y)
        white = _solve(self._root[:told, :told], z)
        self._white, self._told, self._z = white, told, z
        self._signal = max(math.sqrt(float(white @ white) / told), 1e-6)
        pull = solve_triangular(self._root[:told, :told], white, lower=True, trans="T", check_finite=False)
        self._mean: Array = alike[:told, :told] @ (self._carried[:told] * pull)

    def at(self, x: Array) -> Prediction:
        """x: (n, features)."""
        return self.apart(distances(self._x, x, self._sizes))

    def apart(self, groups: Sequence[Array]) -> Prediction:
        """Of what is so far from the told and the pending points, (those, n) for each group of features."""
        cross = _correlation(groups, self._scales) * self._carried[:, None]
        solved = _solve(self._root, cross)
        mean = solved[: self._told].T @ self._white
        variance = np.maximum(1.0 - (solved**2).sum(axis=0), 1e-12)
        return Prediction(mean=mean, deviation=self._signal * np.sqrt(variance))

    def believed(self) -> tuple[Array, Array]:
        """Of the told points, (n,) each: the mean, and what their networks are worth, both standardised.

        What a smooth process takes for noise is partly that of training and partly the network's own: see `OWN`. Of a
        lower fidelity the mean is believed.
        """
        own = OWN * (self._epochs[: self._told] >= self._top)
        return self._mean, self._mean + own * (self._z - self._mean)

    @cached_property
    def _carried(self) -> Array:
        """(told + pending,) correlation of each point's fidelity with the highest."""
        gaps = np.abs(np.log(self._epochs / self._top)) / math.log(3.0)
        return np.asarray(self._scales.rho**gaps)


def with_pending(x: Array, pending: Array | None) -> Array:
    """(told + pending, features)."""
    return x if pending is None else np.concatenate([x, pending])


class FeasibilityModel:
    """The chance not to fail: a process on 1 and 0 around the share of those that did not. Raises Unfit.

    good, bad: (n, features) of what was trained and of what failed. How alike two must be to share their fate, and how
    much of it is chance, is chosen by the marginal likelihood: a kernel that never fits in memory is told from a
    machine that fails three times in ten.
    """

    def __init__(self, good: Array, bad: Array, sizes: Sequence[int]) -> None:
        self._x = np.concatenate([good, bad])
        labels = np.concatenate([np.ones(len(good)), np.zeros(len(bad))])
        self._prior = (len(good) + 1.0) / (len(labels) + 2.0)
        self._sizes = sizes
        self._scales = self._chosen(labels - self._prior)
        root = _root(self._kernel(self._x, self._x), self._scales.noise)
        self._root, self._white = root, _solve(root, labels - self._prior)

    def at(self, x: Array) -> Array:
        """(n,) from 0.001 to 1."""
        mean = self._prior + _solve(self._root, self._kernel(self._x, x)).T @ self._white
        return np.clip(mean, 0.001, 1.0)

    def _chosen(self, z: Array) -> Hyperparameters:
        spaced = np.unique(np.linspace(0, len(z) - 1, min(len(z), FITTED)).astype(np.int64))
        groups = distances(self._x[spaced], self._x[spaced], self._sizes)
        grid = itertools.product(views(self._sizes), (0.5, 1.0, 2.0), (0.05, 0.5, 5.0))
        tried = [Hyperparameters(weights=weights, length=length, noise=noise) for weights, length, noise in grid]
        return max(tried, key=lambda one: _merit(_correlation(groups, one), z[spaced], one))

    def _kernel(self, a: Array, b: Array) -> Array:
        return _correlation(distances(a, b, self._sizes), self._scales)


def expected_improvement(posterior: Prediction, best: float) -> Array:
    """(n,) E max(0, value - best), to rank by (Mockus 1978); its logarithm where it is too small to tell apart."""
    with np.errstate(all="ignore"):
        score = (posterior.mean - best) / posterior.deviation
        density = np.exp(-0.5 * score**2) / math.sqrt(2 * math.pi)
        gain = np.log(posterior.deviation * (score * ndtr(score) + density))
        # far below the best: log of density / score², the first term of the asymptotic series
        tail = np.log(posterior.deviation) - 0.5 * score**2 - 2 * np.log(np.maximum(-score, 1.0)) - 0.919
    return np.asarray(np.where(score > -5.0, gain, tail))


def settled(values: Array) -> Array:
    """Without the last digits, which depend on how many threads a matrix product ran on: what is equal ties, always."""
    return np.round(values, 8)


def _levels(epochs: Array) -> tuple[Array, Array]:
    """Between all points, how many times three apart their epochs are, and whether both are of one lower fidelity."""
    logs = np.log(np.maximum(epochs, 1.0)) / math.log(3.0)
    gaps = np.abs(logs[:, None] - logs[None, :])
    lower = (gaps == 0.0) & (logs < logs.max(initial=0.0))[:, None]
    return gaps, lower.astype(np.float64)


def distances(x: Array, other: Array, sizes: Sequence[int]) -> list[Array]:
    """Squared distances of each group, (rows of x, rows of other)."""
    found, start = [], 0
    for size in sizes:
        a, b = x[:, start : start + size], other[:, start : start + size]
        squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
        found.append(np.maximum(squares, 0.0))
        start += size
    return found


def _correlation(groups: Sequence[Array], scales: Hyperparameters) -> Array:
    """k of the equation at the top, from the squared distances of each group."""
    return _matern(groups, scales.weights, scales.length)


def _matern(groups: Sequence[Array], weights: Sequence[float], length: float) -> Array:
    squares = sum(weight * group for weight, group in zip(weights, groups, strict=True))
    r = np.sqrt(5.0 * np.asarray(squares)) / length
    return np.asarray((1.0 + r + r * r / 3.0) * np.exp(-r))


def _root(kernel: Array, noise: float) -> Array:
    """The lower triangular root, with more noise where it needs more. Raises Unfit."""
    for extra in (0.0, 1e-6, 1e-3):
        try:
            root = np.asarray(np.linalg.cholesky(kernel + (noise + extra) * np.eye(len(kernel))), dtype=np.float64)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(root).all():
            return root
    raise FitError("the kernel's matrix cannot be factorised")


def _solve(root: Array, right: Array) -> Array:
    return np.asarray(solve_triangular(root, right, lower=True, check_finite=False))
