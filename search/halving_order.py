"""The order inside a rung, the best first; also with several objectives (MO-ASHA, Schmucker et al. 2021).

One objective: by value. Several: by front, those that nobody dominates first, then those that only they dominate, and
so on (Deb et al. 2002). Within a front nobody is better, and what counts is to keep it whole: its points are taken in
the order of an epsilon-net, each time the one furthest from all taken before, beginning with the best in the first
objective. (Schmucker et al. found this order ahead of random weights.) Distances are in units of each objective's range
over the rung. Equal measurements share the place of the first of them, so that no place is decided by who comes first.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def places(values: Array) -> Places:
    """The place of each row, 0 for the best; values: (n, objectives), larger is better."""
    if values.shape[1] == 1:
        column = values[:, 0]
        return np.asarray(len(column) - np.searchsorted(np.sort(column), column, side="right"), dtype=np.int64)
    distinct, which, counts = np.unique(values, axis=0, return_inverse=True, return_counts=True)
    fronts = non_dominated_ranks(distinct)
    low, high = distinct.min(axis=0), distinct.max(axis=0)
    scaled = (distinct - low) / np.where(high > low, high - low, 1.0)
    order: list[int] = []
    for rank in range(int(fronts.max()) + 1):
        front = np.flatnonzero(fronts == rank)
        order += [int(front[place]) for place in epsilon_net(scaled[front])]
    before = np.zeros(len(distinct), dtype=np.int64)
    before[order] = np.concatenate([[0], np.cumsum(counts[order])[:-1]])
    return before[which.reshape(-1)]


def non_dominated_ranks(values: Array) -> Places:
    """(n,) the front of each row, 0 for those that no other dominates; values: (n, objectives), larger is better."""
    ranks = np.full(len(values), -1, dtype=np.int64)
    if values.shape[1] == 1:
        return np.asarray(np.unique(-values[:, 0], return_inverse=True)[1], dtype=np.int64)
    left, rank = np.arange(len(values)), 0
    while len(left):
        points = values[left]
        no_worse = (points[:, None, :] >= points[None, :, :]).all(axis=2)
        dominated = (no_worse & ~no_worse.T).any(axis=0)
        ranks[left[~dominated]] = rank
        left, rank = left[dominated], rank + 1
    return ranks


def epsilon_net(points: Array) -> list[int]:
    """Places of the rows, each the furthest from those before it, the first of equals; (n, objectives) in one scale."""
    taken = [int(np.lexsort(tuple(-column for column in points.T[::-1]))[0])]
    distance = np.linalg.norm(points - points[taken[0]], axis=1)
    while len(taken) < len(points):
        distance[taken[-1]] = -1.0
        taken.append(int(np.argmax(distance)))
        distance = np.where(
            distance < 0, -1.0, np.minimum(distance, np.linalg.norm(points - points[taken[-1]], axis=1))
        )
    return taken
