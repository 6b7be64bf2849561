"""Invalid graphs: the message of each fault in their files."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsmith.errors import InvalidDataset
from tests.unit.workers.graph_sources import (
    NODES,
    graph_arrays,
    graph_tables,
    masks,
    ring,
    sparse,
    words,
    write_graph,
    write_tu,
)
from tests.unit.workers.sources import rules, write_npz, write_zip
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.ingest import ingest


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


def read(store: DataStore, *paths: Path, kind: str = "graph") -> DatasetInfo:
    return ingest(kind, paths, name="sample", store=store)


def with_mask(name: str, **nodes: Any) -> dict[str, Any]:
    changed = {key: array.copy() for key, array in masks().items()}
    for node, value in nodes.items():
        changed[name][int(node[1:])] = value
    return graph_arrays(**changed)


NOT_FINITE = words().astype(np.float32)
NOT_FINITE[7, 1] = np.nan
UNKNOWN = np.where(np.arange(NODES) == 4, -1, np.arange(NODES) % 3)
BAD_ARRAYS: dict[str, tuple[dict[str, Any], str, str]] = {
    "node out of range": (graph_arrays(edges=ring() + 1), "node_unknown", "edges"),
    "negative node": (graph_arrays(edges=ring() - 1), "node_unknown", "edges"),
    "halves": (graph_arrays(edges=ring() / 2), "dtype_unsupported", "edges"),
    "triples": (graph_arrays(edges=np.zeros((9, 3), int)), "shape_invalid", "edges"),
    "a list": (graph_arrays(edges=np.arange(20)), "shape_invalid", "edges"),
    "no edge": (graph_arrays(edges=np.zeros((0, 2), int)), "shape_invalid", "edges"),
    "loops alone": (graph_arrays(edges=np.ones((9, 2), int)), "edges_missing", "edges"),
    "no edges": (graph_arrays(edges=None), "array_missing", "a.npz"),
    "features twice": (graph_arrays(**sparse(words())), "array_missing", "a.npz"),
    "half of the sparse ones": (graph_arrays(x=None, x_indptr=np.arange(41)), "array_missing", "a.npz"),
    "features not finite": (graph_arrays(x=NOT_FINITE), "values_not_finite", "x"),
    "features in a list": (graph_arrays(x=np.arange(NODES)), "shape_invalid", "x"),
    "features as text": (graph_arrays(x=np.full((NODES, 2), "a")), "dtype_unsupported", "x"),
    "too wide": (graph_arrays(x=np.zeros((NODES, 65_537), bool)), "too_many_features", "x"),
    "pointers fall": (
        graph_arrays(x=None, **sparse(words()) | {"x_indptr": sparse(words())["x_indptr"][::-1]}),
        "features_invalid",
        "x_indptr",
    ),
    "a word too far": (
        graph_arrays(x=None, **sparse(words()) | {"x_shape": np.array([NODES, 8])}),
        "features_invalid",
        "x_indices",
    ),
    "a word twice": (
        graph_arrays(x=None, **sparse(words()) | {"x_indices": np.zeros(int(words().sum()), int)}),
        "features_invalid",
        "x_indices",
    ),
    "asks for terabytes": (
        graph_arrays(x=None, **sparse(words()) | {"x_shape": np.array([10**6, 65_536])}),
        "too_many_features",
        "x_shape",
    ),
    "too many nodes": (
        graph_arrays(x=None, **sparse(words()) | {"x_shape": np.array([10**12, 5])}),
        "too_many_nodes",
        "x_shape",
    ),
    "data of another length": (graph_arrays(x=None, **sparse(words()), x_data=np.ones(3)), "length_mismatch", "x_data"),
    "labels of another length": (graph_arrays(y=np.zeros(39, int)), "length_mismatch", "y"),
    "one half as all answers": (graph_arrays(y=np.full(NODES, 0.5)), "targets_flat", "y"),
    "label below -1": (graph_arrays(y=np.full(NODES, -2)), "labels_invalid", "y"),
    "one class": (graph_arrays(y=np.zeros(NODES, int)), "too_few_classes", ""),
    "no label known": (graph_arrays(y=np.full(NODES, -1)), "labels_invalid", "y"),
    "names too few": (graph_arrays(class_names=np.array(["a", "b"])), "labels_invalid", "class_names"),
    "masks overlap": (with_mask("val_mask", _3=True), "masks_invalid", "val"),
    "a mask holds a node without label": (graph_arrays(**masks(), y=UNKNOWN), "masks_invalid", "train"),
    "an empty mask": (graph_arrays(**masks() | {"test_mask": np.zeros(NODES, bool)}), "masks_invalid", "test"),
    "a mask of another length": (graph_arrays(**masks() | {"test_mask": np.ones(9, bool)}), "masks_invalid", "test"),
    "a mask of numbers": (graph_arrays(**masks() | {"test_mask": np.arange(NODES)}), "masks_invalid", "test"),
    "a mask alone": (graph_arrays(train_mask=np.ones(NODES, bool)), "masks_invalid", "train"),
    "masks without labels": (graph_arrays(**masks(), y=None), "masks_invalid", "train"),
    "pickled": (graph_arrays(y=np.array([None] * NODES)), "npz_object_array", "y"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays(tmp_path: Path, store: DataStore, case: str) -> None:
    arrays, rule, place = BAD_ARRAYS[case]
    with pytest.raises(InvalidDataset) as caught:
        read(store, write_npz(tmp_path / "a.npz", **arrays))
    assert rules(caught) == {rule}
    assert caught.value.faults[0].pointer == (f"/files/{place}" if place else "")
    assert not list(store.root.iterdir())


def with_text(**changes: tuple[str, str]) -> dict[str, bytes]:
    """changes: in NAME.csv, what becomes what, once."""
    tables = graph_tables()
    for name, (old, new) in changes.items():
        assert old.encode() in tables[f"{name}.csv"]
        tables[f"{name}.csv"] = tables[f"{name}.csv"].replace(old.encode(), new.encode(), 1)
    return tables


BAD_TABLES: dict[str, tuple[dict[str, bytes], str, str]] = {
    "no nodes": ({"edges.csv": graph_tables()["edges.csv"]}, "file_missing", "nodes.csv"),
    "no edges": ({"nodes.csv": graph_tables()["nodes.csv"]}, "file_missing", "edges.csv"),
    "neither": ({"notes.md": b"ours"}, "file_missing", "nodes.csv"),
    "two of a kind": (graph_tables() | {"old/nodes.csv": b"node\n"}, "file_duplicate", "nodes.csv"),
    "unknown node": (with_text(edges=("n3,n4", "n3,n400")), "node_unknown", "edges.csv"),
    "node twice": (with_text(nodes=("n3,", "n2,")), "node_duplicate", "nodes.csv"),
    "split": (with_text(nodes=(",train,", ",training,")), "split_unknown", "nodes.csv"),
    "word": (with_text(nodes=("n0,a,train,0", "n0,a,train,zero")), "features_invalid", "nodes.csv"),
    "negative word": (with_text(nodes=("n0,a,train,0", "n0,a,train,-1")), "features_invalid", "nodes.csv"),
    "huge word": (with_text(nodes=("n0,a,train,0", "n0,a,train,99999999")), "too_many_features", "nodes.csv"),
    "word without end": (with_text(nodes=("n0,a,train,0", "n0,a,train," + "9" * 400)), "features_invalid", "nodes.csv"),
    "word twice": (with_text(nodes=("n0,a,train,0", "n0,a,train,0 0")), "features_invalid", "nodes.csv"),
    "value too many": (with_text(nodes=("n0,a,train,", "n0,a,train,1,")), "table_invalid", "nodes.csv"),
    "column": (with_text(edges=("source,target", "from,to")), "table_invalid", "edges.csv"),
    "column twice": (with_text(nodes=("node,label,split", "node,label,label")), "table_invalid", "nodes.csv"),
    "quote": (with_text(nodes=("n0,a", 'n0,"a')), "table_invalid", "nodes.csv"),
    "no rows": (graph_tables() | {"nodes.csv": b"node,label\n"}, "nodes_missing", "nodes.csv"),
    "empty": (graph_tables() | {"nodes.csv": b""}, "table_invalid", "nodes.csv"),
    "no text": (graph_tables() | {"edges.csv": b"source,target\n\xff\xfe,1\n"}, "text_invalid", "edges.csv"),
    "no edge": (graph_tables() | {"edges.csv": b"source,target\n"}, "edges_missing", "edges.csv"),
    "mask without label": (with_text(nodes=("n0,a,", "n0,,")), "masks_invalid", "train"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables(tmp_path: Path, store: DataStore, case: str) -> None:
    members, rule, place = BAD_TABLES[case]
    with pytest.raises(InvalidDataset) as caught:
        read(store, write_zip(tmp_path / "a.zip", members))
    assert rules(caught) == {rule}
    assert caught.value.faults[0].pointer == f"/files/{place}"


BAD_TU: dict[str, tuple[dict[str, bytes | None], str, str]] = {
    "no edges": ({"A": None}, "file_missing", "DS_A.txt"),
    "no labels": ({"graph_labels": None}, "file_missing", "DS_graph_labels.txt"),
    "two data sets": ({"A": b"", "X_A": b"1, 2\n"}, "file_duplicate", "DS_X_A.txt"),
    "node 0": ({"A": b"0, 1\n"}, "node_unknown", "DS_A.txt"),
    "node too far": ({"A": b"1, 20000\n"}, "node_unknown", "DS_A.txt"),
    "between graphs": ({"A": b"1, 2\n3, 4\n"}, "edge_between_graphs", "DS_A.txt"),
    "three ends": ({"A": b"1, 2, 3\n"}, "shape_invalid", "DS_A.txt"),
    "words": ({"A": b"1, two\n"}, "text_invalid", "DS_A.txt"),
    "uneven": ({"A": b"1, 2\n3\n"}, "text_invalid", "DS_A.txt"),
    "empty": ({"A": b""}, "file_empty", "DS_A.txt"),
    "no text": ({"A": b"1, \xff\n"}, "text_invalid", "DS_A.txt"),
    "beyond 64 bits": ({"A": b"1, 99999999999999999999\n"}, "text_invalid", "DS_A.txt"),
    "graph unknown": ({"graph_labels": b"1\n2\n"}, "graph_unknown", "DS_graph_indicator.txt"),
    "graph without nodes": ({"graph_labels": b"1\n2\n" * 20}, "graph_empty", "DS_graph_indicator.txt"),
    "one half as all labels": ({"graph_labels": b"0.5\n" * 24}, "targets_flat", "DS_graph_labels.txt"),
    "two labels": ({"graph_labels": b"1, 2\n" * 24}, "labels_invalid", "DS_graph_labels.txt"),
    "one class": ({"graph_labels": b"1\n" * 24}, "too_few_classes", ""),
    "node labels missing": ({"node_labels": b"1\n2\n"}, "length_mismatch", "DS_node_labels.txt"),
    "attribute not finite": ({"node_attributes": b"1.5\nnan\n" * 66}, "values_not_finite", "DS_node_attributes.txt"),
}


@pytest.mark.parametrize("case", BAD_TU)
def test_bad_tu(tmp_path: Path, store: DataStore, case: str) -> None:
    changes, rule, place = BAD_TU[case]
    with pytest.raises(InvalidDataset) as caught:
        read(store, write_tu(tmp_path / "a.zip", **changes), kind="tu")
    assert rules(caught) == {rule}
    assert caught.value.faults[0].pointer == (f"/files/{place}" if place else "")


def test_damaged_archives_never_crash_the_reader(tmp_path: Path) -> None:
    """Every byte that is flipped ends in a data set or in a fault, nothing else."""
    for kind, path in (("graph", write_graph(tmp_path / "a.npz")), ("tu", write_tu(tmp_path / "a.zip"))):
        content = path.read_bytes()
        for at in range(30, len(content), 61):
            path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
            with contextlib.suppress(InvalidDataset):
                assert read(DataStore(tmp_path / f"{kind}{at}"), path, kind=kind).kind == "graph"
