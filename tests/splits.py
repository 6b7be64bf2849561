"""What must hold of any split of graphs, and of held-out links; checked without the code that made them."""

import numpy as np

from workers.datasets import Dataset, GraphSplit

Pairs = set[tuple[int, int]]


def pairs_of(listed: np.ndarray) -> Pairs:
    """Undirected: the smaller number first."""
    return {(min(a, b), max(a, b)) for a, b in listed.T.tolist()}


def check_graph_split(split: GraphSplit, *, task: str, features: int, classes: int) -> None:
    """Raises AssertionError where `split` is not as `GraphSplit` promises for `task`."""
    nodes = len(split.x)
    assert split.x.shape == (nodes, features)
    assert split.x.dtype in (np.uint8, np.float32)
    for array in (split.edges, split.index, split.y):
        assert array.dtype == np.int64
    assert len(split) == len(split.y) > 0
    assert 0 <= split.y.min() <= split.y.max() < classes
    assert 0 <= split.edges.min() <= split.edges.max() < nodes
    directed = list(zip(*split.edges.tolist(), strict=True))
    assert len(set(directed)) == len(directed), "no edge twice"
    assert {(b, a) for a, b in directed} == set(directed), "both directions"
    assert all(a != b for a, b in directed), "no self-loops"
    if task == "graphs":
        assert split.index.shape == (nodes,)
        assert np.unique(split.index).tolist() == list(range(len(split.y))), "every graph has a node"
        assert (np.diff(split.index) >= 0).all()
        assert (split.index[split.edges[0]] == split.index[split.edges[1]]).all()
    else:
        assert split.index.shape == ((2, len(split.y)) if task == "links" else (len(split.y),))
        assert 0 <= split.index.min() <= split.index.max() < nodes


def check_links_are_held_out(data: Dataset, edges: np.ndarray) -> None:
    """edges: all links of the graph. Raises AssertionError when a split could see an answer of a later one."""
    links = pairs_of(edges)
    asked: dict[str, tuple[Pairs, Pairs]] = {}
    for name in ("search_train", "search_val", "test"):
        split = getattr(data, name)
        yes, no = (pairs_of(split.index[:, split.y == answer]) for answer in (1, 0))
        assert len(yes) == len(no) == len(split) // 2, "none twice, as many without as with a link"
        assert yes <= links
        assert not no & links
        asked[name] = (yes, no)
    for answer in (0, 1):
        parts = [asked[name][answer] for name in asked]
        assert len(set.union(*parts)) == sum(map(len, parts)), "no pair in two splits"
    train, val, test = (asked[name][0] for name in asked)
    assert train | val | test == links
    assert pairs_of(data.search_train.edges) == pairs_of(data.search_val.edges) == train
    assert pairs_of(data.final_train.edges) == pairs_of(data.test.edges) == train | val
    final = data.final_train
    assert pairs_of(final.index[:, final.y == 1]) == train | val
    assert pairs_of(final.index[:, final.y == 0]) == asked["search_train"][1] | asked["search_val"][1]
