"""The product: one folder and one zip that a stranger can use with torch alone.

architecture.json  model.py  weights.safetensors  architecture.svg  report.json  README.md  SHA256SUMS
"""

import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.analysis import analyse
from space.architecture import Architecture
from space.codegen import generate
from space.picture import draw

LOADER = '''

MEAN = {mean}
STD = {std}
LABELS = {labels}


def load_weights(model: nn.Module, path: str) -> nn.Module:
    """Read a safetensors file: eight bytes of header length, a JSON header, then the numbers."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = bytearray(file.read())
    dtypes = {{"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}}
    header.pop("__metadata__", None)
    state = {{}}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        flat = torch.frombuffer(body, dtype=torch.uint8)[start:end].clone()
        state[name] = flat.view(dtypes[entry["dtype"]]).reshape(entry["shape"])
    model.load_state_dict(state)
    return model.eval()


def load(path: str = "weights.safetensors") -> nn.Module:
    """The trained model, ready to predict."""
    return load_weights(build(), path)


def predict(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """{shape} images, {range} -> class probabilities (B, {classes}); LABELS names the columns."""
    mean = torch.tensor(MEAN).view({view})
    std = torch.tensor(STD).view({view})
    with torch.inference_mode():
        return model((images.float() - mean) / std).softmax(dim=1)
'''

README = """# {name}

An image classifier found by archsmith: {params:,} parameters, {macs:,} multiply-accumulates for one {shape} input.

| | |
| --- | --- |
| test accuracy (`final_score`, full training, {epochs} epochs, measured once) | {final:.4f} |
| validation accuracy in the search (`search_score`, short training) | {search:.4f} |
| data set | {dataset} ({classes} classes) |
| trials | {trials} |

The two scores come from different trainings on different splits and must not be compared as one number.
The model was chosen by its search score, without looking at the test split.

## Use

It needs torch, nothing else. In this folder:

```python
import torch
import model

net = model.load("weights.safetensors")
images = torch.zeros(1, {dims}{dtype})   # {range}
print(model.predict(net, images))
```

| file | what |
| --- | --- |
| `model.py` | the architecture as code, with `build`, `load`, `predict` |
| `weights.safetensors` | its trained weights |
| `architecture.json`, `architecture.svg` | the graph, for machines and for people |
| `report.json` | how it was found, what else was tried, what it cost |
| `SHA256SUMS` | `sha256sum -c SHA256SUMS` checks that all is whole |
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """What the trainer did to the raw arrays, per channel: (x - mean) / std. dtype: of x, "uint8" or "float32"."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: str
    labels: tuple[str, ...]

    @property
    def range(self) -> str:
        return f"{self.dtype} values as in the data set"


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """The zip as it lies on disk. sha256 of its bytes, hex."""

    path: Path
    sha256: str
    bytes: int


def model_source(architecture: Architecture, preprocessing: Preprocessing) -> str:
    """`model.py`: the generated network, its loader and the preprocessing of its data set."""
    channels, *spatial = architecture.input_shape
    tail = LOADER.format(
        mean=[round(v, 6) for v in preprocessing.mean],
        std=[round(v, 6) for v in preprocessing.std],
        labels=list(preprocessing.labels),
        shape="(B, " + ", ".join(str(n) for n in architecture.input_shape) + ")",
        range=preprocessing.range,
        classes=architecture.classes,
        view=", ".join(["1", str(channels), *["1"] * len(spatial)]),
    )
    lines = generate(architecture).rstrip().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(("import ", "from ")))
    lines = [
        line for line in lines if line != "import torch"
    ]  # written where concatenation needs it; the loader always does
    lines[first:first] = ["import json", "", "import torch"]
    return "\n".join(lines) + "\n" + tail


def publish(
    folder: Path,
    *,
    architecture: Architecture,
    weights: bytes,
    preprocessing: Preprocessing,
    report: dict[str, Any],
) -> Published:
    """Write the bundle's folder and its zip below `folder`, each by rename: there is a whole one or none."""
    part = folder / "bundle.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    files: dict[str, bytes] = {
        "architecture.json": _json(architecture.to_json()),
        "architecture.svg": draw(architecture, title=report["job"]["name"]).encode(),
        "model.py": model_source(architecture, preprocessing).encode(),
        "weights.safetensors": weights,
        "report.json": _json(report),
        "README.md": _readme(architecture, preprocessing, report).encode(),
    }
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    files["SHA256SUMS"] = sums.encode()
    for name, data in files.items():
        (part / name).write_bytes(data)
    archive = _zip(folder / "bundle.zip", files)
    shutil.rmtree(folder / "bundle", ignore_errors=True)
    part.replace(folder / "bundle")
    return archive


def _zip(path: Path, files: dict[str, bytes]) -> Published:
    """Same files, same bytes: names sorted, times fixed at the zip format's first day."""
    part = path.with_suffix(".zip.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    data = part.read_bytes()
    part.replace(path)
    return Published(path=path, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()


def _readme(architecture: Architecture, preprocessing: Preprocessing, report: dict[str, Any]) -> str:
    costs = analyse(architecture)
    best = report["finalists"][0]
    return README.format(
        name=report["job"]["name"],
        params=costs.params,
        macs=costs.macs,
        shape="×".join(str(n) for n in architecture.input_shape),
        dims=", ".join(str(n) for n in architecture.input_shape),
        dtype=", dtype=torch.uint8" if preprocessing.dtype == "uint8" else "",
        range=preprocessing.range,
        epochs=best["epochs"],
        final=report["final_score"],
        search=report["search_score"],
        dataset=report["dataset"]["name"],
        classes=architecture.classes,
        trials=sum(report["trials"].values()),
    )
