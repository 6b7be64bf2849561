"""`archsmith verify`: a whole bundle passes, and whatever is changed in one is named."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from tests.bundle.made import Files, changed, small, small_bundle, small_exported, trained, weights_of
from workers import bundle
from workers.bundle import torch_only
from workers.bundle.verify import main, verify

pytestmark = pytest.mark.heavy


def wrong(zipped: Path, *, code: bool = False) -> Mapping[str, str]:
    return {check.what: check.detail for check in verify(zipped, code=code) if check.ok is False}


@pytest.mark.parametrize("kind", ["image", "graphs"])
def test_a_whole_bundle_passes(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([str(small_bundle(tmp_path, kind)), "--json"]) == 0
    printed = capfd.readouterr()
    checks = {check["what"]: check["ok"] for check in map(json.loads, printed.out.splitlines())}
    forms = ["SHA256SUMS", "weights.safetensors", "model.onnx", "model.py", "model.pt2", "model.py: predict"]
    assert checks == dict.fromkeys(forms, True)
    assert "model.py is run" in printed.err


def test_without_code_none_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def trap(files: Files) -> None:
        files["model.py"] = f"open({str(tmp_path / 'ran')!r}, 'w')".encode()

    zipped = changed(small_bundle(tmp_path, "image"), trap)
    assert main([str(zipped), "--no-code"]) == 0
    assert "-     model.py" in capsys.readouterr().out
    assert not (tmp_path / "ran").exists()


def test_every_file_is_checked_against_its_sum(tmp_path: Path) -> None:
    def damage(files: Files) -> None:
        files["labels.json"] += b" "
        files["extra.py"] = b""
        del files["model.pt2"]

    found = wrong(changed(small_bundle(tmp_path, "image"), damage, sums=False))
    assert set(found) == {"labels.json", "extra.py", "model.pt2"}
    assert "its line in SHA256SUMS says" in found["labels.json"]


def _other_weights(files: Files) -> None:
    weights = load(files["weights.safetensors"])
    weights["head.linear.bias"] = weights["head.linear.bias"] + 1
    files["weights.safetensors"] = save(weights)


def _weights_of_another(files: Files) -> None:
    files["weights.safetensors"] = weights_of(trained(small("nodes")))


def _onnx_of_another(files: Files) -> None:
    files["model.onnx"] = small_exported("colour").files["model.onnx"]


def _onnx_cut(files: Files) -> None:
    files["model.onnx"] = files["model.onnx"][:200]


def _onnx_gone(files: Files) -> None:
    del files["model.onnx"]


def _other_mean(files: Files) -> None:
    files["model.py"] = files["model.py"].replace(b"MEAN = [4.1]", b"MEAN = [4.2]")


def _needs_more(files: Files) -> None:
    files["model.py"] = files["model.py"].replace(b"import json\n", b"import json\n\nimport safetensors\n")


def _no_example(files: Files) -> None:
    files["example.safetensors"] = b"\0" * 9


def _other_example(files: Files) -> None:
    files["example.safetensors"] = save({**load(files["example.safetensors"]), "x": np.zeros((2, 5, 8, 6), np.float32)})


def _fewer_labels(files: Files) -> None:
    files["labels.json"] = b'["a", "b"]'


def _other_version(files: Files) -> None:
    files["bundle.json"] = files["bundle.json"].replace(b'"schema_version": "1"', b'"schema_version": "7"')


@pytest.mark.parametrize(
    ("change", "what", "says"),
    [
        (_other_weights, "weights.safetensors", "from the stored logits"),
        (_weights_of_another, "weights.safetensors", "do not fit architecture.json"),
        (_onnx_of_another, "model.onnx", "does not run: ONNX Runtime: "),
        (_onnx_cut, "model.onnx", "does not run: ONNX Runtime: "),
        (_onnx_gone, "model.onnx", "does not say why"),
        (_no_example, "example.safetensors", "holds no example"),
        (_other_example, "weights.safetensors", "does not take the example"),
        (_fewer_labels, "labels.json", "3 classes need as many labels, got 2"),
        (_other_version, "bundle.json", "schema_version must be '1', got '7'"),
    ],
)
def test_what_differs_is_named(
    tmp_path: Path, change: Callable[[Files], None], what: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    zipped = changed(small_bundle(tmp_path, "image"), change)
    assert says in wrong(zipped)[what]
    assert main([str(zipped), "--no-code"]) == 1
    assert "WRONG" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "what", "says"),
    [
        (_other_mean, "model.py", "from the stored logits"),
        (_needs_more, "model.py", "No module named 'safetensors'"),
    ],
)
def test_wrong_outputs_of_the_code_are_named(
    tmp_path: Path, change: Callable[[Files], None], what: str, says: str
) -> None:
    assert says in wrong(changed(small_bundle(tmp_path, "image"), change), code=True)[what]


def test_a_form_that_was_left_out_with_a_reason_is_not_wrong(tmp_path: Path) -> None:
    files = {"example.safetensors": small_exported("image").files["example.safetensors"]}
    made = bundle.Exports(files=files, left_out={"model.onnx": "no rule", "model.pt2": "no rule"})
    checks = {check.what: check for check in verify(small_bundle(tmp_path, "image", exports=made), code=False)}
    assert (checks["model.onnx"].ok, checks["model.onnx"].detail) == (None, "not in the bundle: no rule")
    assert {check.ok for check in checks.values()} == {True, None}


def test_without_forms_code_and_weights_go_together(tmp_path: Path) -> None:
    checks = {
        check.what: check for check in verify(small_bundle(tmp_path, "image", exports=bundle.Exports.none("off")))
    }
    assert [what for what, check in checks.items() if check.ok] == ["SHA256SUMS", "model.py"]
    assert {what for what, check in checks.items() if check.detail.endswith("not in the bundle: off")} == {
        *("example.safetensors", "model.onnx", "model.pt2")
    }


def test_files_that_are_not_bundles_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing.zip")]) == 2
    (tmp_path / "text.zip").write_text("not a zip")
    assert "not a zip archive" in " ".join(wrong(tmp_path / "text.zip").values())
    with zipfile.ZipFile(tmp_path / "outside.zip", "w") as archive:
        archive.writestr("../outside", "")
    assert "leads out of the archive" in " ".join(wrong(tmp_path / "outside.zip").values())
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("cat.png", "")
    assert "so it is no bundle" in " ".join(wrong(tmp_path / "other.zip").values())


def test_a_model_with_graph_layers_has_torch_geometric_beside_torch(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch>=2.13.0\ntorch-geometric>=2.8.1\n")
    assert torch_only.packages_of(tmp_path) == ("torch", "torch_geometric")
    code = "from workers.bundle import torch_only; print('torch_geometric' in torch_only.allowed_imports(['torch']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
