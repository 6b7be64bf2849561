"""`archsmith predict` on the files that a data set was made of: the same rows, with the same features, in one order."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsmith.errors import InvalidDataset
from tests.bundle.made import preprocessing, small, small_bundle
from tests.unit.workers.bundle.test_predict import Printed, output, probabilities
from tests.unit.workers.graph_sources import graph_tables, ring, write_tu
from tests.unit.workers.sources import class_folders, idx_bytes, pixels, write_npz, write_zip
from workers.bundle.originals import groups
from workers.bundle.predict import main
from workers.datasets import graph, images, tu
from workers.datasets.columns import arranged, names_of
from workers.datasets.graphs import both_ways

TU = ("node label 0 = 1", "node label 0 = 4", "node label 0 = 7")


@pytest.mark.heavy
def test_idx_files_and_the_uploaded_npz(tmp_path: Path, capsys: Printed) -> None:
    x = pixels(7, 8, 6) % 17
    given = preprocessing(small("image"))
    zipped = small_bundle(tmp_path, "image")
    train, labels = tmp_path / "train-images-idx3-ubyte.gz", tmp_path / "train-labels-idx1-ubyte"
    train.write_bytes(gzip.compress(idx_bytes(x)))
    labels.write_bytes(idx_bytes(np.zeros(7, np.uint8)))
    assert main([str(zipped), str(labels), str(train), "--json"]) == 0
    rows, found, err = output(capsys)
    assert (rows, err) == ([f"{train.name}[{row}]" for row in range(7)], "")
    expected = probabilities("image", given, x[:, None])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    y = np.arange(7) % 2
    npz = write_npz(tmp_path / "a.npz", x_train=x[:4], y_train=y[:4], x_test=x[4:], y_test=y[4:])
    assert main([str(zipped), str(npz), "--json"]) == 0
    rows, found, err = output(capsys)
    assert rows[3:5] == ["a.npz train picture 3", "a.npz test picture 0"]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert main([str(zipped), str(labels)]) == 2
    assert "holds labels; give the file of images" in capsys.readouterr().err


@pytest.mark.heavy
def test_an_archive_of_pictures_is_fitted_as_the_data_sets_was(tmp_path: Path, capsys: Printed) -> None:
    given = preprocessing(small("colour"), pictures="fit", high=255.0, source="images")
    zipped = small_bundle(tmp_path, "colour", preprocessing=given)
    source = write_zip(tmp_path / "pets.zip", class_folders(each=3))
    (tmp_path / "scratch").mkdir()
    raw = images.read(source, scratch=tmp_path / "scratch", image_size=8)
    assert main([str(zipped), str(source), "--json"]) == 0
    rows, found, _ = output(capsys)
    assert rows == list(raw.names)
    np.testing.assert_allclose(found, probabilities("colour", given, raw.pieces[0]), atol=1e-6)
    grey = write_zip(tmp_path / "grey.zip", class_folders(each=3, mode="L"))
    assert main([str(zipped), str(grey)]) == 0, "grey pictures have three equal channels"
    exact = small_bundle(tmp_path / "exact", "colour", preprocessing=preprocessing(small("colour"), source="npz"))
    capsys.readouterr()
    assert main([str(exact), str(source)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.heavy
def test_a_tu_archive_is_answered_graph_by_graph(tmp_path: Path, capsys: Printed) -> None:
    given = preprocessing(small("graphs"), columns=TU, source="tu")
    zipped = small_bundle(tmp_path, "graphs", preprocessing=given)
    source = write_tu(tmp_path / "DS.zip")
    (tmp_path / "scratch").mkdir()
    raw = tu.read([source], scratch=tmp_path / "scratch")
    assert names_of(raw.notes) == TU
    assert main([str(zipped), str(source), "--json"]) == 0
    rows, found, err = output(capsys)
    assert (rows, err) == ([f"DS.zip graph {number}" for number in range(1, 25)], "")
    expected = probabilities("graphs", given, raw.x, both_ways(raw.edges), raw.graph)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # a file whose nodes never have the label 4, and sometimes 9, which the training did not have
    labels = b"\n".join(b"9" if row % 5 == 0 else b"1" for row in range(len(raw.x))) + b"\n"
    assert main([str(zipped), str(write_tu(tmp_path / "other.zip", node_labels=labels)), "--json"]) == 0
    assert "columns that the training did not have are left out: node label 0 = 9" in output(capsys)[2]


def tables(folder: Path, columns: str, order: Callable[[np.ndarray], Any]) -> list[str]:
    """nodes.csv with three numbers a node in an order, edges.csv -> their paths. Nodes are called n0 to n39."""
    x = np.arange(120).reshape(40, 3) % 7 % 2
    rows = [f"n{node},{','.join(map(str, order(row)))}" for node, row in enumerate(x)]
    folder.mkdir(exist_ok=True)
    (folder / "nodes.csv").write_text("\n".join([f"node,{columns}", *rows, ""]))
    (folder / "edges.csv").write_bytes(graph_tables()["edges.csv"])
    return [str(folder / "nodes.csv"), str(folder / "edges.csv")]


@pytest.mark.heavy
def test_tables_are_one_input_and_columns_go_by_their_names(tmp_path: Path, capsys: Printed) -> None:
    given = preprocessing(small("nodes"), columns=("mass", "size", "age"), source="graph")
    zipped = small_bundle(tmp_path / "nodes", "nodes", preprocessing=given)
    assert main([str(zipped), *tables(tmp_path / "a", "mass,size,age", list), "--json"]) == 0
    rows, found, err = output(capsys)
    assert (rows[:2], len(rows), err) == (["nodes.csv node n0", "nodes.csv node n1"], 40, "")
    (tmp_path / "scratch").mkdir()
    raw = graph.read([tmp_path / "a" / "nodes.csv", tmp_path / "a" / "edges.csv"], scratch=tmp_path / "scratch")
    np.testing.assert_allclose(found, probabilities("nodes", given, raw.x, both_ways(raw.edges)), atol=1e-6)
    assert main([str(zipped), *tables(tmp_path / "b", "age,mass,size", lambda row: np.roll(row, 1)), "--json"]) == 0
    _, again, err = output(capsys)
    assert "put in its order by their names" in err
    np.testing.assert_allclose(again, found, atol=1e-6)
    assert main([str(zipped), *tables(tmp_path / "c", "age,mass,height", list)]) == 2
    assert "there is no size here, but age, mass, height" in capsys.readouterr().err
    table = write_npz(tmp_path / "g.npz", x=raw.x, edges=ring())
    assert main([str(zipped), str(table), "--json"]) == 0
    assert "taken to be, in this order, mass, size, age" in output(capsys)[2]
    unnamed = small_bundle(tmp_path / "unnamed", "nodes", preprocessing=preprocessing(small("nodes")))
    assert main([str(unnamed), *tables(tmp_path / "a", "mass,size,age", list)]) == 0, "counted"


@pytest.mark.heavy
def test_links_of_tables_are_judged_for_named_pairs(tmp_path: Path, capsys: Printed) -> None:
    given = preprocessing(small("links"))
    zipped = small_bundle(tmp_path / "links", "links", preprocessing=given)
    files = tables(tmp_path / "a", "mass,size,age", list)
    assert main([str(zipped), *files]) == 2
    assert "pairs.csv with the columns source and target" in capsys.readouterr().err
    pairs = tmp_path / "a" / "pairs.csv"
    pairs.write_text("source,target\nn0,n5\nn7,n9\n")
    assert main([str(zipped), *files, str(pairs), "--json"]) == 0
    assert output(capsys)[0] == ["pairs.csv pair n0-n5", "pairs.csv pair n7-n9"]
    for text, says in (
        ("a,b\nn0,n5\n", "column names"),
        ("source,target\nn0,n99\n", "line 2 names 'n99'"),
        ("source,target\n", "no pair"),
    ):
        pairs.write_text(text)
        assert main([str(zipped), *files, str(pairs)]) == 2
        assert says in capsys.readouterr().err


def test_files_that_belong_together() -> None:
    paths = [Path(name) for name in ("a.png", "nodes.csv", "x-labels-idx1-ubyte", "edges.csv", "x-images-idx3-ubyte")]
    assert groups(paths) == [[paths[1], paths[3]], [paths[0]], [paths[4]]]
    assert groups(paths[:3]) == [[paths[0]], [paths[1]], [paths[2]]]
    texts = [Path(f"DS_{part}.txt") for part in ("A", "graph_indicator", "graph_labels")]
    assert groups(texts) == [texts]


def test_columns_are_arranged_by_name() -> None:
    x = np.array([[1, 2, 3], [4, 5, 6]])
    assert arranged(x, ("a", "b", "c"), ("a", "b", "c"), file="f") == (x, "")
    out, said = arranged(x, ("a", "b", "c"), ("c", "a"), file="f")
    assert out.tolist() == [[3, 1], [6, 4]]
    assert "another order" in said
    assert "left out: b" in said
    with pytest.raises(InvalidDataset, match="there is no d here, but a, b, c"):
        arranged(x, ("a", "b", "c"), ("a", "d"), file="f")
    with pytest.raises(InvalidDataset, match="no node label 0 = 4"):
        arranged(x, ("a", "b", "c"), ("a", "node label 0 = 4"), file="f")
    out, said = arranged(x[:, :2], TU[:2], TU, file="f", one_hot=True)
    assert (out.tolist(), said) == ([[1, 2, 0], [4, 5, 0]], "")


def test_names_of_columns_of_stored_data_sets() -> None:
    assert names_of({}) == ()
    assert names_of({"feature_columns": {"order": "as they are"}, "features": {"neighbours": 2}}) == (
        "neighbours = 0", "neighbours = 1", "neighbours = 2"
    )  # fmt: skip
    assert names_of({"features": {"neighbours": 100}})[-2:] == ("neighbours = 99", "neighbours >= 100")
    noted = {"features": {"attributes": 1, "node_labels": [[0, 3], [5]]}}
    assert names_of(noted) == ("attribute 0", "node label 0 = 0", "node label 0 = 3", "node label 1 = 5")
    assert names_of({"feature_columns": {"order": "o", "names": ["a", "b"]}}) == ("a", "b")
