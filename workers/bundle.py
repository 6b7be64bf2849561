"""The product: one folder and one zip that a stranger can use with torch alone (some graph layers: torch_geometric).

architecture.json  model.py  weights.safetensors  architecture.svg  report.json  README.md  SHA256SUMS
"""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.analysis import analyse
from space.architecture import Architecture
from space.codegen import generate
from space.picture import draw
from workers.bundle_texts import Preprocessing, loader, readme

__all__ = ["Preprocessing", "Published", "model_source", "publish", "with_loader"]


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
    return "\n".join(lines) + "\n" + loader(architecture, preprocessing)


def publish(
    folder: Path,
    *,
    architecture: Architecture,
    weights: bytes,
    preprocessing: Preprocessing,
    report: dict[str, Any],
    extra: Mapping[str, bytes] | None = None,
) -> Published:
    """Write the bundle's folder and its zip below `folder`, each by rename: there is a whole one or none.

    extra: more files, by their paths in the bundle.
    """
    code, costs = model_source(architecture, preprocessing), analyse(architecture)
    files: dict[str, bytes] = {
        "architecture.json": _json(architecture.to_json()),
        "architecture.svg": draw(architecture, title=report["job"]["name"]).encode(),
        "model.py": code.encode(),
        "weights.safetensors": weights,
        "report.json": _json(report),
        "README.md": readme(
            architecture, preprocessing, report, code=code, params=costs.params, macs=costs.macs
        ).encode(),
        **(extra or {}),
    }
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    files["SHA256SUMS"] = sums.encode()
    return write(folder, files)


def write(folder: Path, files: dict[str, bytes]) -> Published:
    """The folder and the zip of these files, each by rename."""
    part = folder / "bundle.part"
    shutil.rmtree(part, ignore_errors=True)
    for name, data in files.items():
        (part / name).parent.mkdir(parents=True, exist_ok=True)
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
