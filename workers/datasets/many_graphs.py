"""Nodes of many graphs in the order of their graphs, as they are stored."""

import numpy as np

from workers.datasets.graphs import Numbers
from workers.datasets.raw import Array, fault


def together(x: Array, edges: Numbers, graph: Numbers, *, file: str, base: int = 0) -> tuple[Array, Numbers, Numbers]:
    """x (N, F), edges (2, E) and graph (N,) with the nodes of a graph together, the graphs ascending.

    file: of the edges. base: the number of the first node in it. Raises `edge_between_graphs`.
    """
    order = np.argsort(graph, kind="stable")
    place = np.argsort(order)
    edges = np.sort(place[edges], axis=0)
    edges = edges[:, np.lexsort((edges[1], edges[0]))]
    check_within(edges, graph[order], order, file=file, base=base)
    return (x if (order == np.arange(len(order))).all() else np.asarray(x)[order]), edges, graph[order]


def check_within(edges: Numbers, graph: Numbers, order: Numbers, *, file: str, base: int) -> None:
    """Raises `edge_between_graphs`. graph: of each node; order: the number of each node in the file."""
    apart = graph[edges[0]] != graph[edges[1]]
    if apart.any():
        a, b = order[edges[:, int(apart.argmax())]] + base
        raise fault("edge_between_graphs", f"{file} joins nodes {a} and {b}, which are of two graphs", file=file)
