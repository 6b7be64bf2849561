"""What makes a bundle a model of MLflow: `MLmodel` with a signature, an input example, and the loader beside them."""

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from mlflow.version import VERSION

from workers import bundle
from workers.bundle.example import example
from workers.bundle.manifest import Array, Manifest

CODE = "code"
LOADER = "archsmith_pyfunc"
EXAMPLE, SERVED = "input_example.json", "serving_input_example.json"
OPEN_AXIS = {"x": 0, "edges": 1, "graph": 0, "pairs": 1}


def mlflow_files(folder: Path, *, run: str, at: int) -> dict[str, str]:
    """Name -> text of the files that MLflow needs beside those of the bundle in `folder`.

    run: id of the run that the bundle is an artifact of. at: milliseconds. The same input gives the same texts.
    """
    manifest = Manifest.from_json(*(json.loads((folder / name).read_text()) for name in ("bundle.json", "labels.json")))
    inputs = example(manifest)
    named: Any = {name: value.tolist() for name, value in inputs.items()}
    given = named if manifest.is_graph else named["x"]
    model = Model(
        artifact_path="bundle",
        run_id=run,
        utc_time_created=datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=None),
        model_uuid=run,
        signature=_signature(manifest, inputs),
        saved_input_example_info={"artifact_path": EXAMPLE, "serving_input_path": SERVED, "type": "ndarray"},
    )
    env = {"virtualenv": "python_env.yaml"}
    version = platform.python_version()
    model.add_flavor("python_function", loader_module=LOADER, code=CODE, env=env, python_version=version)
    requirements = (folder / "requirements.txt").read_text().splitlines()
    return {
        "MLmodel": model.to_yaml(),
        EXAMPLE: json.dumps(given),
        SERVED: json.dumps({"inputs": given}),
        "python_env.yaml": json.dumps({"python": version, "dependencies": [f"mlflow=={VERSION}", *requirements]}),
        f"{CODE}/{LOADER}.py": (Path(bundle.__file__).parent / "pyfunc.py").read_text(),
    }


def _signature(manifest: Manifest, inputs: Mapping[str, Array]) -> ModelSignature:
    """Tensors with one open axis; named where there are several."""
    specs: list[ColSpec | TensorSpec] = []
    for name, value in inputs.items():
        shape = [-1 if axis == OPEN_AXIS[name] else side for axis, side in enumerate(value.shape)]
        specs.append(TensorSpec(value.dtype, shape, name=name if manifest.is_graph else None))
    masks = manifest.problem == "segmentation"
    row = manifest.input_shape[1:] if masks else (manifest.classes,)
    given = TensorSpec(np.dtype(np.int64 if masks else np.float32), (-1, *row))
    return ModelSignature(inputs=Schema(specs), outputs=Schema([given]))
