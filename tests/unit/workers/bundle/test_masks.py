"""Bundles of a segmentation: `predict` writes masks, `model.py` gives the same classes, and `verify` checks both."""

import io
import json
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from archsmith.errors import InvalidBundle
from tests.bundle.made import preprocessing, small, small_bundle, trained
from workers.bundle.code import model_source
from workers.bundle.manifest import Manifest
from workers.bundle.mask_files import is_mask, written
from workers.bundle.outputs import READINGS, Mask
from workers.bundle.predict import main
from workers.bundle.torch_only import _below
from workers.bundle.verify import verify
from workers.tracking.mlmodel import _signature

Printed = pytest.CaptureFixture[str]


def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 17, (3, 1, 8, 6)).astype(np.uint8)


def expected() -> np.ndarray:
    architecture = small("segmentation")
    x = torch.from_numpy(Manifest.of(architecture, preprocessing(architecture), {}).prepared(pictures()))
    with torch.no_grad():
        found: np.ndarray = trained(architecture)(x).argmax(1).numpy()
    return found


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_bundle(tmp_path_factory.mktemp("bundle"), "segmentation")


def masks(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.glob("*.mask.png"))}


@pytest.mark.heavy
def test_predict_writes_a_mask_beside_each_file(bundle: Path, tmp_path: Path, capsys: Printed) -> None:
    np.save(tmp_path / "all.npy", pictures())
    Image.fromarray(pictures()[1, 0]).save(tmp_path / "one.png")
    given = [str(tmp_path / name) for name in ("all.npy", "one.png")]
    assert main([str(bundle), *given, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = masks(tmp_path)
    assert sorted(found) == ["all.0.mask.png", "all.1.mask.png", "all.2.mask.png", "one.mask.png"]
    for number, mask in enumerate(expected()):
        assert np.array_equal(found[f"all.{number}.mask.png"], mask)
    assert np.array_equal(found["one.mask.png"], expected()[1])
    assert [Path(row["mask"]).name for row in rows] == sorted(found)
    shares = np.bincount(expected()[0].ravel(), minlength=3) / 48
    assert rows[0]["classes"] == {f"class {k}": shares[k] for k in np.argsort(-shares, kind="stable")}
    again = main([str(bundle), given[1], str(tmp_path / "one.mask.png")])
    printed = capsys.readouterr()
    assert again == 0
    assert "one.mask.png was there and is replaced" in printed.err
    assert "one.mask.png is a mask and is left out" in printed.err
    assert printed.out.startswith("one.png: class ")
    assert sorted(masks(tmp_path)) == sorted(found)


@pytest.mark.heavy
def test_a_bundle_of_masks_is_what_it_claims(bundle: Path) -> None:
    assert [check for check in verify(bundle) if check.ok is not True] == []


@pytest.mark.heavy
def test_model_py_and_the_card_say_what_comes_out(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path)
    spec = spec_from_file_location("made_model", tmp_path / "model.py")
    assert spec is not None
    assert spec.loader is not None
    code: Any = module_from_spec(spec)
    spec.loader.exec_module(code)
    found = code.predict(code.load(str(tmp_path / "weights.safetensors")), torch.from_numpy(pictures()))
    assert np.array_equal(found.numpy(), expected())
    card = (tmp_path / "model_card.md").read_text()
    assert "A segmentation model for images" in card
    assert "print(model.predict(net, images))" in card


def test_the_source_says_shapes() -> None:
    text = model_source(small("segmentation"), preprocessing(small("segmentation")))
    assert "The classes of the pixels (B, 8, 6) of B images: numbers that LABELS names." in text
    assert "output           (B, 3, 8, 6), logits" in text


def test_a_class_whose_logit_ties_is_no_difference() -> None:
    logits = torch.tensor([[[[1.0, 5.0]], [[1.0, 2.0]]]])
    assert _below(torch.tensor([[[1, 0]]]), logits) == 0.0
    assert _below(torch.tensor([[[0, 1]]]), logits) == pytest.approx(3 / 6)
    with pytest.raises(SystemExit, match="masks of shape"):
        _below(torch.tensor([[1, 0]]), logits)


def test_mlflow_is_told_of_masks() -> None:
    manifest = Manifest.of(small("segmentation"), preprocessing(small("segmentation")), {})
    [given] = _signature(manifest, {"x": pictures()}).outputs.inputs
    assert (given.shape, given.type) == ((-1, 8, 6), np.dtype(np.int64))


def test_names_of_masks(tmp_path: Path, capsys: Printed) -> None:
    mask = np.zeros((2, 2), np.uint8)
    for what, source, name in (
        ("cat.png", "cat.png", "cat.mask.png"),
        ("data.npz[12]", "data.npz", "data.12.mask.png"),
        ("test/a b/cat.png", "all.zip", "all.test_a_b_cat.png.mask.png"),
    ):
        made = written(Mask(what=what, classes={"a": 1.0}, mask=mask), tmp_path / source)
        assert Path(made.path) == tmp_path / name
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(Path(made.path).read_bytes()))), mask)
    assert capsys.readouterr().err == ""
    assert made.line(1) == f"test/a b/cat.png: a 1.0000; mask in {made.path}"
    assert not is_mask(tmp_path / "cat.png")
    with pytest.raises(InvalidBundle, match="cannot be written"):
        written(Mask(what="a.png", classes={}, mask=mask), tmp_path / "cat.mask.png" / "a.png")


def test_the_largest_logit_names_the_class() -> None:
    manifest = Manifest.of(small("segmentation"), preprocessing(small("segmentation")), {})
    logits = np.random.default_rng(0).normal(size=(2, 3, 8, 6)).astype(np.float32)
    found = READINGS["segmentation"].values(logits, manifest)
    assert found.dtype == np.uint8
    assert np.array_equal(found, logits.argmax(1))
