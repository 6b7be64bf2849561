"""A bundle as a model of MLflow, loaded from a folder as the registry hands it out."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import pyfunc
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from safetensors.numpy import load_file

from tests.bundle.made import small_bundle
from workers.tracking.mlmodel import LOADER, mlflow_files
from workers.tracking.registry import tell


@pytest.fixture(autouse=True)
def _paths_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow puts the model's code on the path, for good."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, LOADER, raising=False)


def registered(folder: Path, kind: str) -> Path:
    small_bundle(folder, kind)
    for name, text in mlflow_files(folder / "bundle", run="a" * 32, at=1_700_000_000_000).items():
        (folder / "bundle" / name).parent.mkdir(exist_ok=True)
        (folder / "bundle" / name).write_text(text)
    return folder / "bundle"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("kind", "signature"),
    [
        ("image", "[Tensor('uint8', (-1, 1, 8, 6))]"),
        (
            "graphs",
            "['x': Tensor('uint8', (-1, 3)), 'edges': Tensor('int64', (2, -1)), 'graph': Tensor('int64', (-1,))]",
        ),
    ],
)
def test_pyfunc_gives_what_the_network_gives(tmp_path: Path, kind: str, signature: str) -> None:
    folder = registered(tmp_path, kind)
    model = pyfunc.load_model(str(folder))
    stored = load_file(folder / "example.safetensors")
    powers = np.exp(stored.pop("logits"))
    given = stored["x"] if kind == "image" else stored
    np.testing.assert_allclose(model.predict(given), powers / powers.sum(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(model.predict(model.input_example), model.predict(given), rtol=1e-6)
    assert str(model.metadata.signature.inputs) == signature
    assert str(model.metadata.signature.outputs) == "[Tensor('float32', (-1, 3))]"
    with pytest.raises(MlflowException):
        model.predict(np.zeros((1, 1, 9, 9), np.uint8))


@pytest.mark.heavy
def test_two_models_in_one_process_stay_apart(tmp_path: Path) -> None:
    first, second = (pyfunc.load_model(str(registered(tmp_path / kind, kind))) for kind in ("image", "graphs"))
    assert first.predict(first.input_example).shape == (2, 3)
    assert second.predict(second.input_example).shape == (2, 3)


def test_the_texts_are_the_same_every_time(tmp_path: Path) -> None:
    small_bundle(tmp_path, "image")
    texts = [mlflow_files(tmp_path / "bundle", run="a" * 32, at=1_700_000_000_000) for _ in range(2)]
    assert texts[0] == texts[1]


class FakeClient:
    """Keeps what is logged of one run."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.metrics: dict[str, float] = {}

    def set_tag(self, run: str, name: str, value: str) -> None:  # MLflow's signature
        self.tags[name] = value

    def log_batch(self, run: str, metrics: list[Metric]) -> None:
        self.metrics |= {metric.key: metric.value for metric in metrics}


def test_a_run_says_what_its_scores_are_and_has_errors_in_units(tmp_path: Path) -> None:
    report = {
        "score": "r2",
        "dataset": {"problem": "regression"},
        "measures": {"r2": -0.5, "mae": 12.5, "rmse": 20.0},
        "gains": {"over_random": {"words": "no gain over random"}},
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    client: Any = FakeClient()
    tell(client, tmp_path, run="a" * 32, at=0)
    assert client.metrics == {"final_r2": -0.5, "final_mae": 12.5, "final_rmse": 20.0}
    assert client.tags == {
        "archsmith.score": "r2",
        "archsmith.problem": "regression",
        "archsmith.gain_over_random": "no gain over random",
    }
