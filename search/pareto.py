"""Several objectives at once: who dominates whom, the front, its hypervolume, and ways to choose along it.

Values are folded (larger is better) and shaped (points, objectives). One point dominates another when it is nowhere
worse and somewhere better; equal points do not dominate each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.objective import Objective

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

MARGIN = 0.1
"""Of the range of each objective, by which the reference lies below the worst value."""

AUGMENTED = 0.05
"""Weight of the sum beside the maximum in the Tchebycheff norm (Knowles 2006)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """The trials of a search that no other one dominates.

    points: (number, raw measures that the objective needs), by the first objective, the best first. hypervolume: in the
    product of the objectives' units, above `reference`, which is raw as well; both None where nothing completed.
    """

    points: tuple[tuple[int, dict[str, float]], ...]
    hypervolume: float | None
    reference: dict[str, float] | None


def pareto(completed: Sequence[tuple[int, Mapping[str, float]]], objective: Objective) -> Front:
    """completed: (number, facts) of trials. Those that lack a measure, of an older version, are left out."""
    known = [(number, facts) for number, facts in completed if objective.knows(facts)]
    if not known:
        return Front(points=(), hypervolume=None, reference=None)
    values = np.array([objective.values(facts) for _, facts in known])
    reference = reference_point(values)
    places = np.flatnonzero(non_dominated(values))
    points = [known[place] for place in sorted(places, key=lambda place: (-values[place, 0], known[place][0]))]
    return Front(
        points=tuple((number, {name: facts[name] for name in objective.needs}) for number, facts in points),
        hypervolume=hypervolume(values, reference),
        reference=objective.raw([float(value) for value in reference]),
    )


def non_dominated(values: Array) -> NDArray[np.bool_]:
    """(points,): who is dominated by nobody."""
    front = np.ones(len(values), dtype=bool)
    # Best sums first: they dominate most of the others, so that few are left to compare with. A point with a larger sum
    # is never dominated by one with a smaller sum.
    for place in np.argsort(-_leveled(values).sum(axis=1), kind="stable"):
        if front[place]:
            worse = (values <= values[place]).all(axis=1) & (values < values[place]).any(axis=1)
            front &= ~worse
    return front


def non_dominated_ranks(values: Array, *, enough: int | None = None) -> Ints:
    """(points,): 0 for the front, 1 for the front of the rest, and so on (Deb et al. 2002).

    enough: once so many points have ranks, all others get the next one.
    """
    ranks = np.zeros(len(values), dtype=np.int64)
    left, rank = np.arange(len(values)), 0
    while len(left) and (enough is None or len(values) - len(left) < enough):
        front = non_dominated(values[left])
        ranks[left[front]] = rank
        left, rank = left[~front], rank + 1
    ranks[left] = rank
    return ranks


def crowding(values: Array) -> Array:
    """(points,): how much room a point of one front has, inf at the ends of each objective (Deb et al. 2002)."""
    room = np.zeros(len(values))
    scaled = normalised(values)
    for column in scaled.T:
        order = np.argsort(column, kind="stable")
        room[order[[0, -1]]] = np.inf
        room[order[1:-1]] += column[order[2:]] - column[order[:-2]]
    return room


def hypervolume(values: Array, reference: Array) -> float:
    """The volume dominated by the points and above the reference, exact.

    Two objectives by a sweep, more by the exclusive volumes of WFG (While, Bradstreet, Barone 2012). Points that do not
    exceed the reference everywhere add nothing. 0.1 s for a front of 50 points in four objectives.
    """
    above = values[(values > reference).all(axis=1)] - reference
    front = np.unique(above[non_dominated(above)], axis=0)[::-1]  # by the first objective, falling
    return _volume(front)


def _volume(front: Array) -> float:
    """Of points above the origin, none of which dominates another, the first objective falling."""
    if not len(front):
        return 0.0
    if front.shape[1] == 1:
        return float(front.max())
    if front.shape[1] == 2:
        steps = np.diff(front[:, 1], prepend=0.0)
        return float((front[:, 0] * steps).sum())
    return sum(_exclusive(front, place) for place in range(len(front)))


def _exclusive(front: Array, place: int) -> float:
    """What a point dominates and those after it do not: its box, less what these cover of it."""
    point = front[place]
    covered = np.minimum(front[place + 1 :], point)
    covered = np.unique(covered[non_dominated(covered)], axis=0)[::-1]
    return float(point.prod()) - _volume(covered)


def reference_point(values: Array) -> Array:
    """(objectives,): a little below the worst value of each, so that the ends of the front count.

    A tenth of the range below it, or of the value where all are equal. It is a function of what was measured: figures
    over one job's trials compare with each other, with another job's only by the same reference.
    """
    worst, best = values.min(axis=0), values.max(axis=0)
    span = best - worst
    return np.asarray(worst - MARGIN * np.where(span > 0, span, np.maximum(np.abs(worst), 1e-9)))


def normalised(values: Array) -> Array:
    """Each objective from 0 for its worst to 1 for its best value; 0 where all are equal."""
    worst = values.min(axis=0)
    span = values.max(axis=0) - worst
    return np.asarray((values - worst) / np.where(span > 0, span, 1.0))


def _leveled(values: Array) -> Array:
    """The ranks of the values in each objective: sums of them order like dominance, whatever the scales."""
    levels = [np.unique(column, return_inverse=True)[1] for column in values.T]
    return np.asarray(levels, dtype=float).T.reshape(values.shape)


def spread(values: Array, count: int, *, first: int) -> list[int]:
    """Places of up to `count` points far from each other, beginning with `first`: each next one has the largest
    distance to its nearest chosen one, in normalised objectives (Gonzalez 1985)."""
    return furthest(normalised(values), count, first=first)


def furthest(points: Array, count: int, *, first: int) -> list[int]:
    """As `spread`, in the points' own scale. Of equals the earlier one."""
    chosen = [first]
    nearest = np.linalg.norm(points - points[first], axis=1)
    while len(chosen) < min(count, len(points)):
        nearest[chosen] = -1.0
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen


def best(values: Sequence[tuple[float, ...]], count: int) -> list[int]:
    """Places of the `count` points that a generation of NSGA-II keeps: by rank, then by room within the rank.

    Of equals the earlier one.
    """
    points = np.array(values, dtype=float)
    ranks = non_dominated_ranks(points, enough=count)
    kept: list[int] = []
    for rank in range(int(ranks.max()) + 1):
        places = np.flatnonzero(ranks == rank)
        if len(kept) + len(places) > count:
            places = places[np.argsort(-crowding(points[places]), kind="stable")]
        kept += [int(place) for place in places[: count - len(kept)]]
    return kept


def parego(values: Array, rng: np.random.Generator) -> Array:
    """(points,): the augmented Tchebycheff norm under random weights, larger is better (ParEGO, Knowles 2006).

    A model of one number, given other weights for each ask, finds a front: every Pareto-optimal point is the best under
    some weights. The weights are uniform on the simplex. Objectives are scaled to 0 .. 1 by what was measured, tails
    beyond 1.5 interquartile ranges below the median cut off, since one huge network would press all others together.
    """
    if values.shape[1] == 1:
        return np.asarray(values[:, 0])
    weights = rng.dirichlet(np.ones(values.shape[1]))
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    lowest = np.where(high > low, middle - 1.5 * (high - low), -np.inf)
    loss = 1.0 - normalised(np.maximum(values, lowest))
    weighted = weights * loss
    return np.asarray(-weighted.max(axis=1) - AUGMENTED * weighted.sum(axis=1))
