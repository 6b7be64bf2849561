"""Graphs from files: what is read, how it is split, and which sentence each fault gets."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsmith.errors import InvalidDataset
from tests.conformance.datasets import GraphConformance
from tests.effort import share
from tests.splits import check_graph_split, check_links_are_held_out, pairs_of
from tests.unit.workers.graph_sources import (
    NODES,
    graph_tables,
    masks,
    ring,
    sparse,
    tu_texts,
    words,
    write_graph,
    write_tu,
)
from tests.unit.workers.sources import rules, shared_data, write_zip
from workers.datasets import Dataset, DatasetInfo, DataStore, GraphSplit, graph, tu
from workers.datasets.graph_splits import draw_pairs, link_splits
from workers.datasets.graph_store import fingerprints
from workers.datasets.graphs import RawGraphs, as_edges, both_ways
from workers.datasets.ingest import ingest


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def read(store: DataStore, *paths: Path, kind: str = "graph") -> DatasetInfo:
    return ingest(kind, paths, name="sample", store=store)


class TestArrays(GraphConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path, scratch: Path) -> RawGraphs:
        return graph.read([write_graph(tmp_path / "a.npz")], scratch=scratch)


class TestArraysWithMasks(GraphConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path, scratch: Path) -> RawGraphs:
        return graph.read([write_graph(tmp_path / "a.npz", x=None, **sparse(words()), **masks())], scratch=scratch)


class TestArraysWithTwoMasks(GraphConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path, scratch: Path) -> RawGraphs:
        given = {"test_mask": masks()["test_mask"], "train_mask": ~masks()["test_mask"]}
        return graph.read([write_graph(tmp_path / "a.npz", **given)], scratch=scratch)


class TestFloatsWithoutLabels(GraphConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path, scratch: Path) -> RawGraphs:
        x = np.random.default_rng(1).normal(size=(NODES, 4))
        return graph.read([write_graph(tmp_path / "a.npz", x=x, y=None)], scratch=scratch)


class TestTables(GraphConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path, scratch: Path) -> RawGraphs:
        return graph.read([write_zip(tmp_path / "a.zip", graph_tables())], scratch=scratch)


class TestTu(GraphConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path, scratch: Path) -> RawGraphs:
        return tu.read([write_tu(tmp_path / "a.zip")], scratch=scratch)


class TestTuWithAttributes(GraphConformance):
    @pytest.fixture
    def raw(self, tmp_path: Path, scratch: Path) -> RawGraphs:
        nodes = tu_texts()["DS/DS_graph_indicator.txt"].count(b"\n")
        values = "".join(f"{i / 7:.3f}, {-i}\n" for i in range(nodes)).encode()
        return tu.read([write_tu(tmp_path / "a.zip", node_attributes=values)], scratch=scratch)


# --- the files that people have


@pytest.mark.heavy
def test_cora_as_published(tmp_path: Path) -> None:
    info = read(DataStore(tmp_path), shared_data("cora", "cora.npz"))
    assert (info.input_shape, info.dtype, info.tasks) == ((1433,), "uint8", ("nodes", "links"))
    published = {  # by name; the order is that of the names, as of every graph with names
        "Case_Based": 298, "Genetic_Algorithms": 418, "Neural_Networks": 818, "Probabilistic_Methods": 426,
        "Reinforcement_Learning": 217, "Rule_Learning": 180, "Theory": 351,
    }  # fmt: skip
    assert dict(zip(info.class_names, info.counts, strict=True)) == published
    assert info.class_names == tuple(sorted(published))
    assert (info.train, info.val, info.test) == (140, 500, 1000)
    nodes = DataStore(tmp_path).open("sample", seed=0)
    assert np.bincount(nodes.final_train.y).tolist() == [20] * 7, "the published training nodes, no others"
    assert nodes.test.edges.shape == (2, 2 * 5278)
    assert int(nodes.x.sum()) == 49_216
    links = nodes.view("links")
    assert links.split_sizes == {"search_train": 2 * 4486, "search_val": 2 * 264, "test": 2 * 528}
    check_links_are_held_out(links, nodes.edges)


def test_cora_as_tables_is_the_same_graph(tmp_path: Path) -> None:
    arrays = read(DataStore(tmp_path / "a"), shared_data("cora", "cora.npz"))
    tables = read(DataStore(tmp_path / "b"), shared_data("cora", "nodes.csv"), shared_data("cora", "edges.csv"))
    assert (arrays.class_names, arrays.counts) == (tables.class_names, tables.counts)
    a, b = (DataStore(tmp_path / folder).open("sample", seed=0) for folder in "ab")
    assert (a.x == b.x).all()
    assert (a.edges == b.edges).all()
    assert a.split_hashes == b.split_hashes


def test_mutag_as_published(tmp_path: Path) -> None:
    info = read(DataStore(tmp_path), shared_data("mutag", "MUTAG.zip"), kind="tu")
    assert (info.input_shape, info.class_names, info.counts) == ((7,), ("-1", "1"), (63, 125))
    assert (info.report["nodes"], info.report["edges"]["undirected"], info.report["graphs"]) == (3371, 3721, 188)
    assert any("edge_labels" in warning for warning in info.report["warnings"])
    data = DataStore(tmp_path).open("sample", seed=0)
    assert sum(len(getattr(data, name).x) for name in ("search_train", "search_val", "test")) == 3371


# --- one graph


def test_the_same_graph_in_many_ways(tmp_path: Path) -> None:
    x, edges = words(), ring()
    ways: dict[str, dict[str, Any]] = {
        "once": {},
        "both directions": {"edges": np.concatenate([edges, edges[:, ::-1]])},
        "other axis": {"edges": edges.T.astype(">u2")},
        "in disorder, repeated, with loops": {"edges": np.concatenate([edges[::-1], edges[:5], [[3, 3]]])},
        "floats": {"x": x.astype(np.float64)},
        "truth values": {"x": x.astype(bool)},
        "sparse": {"x": None, **sparse(x)},
        "sparse with data": {"x": None, **sparse(x), "x_data": np.ones(int(x.sum()), np.float32)},
        "labels in a column": {"y": (np.arange(NODES) % 3)[:, None].astype(np.uint8), "has_data": np.ones(NODES, bool)},
    }
    digests = {
        way: read(DataStore(tmp_path / way), write_graph(tmp_path / f"{number}.npz", **changes)).sha256
        for number, (way, changes) in enumerate(ways.items())
    }
    assert len(set(digests.values())) == 1, digests


def test_what_is_dropped_is_counted(tmp_path: Path, store: DataStore) -> None:
    edges = np.array([[0, 1], [1, 0], [0, 1], [2, 2], [1, 2], *ring()[3:30].tolist()])
    report = read(store, write_graph(tmp_path / "a.npz", edges=edges)).report
    assert report["edges"] == {"listed": 32, "undirected": 29, "reversed": 1, "repeated": 1, "self_loops": 1}
    assert report["nodes_without_edges"] == NODES - 31
    assert report["ignored_files"] == []


def test_nodes_without_label_are_never_asked(tmp_path: Path, store: DataStore) -> None:
    y = np.arange(NODES) % 3
    y[5:9] = -1
    info = read(store, write_graph(tmp_path / "a.npz", y=y))
    assert sum(info.counts) == info.train + info.val + info.test == NODES - 4
    assert info.report["warnings"] == ["4 of 40 nodes have no label and are in no split"]


def test_values_that_are_not_marks_stay_numbers(tmp_path: Path) -> None:
    x = words()
    counts = {"x": None, **sparse(x), "x_data": np.arange(1, int(x.sum()) + 1) % 250 + 1}
    halves = {**counts, "x_data": np.full(int(x.sum()), 0.5)}
    for way, changes, dtype in (("counts", counts, "uint8"), ("halves", halves, "float32")):
        place = DataStore(tmp_path / way)
        assert read(place, write_graph(tmp_path / f"{way}.npz", **changes)).dtype == dtype
        opened = place.open("sample", seed=0)
        assert sorted(set(opened.x[x == 1].tolist())) == sorted(set(changes["x_data"].tolist()))
        assert (opened.x[x == 0] == 0).all()


def test_links_are_asked_only_where_they_can_be(tmp_path: Path) -> None:
    few = np.stack([np.arange(9), np.arange(1, 10)])
    every = np.stack(np.triu_indices(NODES, 1))
    for name, edges, why in (("few", few, "at least 10"), ("dense", every, "twice as many")):
        info = read(DataStore(tmp_path / name), write_graph(tmp_path / f"{name}.npz", edges=edges))
        assert info.tasks == ("nodes",)
        assert any(why in warning for warning in info.report["warnings"])
        with pytest.raises(InvalidDataset, match=why) as caught:
            read(DataStore(tmp_path / f"{name}2"), write_graph(tmp_path / f"{name}2.npz", edges=edges, y=None))
        assert rules(caught) == {"links_unsuitable"}


def test_limits_are_named_in_the_fault(tmp_path: Path, store: DataStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.datasets.graphs.MAX_EDGES", 79)
    with pytest.raises(InvalidDataset, match="lists 80 edges, the limit is 79"):
        read(store, write_graph(tmp_path / "a.npz"))
    monkeypatch.setattr("workers.datasets.graphs.MAX_FEATURE_BYTES", 1439)
    with pytest.raises(InvalidDataset, match="9 features to each of 40 nodes"):
        read(store, write_graph(tmp_path / "a.npz", x=words() / 2))


def test_graphs_are_not_scaled(tmp_path: Path, store: DataStore) -> None:
    with pytest.raises(InvalidDataset, match="graphs stay"):
        ingest("graph", write_graph(tmp_path / "a.npz"), name="sample", store=store, image_size=8)


# --- tables


def test_tables_from_files_from_a_folder_and_with_numbers(tmp_path: Path) -> None:
    for name, content in graph_tables().items():
        (tmp_path / name).write_bytes(content.replace(b"\n", b"\r\n"))
    files = [tmp_path / "edges.csv", tmp_path / "nodes.csv"]
    infos = [read(DataStore(tmp_path / str(n)), *given) for n, given in enumerate((files, [tmp_path]))]
    assert infos[0].sha256 == infos[1].sha256
    assert infos[0].class_names == ("a", "b", "c")
    rows = "".join(f"{node},{node % 2 * 10},{node / 4},{-node}\n" for node in range(12))
    (tmp_path / "nodes.csv").write_text("node,label,height,depth\n" + rows)
    (tmp_path / "edges.csv").write_text(
        "source,target,weight\n" + "".join(f"{n},{(n + 1) % 12},7\n" for n in range(12))
    )
    info = read(DataStore(tmp_path / "numbers"), *files)
    assert (info.input_shape, info.class_names, info.dtype) == ((2,), ("0", "10"), "float32")


# --- many graphs


def test_graphs_in_disorder_are_the_same(tmp_path: Path) -> None:
    """Node 1 of the files is in the last graph: nodes of a graph need not stand together."""
    texts = {name[6:-4]: content.decode().split("\n")[:-1] for name, content in tu_texts().items()}
    nodes = len(texts["graph_indicator"])
    moved = {str(node): str(node % nodes + 1) for node in range(1, nodes + 1)}  # each node's line goes one further
    turned = {part: [texts[part][-1], *texts[part][:-1]] for part in ("graph_indicator", "node_labels")}
    turned["A"] = [", ".join(moved[end] for end in line.split(", ")) for line in texts["A"]]
    content = {part: "\n".join([*lines, ""]).encode() for part, lines in turned.items()}
    for name, changes in (("a", {}), ("b", content)):
        read(DataStore(tmp_path / name), write_tu(tmp_path / f"{name}.zip", **changes), kind="tu")
    a, b = (DataStore(tmp_path / name).open("sample", seed=0) for name in "ab")
    assert a.split_hashes == b.split_hashes
    assert fingerprints(a.x, a.edges, a.graph).tolist() == fingerprints(b.x, b.edges, b.graph).tolist()
    check_graph_split(cast(GraphSplit, b.test), task="graphs", features=3, classes=2)


def test_graphs_without_features_get_their_neighbours(tmp_path: Path, store: DataStore) -> None:
    info = read(
        store, write_tu(tmp_path / "a.zip", node_labels=None, edge_labels=b"1\n", graph_attributes=b"1\n"), kind="tu"
    )
    assert (info.input_shape, info.report["features"]) == ((3,), {"neighbours": 2})
    assert info.report["warnings"][0] == "DS/DS_edge_labels.txt is left out: edges carry no labels here"
    data = store.open("sample", seed=0)
    assert data.x.argmax(axis=1).tolist() == np.bincount(data.edges.ravel(), minlength=len(data.x)).tolist()


# --- laws


@st.composite
def listed_edges(draw: st.DrawFn) -> tuple[int, np.ndarray]:
    nodes = draw(st.integers(2, 12))
    ends = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1))
    return nodes, np.array(draw(st.lists(ends, min_size=1, max_size=40)))


@given(listed_edges())
def test_any_list_of_edges(case: tuple[int, np.ndarray]) -> None:
    nodes, listed = case
    wanted = {(min(a, b), max(a, b)) for a, b in listed.tolist() if a != b}
    if not wanted:
        with pytest.raises(InvalidDataset, match="no edge"):
            as_edges(listed, nodes=nodes, file="edges")
        return
    edges, counts = as_edges(listed, nodes=nodes, file="edges")
    assert list(zip(*edges.tolist(), strict=True)) == sorted(wanted)
    assert counts["listed"] == len(listed) == sum(counts[k] for k in counts if k != "listed")
    both = list(zip(*both_ways(edges).tolist(), strict=True))
    assert both == sorted({*wanted, *((b, a) for a, b in wanted)})


@settings(max_examples=share(40), deadline=None)
@given(st.integers(8, 30), st.integers(0, 2**32), st.integers(0, 2**32))
def test_links_of_any_graph_are_held_out(nodes: int, graph_seed: int, seed: int) -> None:
    pairs = np.stack(np.triu_indices(nodes, 1))
    most = pairs.shape[1] // 3
    if most < 10:
        return
    generator = np.random.default_rng(graph_seed)
    edges = pairs[:, np.sort(generator.permutation(pairs.shape[1])[: generator.integers(10, most + 1)])]
    raw = RawGraphs(format="graph", x=np.ones((nodes, 1), np.uint8), edges=edges)
    assert not raw.no_links
    drawn = draw_pairs(edges, count=edges.shape[1], nodes=nodes, seed=(seed,))
    assert len(pairs_of(drawn)) == edges.shape[1]
    data = Dataset(
        info=cast(Any, None), seed=seed, task="links", x=raw.x, y=np.empty(0, np.int64), mean=(), std=(), edges=edges,
        splits=link_splits(edges, nodes=nodes, seed=seed), graph=np.empty(0, np.int64), sibling=lambda _: data,
    )  # fmt: skip
    check_links_are_held_out(data, edges)


@settings(deadline=None)
@given(st.integers(2, 9), st.data())
def test_fingerprints_do_not_see_the_order_of_nodes(nodes: int, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(nodes))))
    pairs = np.stack(np.triu_indices(nodes, 1))
    chosen = data.draw(st.lists(st.booleans(), min_size=pairs.shape[1], max_size=pairs.shape[1]))
    edges = pairs[:, chosen]
    x = np.array(data.draw(st.lists(st.integers(0, 2), min_size=nodes, max_size=nodes)), np.uint8)[:, None]
    moved = np.empty_like(x)
    moved[order] = x
    graph_of = np.zeros(nodes, np.int64)
    assert fingerprints(x, edges, graph_of) == fingerprints(moved, order[edges], graph_of)
    if edges.shape[1]:
        assert fingerprints(x, edges, graph_of) != fingerprints(x, edges[:, 1:], graph_of)
