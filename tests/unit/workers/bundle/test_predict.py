"""`archsmith predict`: the network's probabilities for files of every kind, one line for a file that is unsuitable."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from archsmith.errors import ArchsmithError
from tests.bundle.made import Files, changed, preprocessing, small, small_bundle, trained
from workers import bundle
from workers.bundle import inputs
from workers.bundle.manifest import Manifest
from workers.bundle.predict import main

pytestmark = pytest.mark.heavy

Printed = pytest.CaptureFixture[str]


def probabilities(kind: str, given: bundle.Preprocessing, x: Any, *indices: Any) -> Any:
    """By the network itself."""
    prepared = Manifest.of(small(kind), given, {}).prepared(np.asarray(x))
    with torch.no_grad():
        logits = trained(small(kind))(*(torch.from_numpy(np.asarray(value)) for value in (prepared, *indices)))
    return logits.softmax(1).numpy()


def output(printed: Printed) -> tuple[list[str], Any, str]:
    """What each row was called, and (rows, classes) of the answers."""
    out, err = printed.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    table = np.array([[row["classes"][name] for name in sorted(row["classes"])] for row in rows])
    return [row["what"] for row in rows], table, err


def test_pictures_of_the_right_size_and_others(tmp_path: Path, capsys: Printed) -> None:
    zipped = small_bundle(tmp_path, "image")
    grey = np.arange(48, dtype=np.uint8).reshape(8, 6) % 17
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(np.stack([grey] * 3, axis=2)).save(tmp_path / "same.png")
    coloured = np.stack([grey, grey, grey + 1], axis=2)
    Image.fromarray(coloured).save(tmp_path / "colour.png")
    Image.fromarray(grey[:5]).save(tmp_path / "short.png")
    (tmp_path / "text.png").write_text("no picture")
    names = ["a.png", "colour.png", "short.png", "text.png", "absent.png", "a.wav", "same.png"]
    assert main([str(zipped), *(str(tmp_path / name) for name in names), "--json"]) == 2
    rows, found, err = output(capsys)
    assert rows == ["a.png", "same.png"]
    expected = probabilities("image", preprocessing(small("image")), grey[None, None])
    np.testing.assert_allclose(found, np.repeat(expected, 2, axis=0), atol=1e-6)
    for says in (
        "file colour.png: the model takes grey pictures, this one has colours",
        "file short.png: the model takes pictures of 6×8 pixels, this one has 6×5",
        ": text.png is not a picture by its content",
        "there is no file",
    ):
        assert says in err
    assert err.count("\n") == 5


def test_mirrored_pictures_are_averaged(tmp_path: Path, capsys: Printed) -> None:
    zipped = small_bundle(tmp_path, "image")
    grey = np.arange(48, dtype=np.uint8).reshape(8, 6) % 17
    np.save(tmp_path / "a.npy", grey[None, None])
    assert main([str(zipped), str(tmp_path / "a.npy"), "--json", "--mirror"]) == 0
    _, found, _ = output(capsys)
    both = [probabilities("image", preprocessing(small("image")), x[None, None]) for x in (grey, grey[:, ::-1])]
    np.testing.assert_allclose(found, np.mean(both, axis=0), atol=1e-6)
    assert abs(both[0] - both[1]).max() > 1e-4, "else this test could not fail"


def test_only_pictures_are_mirrored(tmp_path: Path, capsys: Printed) -> None:
    zipped = small_bundle(tmp_path, "volume")
    np.save(tmp_path / "a.npy", np.zeros((1, *small("volume").input_shape), dtype=np.uint8))
    assert main([str(zipped), str(tmp_path / "a.npy"), "--mirror"]) == 2
    assert capsys.readouterr().err == "archsmith: --mirror is for pictures, this model takes volume\n"


def test_picture_files_are_fitted_where_the_data_set_was_made_of_them(tmp_path: Path, capsys: Printed) -> None:
    given = preprocessing(small("colour"), pictures="fit", high=255.0)
    zipped = small_bundle(tmp_path, "colour", preprocessing=given)
    pixels = np.full((40, 60, 3), (10, 20, 30), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    assert main([str(zipped), str(tmp_path / "large.png"), "--json"]) == 0
    _, found, _ = output(capsys)
    x = np.broadcast_to(np.array([10, 20, 30], np.uint8)[None, :, None, None], (1, 3, 8, 8))
    np.testing.assert_allclose(found, probabilities("colour", given, x), atol=1e-6)


def test_the_most_probable_classes_are_named(tmp_path: Path, capsys: Printed) -> None:
    zipped = small_bundle(tmp_path, "image")
    np.save(tmp_path / "one.npy", np.zeros((8, 6), np.uint8))
    assert main([str(zipped), str(tmp_path / "one.npy"), "--top", "2"]) == 0
    line = capsys.readouterr().out
    shares = probabilities("image", preprocessing(small("image")), np.zeros((1, 1, 8, 6)))[0]
    first, second = np.argsort(-shares)[:2]
    assert line == f"one.npy: class {first} {shares[first]:.4f}, class {second} {shares[second]:.4f}\n"


@pytest.mark.parametrize(
    ("shape", "axes", "rows"),
    [
        ((1, 4, 6, 5), None, ["v.npy"]),
        ((4, 6, 5), None, ["v.npy"]),
        ((4, 6, 5, 1), None, ["v.npy"]),
        ((2, 4, 6, 5), None, ["v.npy[0]", "v.npy[1]"]),
        ((2, 4, 6, 5, 1), None, ["v.npy[0]", "v.npy[1]"]),
    ],
)
def test_volumes_in_any_order_of_axes(
    tmp_path: Path, capsys: Printed, shape: tuple[int, ...], axes: None, rows: list[str]
) -> None:
    zipped = small_bundle(tmp_path, "volume")
    x = np.random.default_rng(0).integers(0, 17, shape)
    np.save(tmp_path / "v.npy", x)
    assert main([str(zipped), str(tmp_path / "v.npy"), "--json"]) == 0
    names, found, err = output(capsys)
    assert (names, err) == (rows, "")
    expected = probabilities("volume", preprocessing(small("volume")), x.reshape(len(rows), 1, 4, 6, 5))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_series_come_as_tables_and_as_arrays(tmp_path: Path, capsys: Printed) -> None:
    form = small("series")
    given = preprocessing(form, dtype="float32", high=1.0, source="table")
    zipped = small_bundle(tmp_path, "series", preprocessing=given)
    x = np.random.default_rng(0).random((3, 2, 12)).astype(np.float32)
    np.save(tmp_path / "last.npy", np.moveaxis(x, 1, 2))
    np.savez(tmp_path / "many.npz", x_test=x, y_test=np.array([0, 1, 2]), x_train=x, y_train=np.array([0, 1, 2]))
    (tmp_path / "one.csv").write_text("1,5,3\n")
    names = ["last.npy", "many.npz", "one.csv"]
    assert main([str(zipped), *(str(tmp_path / name) for name in names), "--json"]) == 2
    rows, found, err = output(capsys)
    assert rows[:3] == [f"last.npy[{number}]" for number in range(3)]
    np.testing.assert_allclose(found[:3], probabilities("series", given, x), atol=1e-6)
    np.testing.assert_allclose(found[3:6], found[:3], atol=1e-6)
    assert "12 are wanted" in err


def test_a_table_of_series_is_classified_line_by_line(tmp_path: Path, capsys: Printed) -> None:
    form = small("heartbeats")
    given = preprocessing(form, dtype="float32", high=1.0, source="table")
    zipped = small_bundle(tmp_path, "heartbeats", preprocessing=given)
    x = np.random.default_rng(0).random((3, 1, 12)).round(4).astype(np.float32)
    lines = [",".join(f"{value:.4f}" for value in row[0]) for row in x]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "b.tsv").write_text("label\t" + "\t".join(f"t{i}" for i in range(12)) + "\n" + "\n".join(
        "7\t" + line.replace(",", "\t") for line in lines) + "\n")  # fmt: skip
    assert main([str(zipped), str(tmp_path / "a.csv"), str(tmp_path / "b.tsv"), "--json"]) == 0
    rows, found, err = output(capsys)
    assert (rows, err) == ([f"{name}[{number}]" for name in ("a.csv", "b.tsv") for number in range(3)], "")
    np.testing.assert_allclose(found[:3], probabilities("heartbeats", given, x), atol=1e-5)
    np.testing.assert_allclose(found[3:], found[:3], atol=1e-6)


def test_graphs_come_as_they_are_uploaded(tmp_path: Path, capsys: Printed) -> None:
    x = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 1, 1], [0, 0, 1]])
    once = np.array([[0, 1], [2, 1], [3, 4]])  # (E, 2), in one direction each
    edges = np.array([[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]])
    graph, pairs = np.array([0, 0, 0, 1, 1]), np.array([[0, 3], [2, 4], [1, 0]])
    more: dict[str, tuple[dict[str, Any], tuple[Any, ...], list[str]]] = {
        "nodes": ({}, (edges,), [f"g.npz node {number}" for number in range(5)]),
        "graphs": ({"graph": graph}, (edges, graph), ["g.npz graph 0", "g.npz graph 1"]),
        "links": ({"pairs": pairs}, (edges, pairs.T), ["g.npz pair 0-3", "g.npz pair 2-4", "g.npz pair 1-0"]),
    }
    for kind, (arrays, indices, rows) in more.items():
        zipped = small_bundle(tmp_path / kind, kind)
        np.savez(tmp_path / "g.npz", x=x, edges=once, **arrays)
        assert main([str(zipped), str(tmp_path / "g.npz"), "--json"]) == 0
        names, found, _ = output(capsys)
        assert names == rows
        np.testing.assert_allclose(found, probabilities(kind, preprocessing(small(kind)), x, *indices), atol=1e-6)


GOOD = np.ones((5, 3), np.uint8)
JOINED = np.array([[0, 1], [3, 4]])


@pytest.mark.parametrize(
    ("kind", "name", "arrays", "says"),
    [
        ("image", "a.npy", np.zeros((9, 9)), "images of (1, 8, 6), one or (N, …); this array is (9, 9)"),
        ("image", "a.npy", np.full((8, 6), 0.5), "whole numbers from 0 to 255, this array has others, 0.5 to 0.5"),
        ("image", "a.npy", np.full((8, 6), np.nan), "must be finite"),
        ("image", "a.npy", np.full((8, 6), "x"), "holds <U1"),
        ("image", "a.npy", np.array(7), "this array is ()"),
        ("image", "a.npy", np.full((8, 6), None), "no array that can be read"),
        ("image", "a.npz", {"a": GOOD, "b": GOOD}, "one named x, is wanted; it holds a, b"),
        ("volume", "a.png", b"", "which no picture file holds"),
        ("nodes", "a.png", b"", "a model of nodes takes .npz files with x, edges"),
        ("nodes", "a.npz", {"x": GOOD}, "arrays edges are wanted; it holds x"),
        ("nodes", "a.npz", {"x": GOOD[:, :2], "edges": JOINED}, "nodes of 3 features, these have 2"),
        ("nodes", "a.npz", {"x": GOOD, "edges": JOINED + 1}, "joins nodes 4 and 5"),
        ("links", "a.npz", {"x": GOOD, "edges": JOINED}, "arrays pairs are wanted"),
        ("links", "a.npz", {"x": GOOD, "edges": JOINED, "pairs": [[0, 9]]}, "the nodes 0 to 9, there are 0 to 4"),
        ("graphs", "a.npz", {"x": GOOD, "edges": JOINED, "graph": [0, 0, 1, 3, 3]}, "without gaps"),
        ("graphs", "a.npz", {"x": GOOD, "edges": JOINED, "graph": [0, 1, 1, 1, 2]}, "joins nodes of two graphs"),
    ],
)
def test_an_unsuitable_file_is_refused_in_one_line(
    tmp_path: Path, capsys: Printed, kind: str, name: str, arrays: Any, says: str
) -> None:
    path = tmp_path / name
    if isinstance(arrays, bytes):
        path.write_bytes(arrays)
    elif isinstance(arrays, dict):
        np.savez(path, **arrays)
    else:
        np.save(path, arrays, allow_pickle=True)
    assert main([str(small_bundle(tmp_path, kind)), str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_values_beyond_the_models_type_are_refused(tmp_path: Path) -> None:
    form = small("image")
    manifest = Manifest.of(form, replace(preprocessing(form), dtype="float32"), {})
    np.save(tmp_path / "a.npy", np.full((8, 6), 1e300))
    with pytest.raises(ArchsmithError, match="takes float32 values, some of these are out of their range"):
        inputs.read(tmp_path / "a.npy", manifest)


def test_other_units_are_noticed(tmp_path: Path, capsys: Printed) -> None:
    np.save(tmp_path / "bright.npy", np.full((8, 6), 255))
    assert main([str(small_bundle(tmp_path, "image")), str(tmp_path / "bright.npy")]) == 0
    assert "values from 255 to 255, those of the data set lie in 0 to 16: other units?" in capsys.readouterr().err


def test_no_code_of_the_bundle_runs(tmp_path: Path, capsys: Printed) -> None:
    def trap(files: Files) -> None:
        files["model.py"] = f"open({str(tmp_path / 'ran')!r}, 'w')".encode()

    np.save(tmp_path / "one.npy", np.zeros((8, 6)))
    zipped = changed(small_bundle(tmp_path, "image"), trap)
    assert main([str(zipped), str(tmp_path / "one.npy")]) == 0
    assert capsys.readouterr().out.startswith("one.npy: class ")
    assert not (tmp_path / "ran").exists()


def test_a_damaged_bundle_is_not_used(tmp_path: Path, capsys: Printed) -> None:
    np.save(tmp_path / "one.npy", np.zeros((8, 6)))
    zipped = changed(small_bundle(tmp_path, "image"), lambda files: files.update({"model.onnx": b""}), sums=False)
    assert main([str(zipped), str(tmp_path / "one.npy")]) == 1
    assert ": model.onnx has the SHA-256" in capsys.readouterr().err


def test_a_bundle_without_onnx_says_why(tmp_path: Path, capsys: Printed) -> None:
    np.save(tmp_path / "one.npy", np.zeros((8, 6)))
    zipped = small_bundle(tmp_path, "image", exports=bundle.Exports.none("no rule for aten::odd"))
    assert main([str(zipped), str(tmp_path / "one.npy")]) == 2
    assert "the bundle has no model.onnx: no rule for aten::odd; use its model.py" in capsys.readouterr().err


@pytest.mark.parametrize(("high", "told"), [(1.0, True), (0.5, True), (3.0, False)])
def test_values_of_a_small_part_of_the_range_are_noticed(
    tmp_path: Path, capsys: Printed, high: float, told: bool
) -> None:
    given = preprocessing(small("image"), dtype="float32", high=255.0)
    np.save(tmp_path / "a.npy", np.linspace(0, high, 48, dtype=np.float32).reshape(8, 6))
    assert main([str(small_bundle(tmp_path, "image", preprocessing=given)), str(tmp_path / "a.npy")]) == 0
    assert (
        f"values from 0 to {high:g}, those of the data set lie in 0 to 255: other units?" in capsys.readouterr().err
    ) == told
