"""The bundle: whole or absent, the same bytes for the same input, and a model that opens."""

import hashlib
import importlib.util
import json
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save

from space import presets
from space.architecture import Architecture
from space.build import build
from space.space import Space, replay
from workers import bundle

PREPROCESSING = bundle.Preprocessing(mean=(4.0,), std=(2.0,), dtype="uint8", labels=tuple("0123456789"))
REPORT: dict[str, Any] = {
    "job": {"name": "small"},
    "finalists": [{"epochs": 12}],
    "final_score": 0.9,
    "score": "accuracy",
    "measures": {"accuracy": 0.9, "balanced_accuracy": 0.85, "auc": 0.99},
    "search_score": 0.8,
    "dataset": {"name": "digits"},
    "trials": {"completed": 3, "failed": 1},
}


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    space = Space.parse(presets.load("tiny"), input_shape=(1, 8, 8), classes=10)
    return space.sample(replay(space.baseline()))


@pytest.fixture(scope="module")
def network(architecture: Architecture) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(architecture).eval()


def _publish(folder: Path, architecture: Architecture, network: torch.nn.Module) -> bundle.Published:
    folder.mkdir(exist_ok=True)
    weights = save({name: value.contiguous() for name, value in network.state_dict().items()})
    return bundle.publish(
        folder, architecture=architecture, weights=weights, preprocessing=PREPROCESSING, report=REPORT
    )


def _module(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundled_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_model_that_comes_out_is_the_model_that_went_in(
    tmp_path: Path, architecture: Architecture, network: torch.nn.Module
) -> None:
    _publish(tmp_path / "job", architecture, network)
    folder = tmp_path / "job" / "bundle"
    module = _module(folder)
    loaded = module.load(str(folder / "weights.safetensors"))
    images = torch.arange(2 * 64, dtype=torch.uint8).reshape(2, 1, 8, 8)
    x = (images.float() - 4.0) / 2.0
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), network(x))
        torch.testing.assert_close(module.predict(loaded, images), network(x).softmax(dim=1))
    assert list("0123456789") == module.LABELS
    assert Architecture.from_json(json.loads((folder / "architecture.json").read_text())) == architecture


def test_the_zip_is_the_folder_and_its_sums_fit(
    tmp_path: Path, architecture: Architecture, network: torch.nn.Module
) -> None:
    published = _publish(tmp_path / "job", architecture, network)
    data = published.path.read_bytes()
    assert (published.sha256, published.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    with zipfile.ZipFile(published.path) as archive:
        assert archive.namelist() == [
            *("README.md", "SHA256SUMS", "architecture.json", "architecture.svg", "model.py", "report.json"),
            "weights.safetensors",
        ]
        for name in archive.namelist():
            assert archive.read(name) == (tmp_path / "job" / "bundle" / name).read_bytes()
        for line in archive.read("SHA256SUMS").decode().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest


def test_publishing_again_gives_the_same_bytes(
    tmp_path: Path, architecture: Architecture, network: torch.nn.Module
) -> None:
    first = _publish(tmp_path / "job", architecture, network)
    (tmp_path / "job" / "bundle.part").mkdir()  # what a driver that was killed in the middle leaves
    (tmp_path / "job" / "bundle.part" / "half").touch()
    assert _publish(tmp_path / "job", architecture, network) == first
    assert sorted(p.name for p in (tmp_path / "job").iterdir()) == ["bundle", "bundle.zip"]
