"""How MLflow loads a bundle: this file is stored beside it in the registry and imports nothing of archsmith.

`mlflow.pyfunc.load_model` calls `_load_pyfunc` with the bundle's folder. The model takes what `predict` of `model.py`
takes, as NumPy arrays: x as in the data set, or for graphs a dictionary of x, edges, and graph or pairs. It returns
what `predict` does: the probabilities of classes or labels, or values in the units of the targets, (rows, columns). The
network is built by the bundle's `model.py`.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

import torch

INDICES = ("edges", "graph", "pairs")


class Predictor:
    """labels: names of the columns."""

    def __init__(self, folder: Path) -> None:
        # Under a name of its own: a process may load several bundles, and each has a module called model.
        spec = importlib.util.spec_from_file_location(f"archsmith_bundle_{abs(hash(folder))}", folder / "model.py")
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder} holds no model.py")
        self._code = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._code)
        self._network = self._code.load(str(folder / "weights.safetensors"))
        # In bundles of earlier versions `predict` alone says what the outputs mean, and all of them are of classes.
        self._answers = getattr(self._code, "answers", lambda outputs: outputs.softmax(dim=1))
        self.labels: list[str] = json.loads((folder / "labels.json").read_text())

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - MLflow's signature
        """(rows, columns) float32."""
        given = model_input if isinstance(model_input, dict) else {"x": model_input}
        x, *indices = (torch.as_tensor(given[name]) for name in ("x", *INDICES) if name in given)
        with torch.inference_mode():
            return self._answers(self._network(self._code.prepared(x), *indices)).numpy()


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(Path(path))
