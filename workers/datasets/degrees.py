"""Features of nodes that have none: the number of neighbours, one-hot, as Xu et al. take them (arXiv 1810.00826)."""

import numpy as np

from workers.datasets.columns import MAX_DEGREE
from workers.datasets.graphs import Numbers, check_sizes
from workers.datasets.raw import Array


def degree_features(edges: Numbers, *, nodes: int, file: str) -> tuple[Array, list[str]]:
    """(N, F) uint8 of edges (2, E), each once, and the names of the columns."""
    degree = np.minimum(np.bincount(edges.ravel(), minlength=nodes), MAX_DEGREE)
    columns = [f"neighbours = {number}" for number in range(int(degree.max()) + 1)]
    if degree.max() == MAX_DEGREE:
        columns[-1] = f"neighbours >= {MAX_DEGREE}"
    return one_hot(degree, np.arange(degree.max() + 1), file=file), columns


def one_hot(values: Numbers, known: Numbers, *, file: str) -> Array:
    check_sizes(len(values), len(known), 1, file=file)
    table = np.zeros((len(values), len(known)), dtype=np.uint8)
    table[np.arange(len(values)), np.searchsorted(known, values)] = 1
    return table
