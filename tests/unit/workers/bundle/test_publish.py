"""The bundle: whole or absent, the same bytes for the same input, and a model that opens."""

import hashlib
import importlib.util
import json
import re
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from archsmith.errors import InvalidBundle
from space.architecture import Architecture
from tests.bundle.made import REPORT, exported, preprocessing, published, small, small_bundle, small_exported, trained
from workers import bundle
from workers.bundle import code, exports
from workers.bundle.example import GIVEN
from workers.bundle.manifest import Manifest
from workers.datasets import DataStore
from workers.train.features import Features

pytestmark = pytest.mark.heavy

GRAPHS = ("nodes", "graphs", "links")
FORMS = ("model.onnx", "model.pt2", "example.safetensors")


def _module(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundled_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_model_that_comes_out_is_the_model_that_went_in(tmp_path: Path) -> None:
    small_bundle(tmp_path, "image", exports=bundle.Exports.none("not asked"))
    module, network = _module(tmp_path / "bundle"), trained(small("image"))
    loaded = module.load(str(tmp_path / "bundle" / "weights.safetensors"))
    images = torch.arange(2 * 48, dtype=torch.uint8).reshape(2, 1, 8, 6) % 17
    x = (images.float() - 4.1) / (2 / 3)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), network(x))
        torch.testing.assert_close(module.predict(loaded, images), network(x).softmax(dim=1))
    assert module.LABELS == ["class 0", "class 1", "class 2"]
    document = json.loads((tmp_path / "bundle" / "architecture.json").read_text())
    assert Architecture.from_json(document) == small("image")


def test_the_zip_is_the_folder_and_its_sums_fit(tmp_path: Path) -> None:
    zipped = small_bundle(tmp_path, "image", more={"compressed/weights.bin": b"small", "report.html": b"<html>"})
    with zipfile.ZipFile(zipped) as archive:
        assert archive.namelist() == [
            *("SHA256SUMS", "architecture.json", "architecture.svg", "bundle.json", "compressed/weights.bin"),
            *("example.safetensors", "labels.json", "model.onnx", "model.pt2", "model.py", "model_card.md"),
            *("report.html", "report.json", "requirements.txt", "weights.safetensors"),
        ]
        sums = archive.read("SHA256SUMS").decode().splitlines()
        assert len(sums) == len(archive.namelist()) - 1
        for line in sums:
            digest, name = line.split("  ")
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
        for name in archive.namelist():
            assert archive.read(name) == (tmp_path / "bundle" / name).read_bytes()
    card = (tmp_path / "bundle" / "model_card.md").read_text()
    assert all(f"| `{name}` |" in card for name in ("compressed/", "report.html", "model.onnx"))
    assert json.loads((tmp_path / "bundle" / "labels.json").read_text()) == ["class 0", "class 1", "class 2"]
    assert re.fullmatch(r"torch>=[\d.]+\n", (tmp_path / "bundle" / "requirements.txt").read_text())


def test_a_file_of_the_bundle_cannot_be_replaced(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"given again: model\.py"):
        small_bundle(tmp_path, "image", more={"model.py": b""})


def test_publishing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    first = small_bundle(tmp_path, "image").read_bytes()
    (tmp_path / "bundle.part").mkdir()  # what a driver that was killed in the middle leaves
    (tmp_path / "bundle.part" / "half").touch()
    again = published(tmp_path, small("image"))  # exported anew
    assert again.read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "bundle.zip"]


def test_exports_contain_no_paths_of_the_machine() -> None:
    for name, data in small_exported("image").files.items():
        assert not re.search(rb"site-packages|/[\w-]+/[\w./-]+\.py", data), name


