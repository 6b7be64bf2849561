"""Numbers, several labels and masks in tables of pixels, Parquet files, graphs and volumes."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsmith.errors import InvalidDataset
from tests.unit.workers.array_sources import X, lines
from tests.unit.workers.datasets.test_picture_masks import SIZE, file, grey, values
from tests.unit.workers.graph_sources import NODES, graph_tables, tu_texts, write_graph, write_tu
from tests.unit.workers.sources import picture, rules, write_npz, write_zip
from workers.datasets import DatasetInfo, DataStore
from workers.datasets.ingest import ingest

N = 30
DECIMALS = [round(0.3 * number - 2, 2) for number in range(N)]
MARKS = [[number % 2, int(number % 3 == 0)] for number in range(N)]


@pytest.fixture
def store(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "store")


# ---- tables of pixels


def pixel_table(path: Path, heads: list[str], rows: list[list[Any]]) -> Path:
    heads = [*heads, *(f"pixel{number}" for number in range(64))]
    path.write_text(lines(heads, *([*row, *x.reshape(-1)] for row, x in zip(rows, X, strict=True))))
    return path


def test_a_table_of_pixels_with_a_column_of_decimals(store: DataStore, tmp_path: Path) -> None:
    path = pixel_table(tmp_path / "a.csv", ["label"], [[value] for value in DECIMALS])
    info = ingest("table", path, name="sample", store=store)
    assert (info.problem, info.class_names, info.input_shape) == ("regression", ("label",), (1, 8, 8))
    assert np.allclose(store.open("sample", seed=0).y[:, 0], DECIMALS)


@pytest.mark.parametrize("problem", [None, "regression"])
def test_a_table_of_pixels_with_several_targets(store: DataStore, tmp_path: Path, problem: str | None) -> None:
    """As of facial key points: ImageId is no target."""
    rows: list[list[Any]] = [[number, value, 2 * number] for number, value in enumerate(DECIMALS)]
    path = pixel_table(tmp_path / "a.csv", ["ImageId", "eye_x", "eye_y"], rows)
    info = ingest("table", path, name="sample", store=store, problem=problem)
    assert (info.problem, info.class_names) == ("regression", ("eye_x", "eye_y"))
    assert np.allclose(store.open("sample", seed=0).y, [row[1:] for row in rows])
    rows[4][1] = ""
    path = pixel_table(tmp_path / "b.csv", ["ImageId", "eye_x", "eye_y"], rows)
    with pytest.raises(InvalidDataset, match="one row: 6"):
        ingest("table", path, name="other", store=store, problem=problem)


def test_a_table_of_pixels_with_several_labels(store: DataStore, tmp_path: Path) -> None:
    path = pixel_table(tmp_path / "a.csv", ["cat", "dog"], MARKS)
    info = ingest("table", path, name="sample", store=store)
    assert (info.problem, info.class_names) == ("multilabel", ("cat", "dog"))
    assert store.open("sample", seed=0).y.tolist() == MARKS


def test_whole_labels_of_a_table_as_targets_and_in_an_order(store: DataStore, tmp_path: Path) -> None:
    path = pixel_table(tmp_path / "a.csv", ["label"], [[(9, 10)[number % 2]] for number in range(N)])
    assert ingest("table", path, name="plain", store=store).problem == "classification"
    assert ingest("table", path, name="order", store=store, problem="ordinal").class_names == ("9", "10")
    assert ingest("table", path, name="number", store=store, problem="regression").class_names == ("label",)


# ---- Parquet


def parquet(folder: Path, **columns: Any) -> Path:
    import pyarrow as pa
    from pyarrow import parquet as pq

    described = columns.pop("described", None)
    pictures = [{"bytes": picture(number, size=SIZE), "path": None} for number in range(N)]
    table = pa.table({"image": pictures, **columns})
    if described:
        table = table.replace_schema_metadata({"huggingface": json.dumps(described)})
    path = folder / f"{len(list(folder.glob('*.parquet')))}.parquet"
    pq.write_table(table, path)
    return path


def test_parquet_with_numbers(store: DataStore, tmp_path: Path) -> None:
    info = ingest("parquet", parquet(tmp_path, label=DECIMALS), name="one", store=store)
    assert (info.problem, info.class_names, info.format) == ("regression", ("label",), "parquet")
    assert np.allclose(store.open("one", seed=0).y[:, 0], DECIMALS)
    assert not any("labels.csv" in text for text in info.report["warnings"])
    both = parquet(tmp_path, index=list(range(N)), width=DECIMALS, height=list(range(N)))
    info = ingest("parquet", both, name="two", store=store)
    assert info.class_names == ("width", "height")
    whole = parquet(tmp_path, label=[number % 3 for number in range(N)])
    assert ingest("parquet", whole, name="plain", store=store).problem == "classification"
    assert ingest("parquet", whole, name="asked", store=store, problem="regression").problem == "regression"
    assert ingest("parquet", whole, name="order", store=store, problem="ordinal").problem == "ordinal"


def test_parquet_with_lists_of_labels(store: DataStore, tmp_path: Path) -> None:
    lists = [[number for number, on in enumerate(row) if on] for row in MARKS]
    described = {"info": {"features": {"labels": {"feature": {"names": ["cat", "dog"]}, "_type": "Sequence"}}}}
    info = ingest("parquet", parquet(tmp_path, labels=lists, described=described), name="numbers", store=store)
    assert (info.problem, info.class_names) == ("multilabel", ("cat", "dog"))
    assert store.open("numbers", seed=0).y.tolist() == MARKS
    texts = [[("cat", "dog")[number] for number in row] for row in lists]
    info = ingest("parquet", parquet(tmp_path, labels=texts), name="texts", store=store)
    assert info.class_names == ("cat", "dog")
    assert any("have no label" in text for text in info.report["warnings"])
    with pytest.raises(InvalidDataset, match="holds lists"):
        ingest("parquet", parquet(tmp_path, labels=texts), name="odd", store=store, problem="regression")


def test_parquet_with_masks(store: DataStore, tmp_path: Path) -> None:
    masks = [{"bytes": file(grey(values(number))), "path": None} for number in range(N)]
    info = ingest("parquet", parquet(tmp_path, mask=masks), name="masks", store=store, image_size=9, image_fit="crop")
    assert (info.problem, info.class_names, info.report["samples"]) == ("segmentation", ("0", "1"), N)


def test_parquet_that_is_refused(store: DataStore, tmp_path: Path) -> None:
    empty = [*DECIMALS[:4], None, *DECIMALS[5:]]
    with pytest.raises(InvalidDataset, match="one row: 4"):
        ingest("parquet", parquet(tmp_path, label=empty), name="empty", store=store)
    with pytest.raises(InvalidDataset) as caught:
        ingest("parquet", parquet(tmp_path, label=[0.5] * N), name="flat", store=store)
    assert rules(caught) == {"targets_flat"}
    assert "t0" not in caught.value.faults[0].detail
    with pytest.raises(InvalidDataset, match="needs a column image"):
        ingest("parquet", parquet(tmp_path, caption=["a"] * N), name="none", store=store)


# ---- graphs


def rings(graphs: int = 24, *, shuffled: bool = False) -> dict[str, np.ndarray]:
    """A ring a graph, with a target that depends on its size."""
    sizes = 3 + np.arange(graphs) % 5
    graph = np.repeat(np.arange(graphs), sizes)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    at = np.arange(len(graph))
    edges = np.stack([at, first + (at - first + 1) % np.repeat(sizes, sizes)], axis=1)
    x = np.random.default_rng(0).normal(size=(len(graph), 3)).astype(np.float32)
    order = np.random.default_rng(1).permutation(len(graph)) if shuffled else at
    place = np.argsort(order)
    return {"x": x[order], "edges": place[edges], "batch": graph[order], "y": sizes / 7}


@pytest.mark.parametrize("shuffled", [False, True])
def test_many_graphs_as_arrays(store: DataStore, tmp_path: Path, shuffled: bool) -> None:
    arrays = rings(shuffled=shuffled)
    info = ingest("npz", write_npz(tmp_path / "a.npz", **arrays), name="sample", store=store)
    assert (info.kind, info.tasks, info.problem) == ("graph", ("graphs",), "regression")
    opened = store.open("sample", seed=0)
    assert np.allclose(opened.y[:, 0], arrays["y"])
    assert (np.diff(opened.graph) >= 0).all()
    for number in range(3):
        assert np.allclose(
            np.sort(opened.x[opened.graph == number], axis=0), np.sort(arrays["x"][arrays["batch"] == number], axis=0)
        )
    whole = {**arrays, "y": np.arange(24) % 2}
    info = ingest("npz", write_npz(tmp_path / "b.npz", **whole), name="classes", store=store)
    assert (info.problem, info.tasks, info.counts) == ("classification", ("graphs",), (12, 12))


def test_edges_between_graphs_and_gaps_are_refused(store: DataStore, tmp_path: Path) -> None:
    arrays = rings()
    joined = {**arrays, "edges": np.concatenate([arrays["edges"], [[0, len(arrays["x"]) - 1]]])}
    with pytest.raises(InvalidDataset, match="joins nodes 0 and"):
        ingest("npz", write_npz(tmp_path / "a.npz", **joined), name="a", store=store)
    gaps = {**arrays, "batch": arrays["batch"] * 2}
    with pytest.raises(InvalidDataset, match="without gaps"):
        ingest("npz", write_npz(tmp_path / "b.npz", **gaps), name="b", store=store)


def test_graphs_of_a_tu_archive_with_attributes(store: DataStore, tmp_path: Path) -> None:
    numbers = [f"{0.5 * number}, {number}" for number in range(24)]
    attributes = "\n".join([*numbers, ""]).encode()
    alone = write_zip(tmp_path / "a.zip", _tu(graph_labels=None, graph_attributes=attributes))
    info = ingest("tu", alone, name="alone", store=store)
    assert (info.problem, info.class_names) == ("regression", ("target 0", "target 1"))
    assert store.open("alone", seed=0).y[3].tolist() == [1.5, 3.0]
    both = write_zip(tmp_path / "b.zip", _tu(graph_attributes=attributes))
    assert ingest("tu", both, name="labels", store=store).problem == "classification"
    info = ingest("tu", both, name="asked", store=store, problem="regression")
    assert (info.problem, info.classes) == ("regression", 2)
    assert info.report["ignored_files"] == ["DS_graph_labels.txt"]
    decimal = write_tu(tmp_path / "c.zip", graph_labels="\n".join(map(str, np.arange(24) / 7)).encode())
    assert ingest("tu", decimal, name="decimals", store=store).problem == "regression"
    whole = write_tu(tmp_path / "d.zip")
    assert ingest("tu", whole, name="order", store=store, problem="ordinal").class_names == ("-2", "5")
    assert ingest("tu", whole, name="numbers", store=store, problem="regression").problem == "regression"


def _tu(**parts: bytes | None) -> dict[str, bytes]:
    files = {**tu_texts(), **{f"DS/DS_{part}.txt": content for part, content in parts.items()}}
    return {name: content for name, content in files.items() if content is not None}


def test_nodes_with_numbers_and_unknown_ones(store: DataStore, tmp_path: Path) -> None:
    y = np.where(np.arange(NODES) % 4 == 3, np.nan, np.arange(NODES) / 8)
    info = ingest("npz", write_graph(tmp_path / "a.npz", y=y), name="numbers", store=store)
    assert (info.problem, info.tasks[0], info.counts) == ("regression", "nodes", (30,))
    opened = store.open("numbers", seed=0)
    assert np.isfinite(opened.search_train.y).all()
    assert opened.view("links").problem == "classification"
    labels = np.stack([np.arange(NODES) % 2, np.arange(NODES) % 3 == 0, np.ones(NODES)], axis=1)
    info = ingest("npz", write_graph(tmp_path / "b.npz", y=labels), name="labels", store=store)
    assert (info.problem, info.classes) == ("multilabel", 3)
    info = ingest("npz", write_graph(tmp_path / "c.npz"), name="order", store=store, problem="ordinal")
    assert info.problem == "ordinal"
    with pytest.raises(InvalidDataset, match="for the format graph"):
        ingest("graph", tmp_path / "c.npz", name="masks", store=store, problem="segmentation")
    with pytest.raises(InvalidDataset, match="for graphs"):
        ingest("npz", tmp_path / "c.npz", name="masks", store=store, problem="segmentation")


def test_tables_of_nodes_with_numbers(store: DataStore, tmp_path: Path) -> None:
    tables = graph_tables()
    rows = tables["nodes.csv"].decode().splitlines()
    changed = [rows[0], *(f"{a},{number / 4 if number % 5 else ''},,{d}" for number, (a, _, _, d) in enumerate(
        row.split(",", 3) for row in rows[1:]))]  # fmt: skip
    path = write_zip(tmp_path / "a.zip", {**tables, "nodes.csv": "\n".join(changed).encode()})
    info = ingest("graph", path, name="sample", store=store)
    assert (info.problem, info.tasks[0], info.counts) == ("regression", "nodes", (32,))


# ---- volumes


def test_volumes_with_numbers(store: DataStore, tmp_path: Path) -> None:
    import nibabel

    image: Any = nibabel.Nifti1Image
    files = {
        f"{n}.nii.gz": gzip.compress(
            image(np.random.default_rng(n).normal(size=(5, 5, 5)).astype("f4"), np.eye(4)).to_bytes()
        )
        for n in range(12)
    }
    files["labels.csv"] = lines(["file", "label"], *([f"{n}.nii.gz", 20 + n / 3] for n in range(12))).encode()
    info: DatasetInfo = ingest("nifti", write_zip(tmp_path / "a.zip", files), name="ages", store=store)
    assert (info.problem, info.tasks, info.class_names) == ("regression", ("volume",), ("target",))
