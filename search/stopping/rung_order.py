"""The order inside a rung, the best first; also with several objectives (MO-ASHA, Schmucker et al. 2021).

One objective: by value. Several: by non-dominated front (Deb et al. 2002). Within a front no trial is better than
another, and the aim is to keep its whole extent: its points are ordered as an epsilon-net, each time the one furthest
from all before it, beginning with the best in the first objective. (Schmucker et al. found this order better than
random weights.) Distances are in units of each objective's range over the rung. Equal measurements share the rank of
the first of them, so that no rank depends on the order of arrival.
"""

import numpy as np

from search.pareto import Array, Ints, furthest, non_dominated_ranks, normalised


def places(values: Array) -> Ints:
    """(n, objectives), larger is better -> (n,): the rank of each row, 0 for the best."""
    if values.shape[1] == 1:
        column = values[:, 0]
        return np.asarray(len(column) - np.searchsorted(np.sort(column), column, side="right"), dtype=np.int64)
    # distinct: (m, objectives). which: (n,) its row of each measurement. counts: (m,)
    distinct, which, counts = np.unique(values, axis=0, return_inverse=True, return_counts=True)
    fronts = non_dominated_ranks(distinct)
    scaled = normalised(distinct)
    order: list[int] = []
    for rank in range(int(fronts.max()) + 1):
        front = np.flatnonzero(fronts == rank)
        points = scaled[front]
        best = int(np.lexsort(tuple(-column for column in points.T[::-1]))[0])
        order += [int(front[place]) for place in furthest(points, len(points), first=best)]
    before = np.zeros(len(distinct), dtype=np.int64)  # (m,): measurements that come before each distinct one
    before[order] = np.concatenate([[0], np.cumsum(counts[order])[:-1]])
    return before[which.reshape(-1)]