@pytest.mark.parametrize("kind", ["image", "volume", "series", *GRAPHS])
def test_every_form_gives_the_stored_logits(kind: str) -> None:
    made, network = small_exported(kind), trained(small(kind))
    assert (set(made.files), dict(made.left_out)) == (set(FORMS), {})
    stored = load(made.files["example.safetensors"])
    logits = stored.pop("logits")
    raw = {name: stored[name] for name in ("x", *GIVEN.get(kind, ()))}  # a file of tensors has no order
    inputs = exports.network_inputs(Manifest.of(small(kind), preprocessing(small(kind)), {}), raw)
    assert np.ptp(logits) > 0, "an example that tells nothing"
    with torch.no_grad():
        np.testing.assert_array_equal(network(*map(torch.from_numpy, inputs.values())).numpy(), logits)
    np.testing.assert_allclose(exports.run_program(made.files["model.pt2"], inputs), logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(exports.run_onnx(made.files["model.onnx"], inputs), logits, rtol=1e-4, atol=1e-4)


def test_a_form_that_cannot_be_made_is_listed_in_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> bytes:
        raise TypeError("no rule for aten::odd\nand a long story")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    monkeypatch.setattr(exports, "run_program", lambda data, inputs: np.zeros((2, 3), np.float32))
    architecture = small("image")
    zipped = published(tmp_path, architecture)
    with zipfile.ZipFile(zipped) as archive:
        assert not {"model.onnx", "model.pt2"} & set(archive.namelist())
        card = archive.read("model_card.md").decode()
        left_out = json.loads(archive.read("bundle.json"))["left_out"]
    assert left_out["model.onnx"] == "torch.onnx: TypeError: no rule for aten::odd"
    assert re.fullmatch(r"its logits are .* from the network's, 1e-05 is allowed", left_out["model.pt2"])
    assert "`model.onnx` could not be made: torch.onnx: TypeError: no rule for aten::odd" in card
    assert "| `model.onnx` |" not in card


def test_a_bug_of_ours_does_not_pass_for_a_form_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def slip(*_: Any) -> None:
        raise TypeError("takes 1 positional argument but 2 were given")

    monkeypatch.setattr("space.export._tidy", slip)
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        exported(small("image"), preprocessing(small("image")))


# --- every kind of data


@pytest.mark.parametrize("mean", [(0.0, 0.0, 0.0), (0.5, 0.0, 2.0)])
@pytest.mark.parametrize("kind", GRAPHS)
def test_predict_on_graphs_prepares_the_features_as_the_trainer_does(
    tmp_path: Path, kind: str, mean: tuple[float, ...]
) -> None:
    given = preprocessing(small(kind), mean=mean, std=(1.0, 1.0, 1.0))
    published(tmp_path, small(kind), preprocessing=given, exports=bundle.Exports.none("not asked"))
    module = _module(tmp_path / "bundle")
    net = module.load(str(tmp_path / "bundle" / "weights.safetensors"))
    raw = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 1]], dtype=torch.uint8)
    edges = torch.tensor([[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]])
    x, pairs = Features(mean, given.std)(raw), torch.tensor([[0, 3], [2, 1]])
    manifest = Manifest.of(small(kind), given, {})
    np.testing.assert_allclose(manifest.prepared(raw.numpy()), x.numpy(), rtol=1e-6)
    with torch.inference_mode():
        if kind == "nodes":
            expected, found = net(x, edges), module.predict(net, raw, edges)
        elif kind == "links":
            expected, found = net(x, edges, pairs), module.predict(net, raw, edges, pairs)
        else:
            expected = net(x, edges, torch.tensor([0, 0, 0, 1, 1]))
            found = module.predict(net, [(raw[:3], edges[:, :4]), (raw[3:], edges[:, 4:] - 3)])
    torch.testing.assert_close(found, expected.softmax(1))
    assert hasattr(module, "MEAN") == any(mean)


def test_numbers_are_those_the_trainer_computes_with() -> None:
    """A deviation of 1.23e-7 is not rounded to six places."""
    given = preprocessing(small("image"), mean=(1 / 3,), std=(1.2345678e-7,))
    text = code.model_source(small("image"), given)
    found = re.findall(r"^(?:MEAN|STD) = \[(.*)\]$", text, re.MULTILINE)
    assert [np.float32(value) for value in found] == [np.float32(1 / 3), np.float32(1.2345678e-7)]


def test_imports_are_sorted() -> None:
    network = '"""A network."""\n\nimport math\n\nimport torch.nn.functional as F\nfrom torch import Tensor, nn\n'
    others = ["import torch", "import torch.nn.functional as F", "from torch import Tensor, nn"]
    assert code.with_imports(network, ["json"]).splitlines()[2:] == ["import json", "import math", "", *others]
    assert code.with_imports(network, []).splitlines()[2:] == ["import math", "", *others]
    assert code.with_imports(network.replace("import math\n\n", ""), []).splitlines()[2:] == others


