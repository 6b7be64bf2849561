"""The product: one folder and one zip that a stranger can use with torch alone (some graph layers: torch_geometric).

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
from workers.bundle_texts import DIVIDED, LOADER, NORMALISED, README, WORDS
from workers.conventions import GRAPH_TASKS, SCORES, are_marks


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """What the trainer did to the raw arrays: (x - mean) / std per channel or feature, or what it does to marks.

    dtype: of x, "uint8" or "float32". labels: what the columns of the output are called.
    """

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
    return with_loader(generate(architecture), architecture, preprocessing)


def with_loader(code: str, architecture: Architecture, preprocessing: Preprocessing) -> str:
    """The network's code with what makes it a product. Imports stay sorted, the standard library's first."""
    lines = code.rstrip().splitlines()
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    first, last = lines.index(imports[0]), lines.index(imports[-1])
    own = [line for line in imports if line == "import math"]
    others = [line for line in imports if line not in ("import math", "import torch")]
    lines[first : last + 1] = ["import json", *own, "", "import torch", *others]
    return "\n".join(lines) + "\n" + _loader(architecture, preprocessing)


def _loader(architecture: Architecture, preprocessing: Preprocessing) -> str:
    channels, *spatial = architecture.input_shape
    graph = architecture.data in GRAPH_TASKS
    marks = graph and are_marks(preprocessing.mean, preprocessing.std)
    constants = [f"LABELS = {list(preprocessing.labels)}"]
    if not marks:
        rounded = ([round(value, 6) for value in values] for values in (preprocessing.mean, preprocessing.std))
        constants = [f"{name} = {values}" for name, values in zip(("MEAN", "STD"), rounded, strict=True)] + constants
    predict = WORDS[architecture.data].predict.format(
        many=f"{architecture.data}s",
        shape="(B, " + ", ".join(str(n) for n in architecture.input_shape) + ")",
        features=channels,
        range=preprocessing.range,
        classes=architecture.classes,
    )
    return LOADER.format(
        constants="\n".join(constants),
        preparation="each row divided by its sum" if marks else "(x - mean) / std",
        prepare=DIVIDED if marks else NORMALISED.format(view=", ".join(["1", str(channels), *["1"] * len(spatial)])),
        predict=predict,
    )


def publish(
    folder: Path,
    *,
    architecture: Architecture,
    weights: bytes,
    preprocessing: Preprocessing,
    report: dict[str, Any],
) -> Published:
    """Write the bundle's folder and its zip below `folder`, each by rename: there is a whole one or none."""
    code = model_source(architecture, preprocessing)
    part = folder / "bundle.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    files: dict[str, bytes] = {
        "architecture.json": _json(architecture.to_json()),
        "architecture.svg": draw(architecture, title=report["job"]["name"]).encode(),
        "model.py": code.encode(),
        "weights.safetensors": weights,
        "report.json": _json(report),
        "README.md": _readme(architecture, preprocessing, report, code).encode(),
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


def _readme(architecture: Architecture, preprocessing: Preprocessing, report: dict[str, Any], code: str) -> str:
    costs = analyse(architecture)
    words = WORDS[architecture.data]
    fill = {
        "shape": "×".join(str(n) for n in architecture.input_shape),
        "dims": ", ".join(str(n) for n in architecture.input_shape),
        "dtype": ", dtype=torch.uint8" if preprocessing.dtype == "uint8" else "",
        "range": preprocessing.range,
    }
    others = {name: value for name, value in report["measures"].items() if name != report["score"]}
    return README.format(
        name=report["job"]["name"],
        found=words.found,
        params=costs.params,
        macs=costs.macs,
        sample=words.sample.format(**fill),
        score=SCORES[report["score"]],
        measures="".join(f"| test {SCORES[name]} | {value:.4f} |\n" for name, value in others.items()),
        epochs=report["finalists"][0]["epochs"],
        final=report["final_score"],
        search=report["search_score"],
        dataset=report["dataset"]["name"],
        classes=architecture.classes,
        trials=sum(report["trials"].values()),
        needs="torch and torch_geometric" if "torch_geometric" in code else "torch, nothing else",
        example=words.example.format(**fill),
    )
