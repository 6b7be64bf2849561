"""Several objectives at once: dominance, the front, its hypervolume, and ways to choose points along it.

Values are (points, objectives), larger is better. One point dominates another where it is worse in no objective and
better in at least one; equal points do not dominate each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.objective import Objective

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

MARGIN = 0.1
"""How far the reference is below the worst value, as a share of the range of each objective."""

AUGMENTED = 0.05
"""Weight of the sum beside the maximum in the Tchebycheff norm (Knowles 2006)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """The trials of a search that no other trial dominates.

    points: (number, raw measures that the objective needs), by the first objective, the best first. hypervolume: in the
    product of the objectives' units, above `reference`, which is raw as well; both None where no trial completed.
    """

    points: tuple[tuple[int, dict[str, float]], ...]
    hypervolume: float | None
    reference: dict[str, float] | None


def pareto(completed: Sequence[tuple[int, Mapping[str, float]]], objective: Objective) -> Front:
    """completed: (number, facts) of trials. Those of an older version that lack a measure are left out."""
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
    """(points, objectives) -> (points,): whether no other point dominates it."""
    front = np.ones(len(values), dtype=bool)
    # Largest sums of ranks first: these points dominate most of the others, so that few are left to compare with. A
    # point is never dominated by one with a smaller sum.
    for place in np.argsort(-_ranks(values).sum(axis=1), kind="stable"):
        if front[place]:
            worse = (values <= values[place]).all(axis=1) & (values < values[place]).any(axis=1)
            front &= ~worse
    return front


def non_dominated_ranks(values: Array, *, enough: int | None = None) -> Ints:
    """(points, objectives) -> (points,): 0 for the front, 1 for the front of the rest, and so on.

    (Deb et al. 2002, section III-A.) enough: once so many points have ranks, all others get the next rank.
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
    """(points, objectives) of one front -> (points,): the crowding distance, inf at the ends of each objective.

    The sum over the objectives of the distance between a point's two neighbours (Deb et al. 2002, section III-B).
    """
    distance = np.zeros(len(values))
    scaled = normalised(values)
    for column in scaled.T:
        order = np.argsort(column, kind="stable")
        distance[order[[0, -1]]] = np.inf
        distance[order[1:-1]] += column[order[2:]] - column[order[:-2]]
    return distance


def hypervolume(values: Array, reference: Array) -> float:
    """The exact volume that the points, (points, objectives), dominate above the reference, (objectives,).

    Two objectives by a sweep, more by the exclusive volumes of WFG (While, Bradstreet, Barone 2012). Points that do not
    exceed the reference in every objective add nothing. 0.1 s for a front of 50 points in four objectives.
    """
    above = values[(values > reference).all(axis=1)] - reference
    front = np.unique(above[non_dominated(above)], axis=0)[::-1]  # by the first objective, descending
    return _volume(front)


def _volume(front: Array) -> float:
    """(points, objectives) above the origin, none of which dominates another, the first objective descending."""
    if not len(front):
        return 0.0
    if front.shape[1] == 1:
        return float(front.max())
    if front.shape[1] == 2:
        steps = np.diff(front[:, 1], prepend=0.0)
        return float((front[:, 0] * steps).sum())
    return sum(_exclusive(front, place) for place in range(len(front)))


def _exclusive(front: Array, place: int) -> float:
    """The volume that only this point dominates, not those after it: its box, minus the part that these cover."""
    point = front[place]
    covered = np.minimum(front[place + 1 :], point)
    covered = np.unique(covered[non_dominated(covered)], axis=0)[::-1]
    return float(point.prod()) - _volume(covered)


def reference_point(values: Array) -> Array:
    """(points, objectives) -> (objectives,): a little below the worst of each, so that the ends of the front count.

    A tenth of the range below it, or of the value where all are equal. It depends on the values: hypervolumes within a
    job compare with each other, those of two jobs only with the same reference.
    """
    worst, best = values.min(axis=0), values.max(axis=0)
    span = best - worst
    return np.asarray(worst - MARGIN * np.where(span > 0, span, np.maximum(np.abs(worst), 1e-9)))


def normalised(values: Array) -> Array:
    """(points, objectives) -> the same: from 0 for the worst to 1 for the best value; 0 where all are equal."""
    worst = values.min(axis=0)
    span = values.max(axis=0) - worst
    return np.asarray((values - worst) / np.where(span > 0, span, 1.0))


def _ranks(values: Array) -> Array:
    """(points, objectives) -> the same: the ranks in each objective, whose sums do not depend on the scales."""
    levels = [np.unique(column, return_inverse=True)[1] for column in values.T]
    return np.asarray(levels, dtype=float).T.reshape(values.shape)


def spread(values: Array, count: int, *, first: int) -> list[int]:
    """Indices of up to `count` points far from each other, in normalised objectives, beginning with `first`.

    Each next point has the largest distance to its nearest chosen one (Gonzalez 1985). values: (points, objectives).
    """
    return furthest(normalised(values), count, first=first)


def furthest(points: Array, count: int, *, first: int) -> list[int]:
    """As `spread`, in the points' own scale. Of equal distances the earlier point."""
    chosen = [first]
    nearest = np.linalg.norm(points - points[first], axis=1)
    while len(chosen) < min(count, len(points)):
        nearest[chosen] = -1.0
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen


def best(values: Sequence[tuple[float, ...]], count: int) -> list[int]:
    """Indices of the `count` points that a generation of NSGA-II keeps: by rank, then by crowding distance.

    Of equals the earlier point.
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
    """(points, objectives) -> (points,): the augmented Tchebycheff norm under random weights, larger is better.

        -max over j of w_j l_j - AUGMENTED * sum over j of w_j l_j                           (ParEGO, Knowles 2006)

    with the losses l_j in 0 .. 1. A model of one number, with new weights for each ask, finds a front: every Pareto-
    optimal point is the best under some weights. The weights are uniform on the simplex. Objectives are scaled by the
    values, with tails beyond 1.5 interquartile ranges below the median cut off, since one huge network would otherwise
    compress the scale for all others.
    """
    if values.shape[1] == 1:
        return np.asarray(values[:, 0])
    weights = rng.dirichlet(np.ones(values.shape[1]))
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75), axis=0)
    lowest = np.where(high > low, middle - 1.5 * (high - low), -np.inf)
    loss = 1.0 - normalised(np.maximum(values, lowest))
    weighted = weights * loss
    return np.asarray(-weighted.max(axis=1) - AUGMENTED * weighted.sum(axis=1))