def test_the_card_has_what_the_report_has_of_seeds_and_gains(tmp_path: Path) -> None:
    gains = {"over_random": {"words": "no gain over random: +0.0010, 95% interval -0.0040 to +0.0060"}}
    costs = [
        {"phase": "search", "trainings": 4, "epochs": 12, "seconds": 12.3},
        {"phase": "compress", "trainings": None, "epochs": None, "seconds": None},
    ]
    report = {
        **REPORT, "final_score_sd": 0.0123, "gains": gains, "costs": costs,
        "shipped": {"seed": 0, "final_score": 0.8871}, "compression": {"final_score": 0.8804},
        "init_from": {"job": "j", "copied": 0.5, "widened": 0.25, "fresh": 0.25},
    }  # fmt: skip
    small_bundle(tmp_path, "image", exports=bundle.Exports.none("not asked"), report=report)
    text = (tmp_path / "bundle" / "model_card.md").read_text()
    assert "| accuracy (`final_score`) | 0.9000 ± 0.0123 | test split, full training of 12 epochs" in text
    assert "\n- no gain over random: +0.0010, 95% interval -0.0040 to +0.0060\n\nAll trainings started" in text
    assert "from the weights of job `j`, from which 75% of this model's were taken.\n\nThe test split" in text
    assert "| accuracy of these weights | 0.8871 | seed 0 of those trainings |" in text
    assert "| accuracy of `compressed/` | 0.8804 | test split, measured once |" in text
    assert "| search | 4 | 12 | 12 s |\n| compress | - | - | unknown |" in text


@pytest.mark.parametrize("kind", ["image", "volume", "series", *GRAPHS])
def test_the_card_describes_its_kind_of_data(kind: str, tmp_path: Path) -> None:
    small_bundle(tmp_path, kind, exports=bundle.Exports.none("not asked"))
    text = (tmp_path / "bundle" / "model_card.md").read_text()
    assert ("image" in text) == (kind == "image")
    assert "| balanced accuracy | 0.8500 |" in text
    assert "| licence | not stated" in text
    assert "4 trials (3 completed, 1 failed) in 12 s" in text
    assert {"graphs": "A classifier of graphs", "links": "A predictor of links"}.get(kind, "classifier") in text
    assert "{" not in text
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    module = _module(tmp_path / "bundle")
    example = example.replace("import model\n", "").replace('"weights', f'"{tmp_path}/bundle/weights')
    printed: list[Any] = []
    exec(example, {"model": module, "print": printed.append})
    assert printed[0].shape[1] == small(kind).classes


def test_preprocessing_of_a_data_set(tmp_path: Path) -> None:
    dataset = DataStore(tmp_path).open("digits", seed=0)
    given = bundle.Preprocessing.of(dataset)
    assert (given.low, given.high, given.dtype, given.pictures) == (0.0, 16.0, "uint8", "exact")
    assert given.mean == dataset.mean
    assert given.labels == tuple("0123456789")
    manifest = Manifest.of(small("image"), preprocessing(small("image")), {"model.onnx": "why"})
    document = json.loads(json.dumps(manifest.to_json()))
    assert Manifest.from_json(document, list(manifest.preprocessing.labels)) == manifest


def test_the_report_lies_in_the_bundle(tmp_path: Path) -> None:
    small_bundle(tmp_path, "image")
    assert json.loads((tmp_path / "bundle" / "report.json").read_text()) == REPORT


@pytest.mark.parametrize(
    ("field", "value"),
    [("preprocessing", []), ("left_out", ["model.onnx"]), ("input_shape", 3), ("classes", None), ("data", ...)],
)
def test_a_manifest_with_a_value_of_another_type_is_refused(field: str, value: Any) -> None:
    written = Manifest.of(small("image"), preprocessing(small("image")), {}).to_json()
    document = {**written, field: value}
    if value is ...:
        del document[field]
    wrongs: list[Any] = [document, [], None]
    for wrong in wrongs:
        with pytest.raises(InvalidBundle, match=r"must be an? (object|array|number), got|has no field 'data'"):
            Manifest.from_json(wrong, ["a", "b", "c"])
