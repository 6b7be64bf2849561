"""The files of a bundle, and how they are written: by rename, so that there is a whole bundle or none.

architecture.json  architecture.svg  bundle.json  example.safetensors  labels.json  model.onnx  model.pt2  model.py
model_card.md  report.json  requirements.txt  weights.safetensors  SHA256SUMS, and what the caller adds
"""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from space.architecture import Architecture
from space.picture.drawing import draw
from workers.atomic import write_whole
from workers.bundle.card import card, requirements
from workers.bundle.code import model_source
from workers.bundle.exports import Exports
from workers.bundle.manifest import Manifest, Preprocessing, Provisional

SUMS = "SHA256SUMS"


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """The written zip. sha256: of its bytes, hex. bytes: their number."""

    path: Path
    sha256: str
    bytes: int


def publish(
    folder: Path,
    *,
    architecture: Architecture,
    weights: bytes,
    preprocessing: Preprocessing,
    report: dict[str, Any],
    exports: Exports,
    more: Mapping[str, bytes] | None = None,
) -> Published:
    """Write the bundle's folder and its zip below `folder`, each by rename.

    exports: of the same architecture and weights. more: further files by name, also in folders such as "compressed/".
    Raises ValueError where one has the name of a file that the bundle has anyway.
    """
    files = contents(
        architecture=architecture,
        weights=weights,
        preprocessing=preprocessing,
        report=report,
        left_out=exports.left_out,
        more={"report.json": _json(report), **exports.files},
        beside=more or {},
    )
    return write(folder, files)


def write(folder: Path, files: Mapping[str, bytes]) -> Published:
    """Writes the folder and the zip of these files and their sums, each by rename."""
    files = summed(files)
    part = folder / "bundle.part"
    shutil.rmtree(part, ignore_errors=True)
    for name, data in files.items():
        path = part / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    archive = zipped(folder, files, name="bundle.zip")
    shutil.rmtree(folder / "bundle", ignore_errors=True)
    part.replace(folder / "bundle")
    return archive


def summed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files, and their sums as one more."""
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return {**files, SUMS: "".join(lines).encode()}


def contents(
    *,
    architecture: Architecture,
    weights: bytes,
    preprocessing: Preprocessing,
    report: dict[str, Any],
    left_out: Mapping[str, str],
    more: Mapping[str, bytes] | None = None,
    beside: Mapping[str, bytes] | None = None,
    provisional: Provisional | None = None,
) -> dict[str, bytes]:
    """Name -> bytes of all files but the sums. The same input gives the same bytes.

    report: what the card tells. left_out: name of a file that could not be made -> why. more: files that not every
    bundle has. beside: further ones of the caller. Raises ValueError where one of those has a name that is taken.
    """
    code = model_source(architecture, preprocessing)
    manifest = Manifest.of(architecture, preprocessing, left_out, provisional)
    more, beside = more or {}, beside or {}
    files = {
        "architecture.json": _json(architecture.to_json()),
        "architecture.svg": draw(architecture, title=report["job"]["name"]).encode(),
        "bundle.json": _json(manifest.to_json()),
        "labels.json": _json(list(preprocessing.labels)),
        "model.py": code.encode(),
        "model_card.md": card(architecture, manifest, report, code=code, files=(*more, *beside)).encode(),
        "requirements.txt": requirements(code).encode(),
        "weights.safetensors": weights,
        **more,
    }
    taken = sorted(files.keys() & beside.keys())
    if taken:
        raise ValueError(f"a bundle has these files already, so `more` must not; given again: {', '.join(taken)}")
    return {**files, **beside}


def with_card(files: Mapping[str, bytes], report: dict[str, Any]) -> dict[str, bytes]:
    """The files of a bundle with a new card that lists all of them. Raises InvalidBundle."""
    architecture = Architecture.from_json(json.loads(files["architecture.json"]))
    manifest = Manifest.from_json(json.loads(files["bundle.json"]), json.loads(files["labels.json"]))
    text = card(architecture, manifest, report, code=files["model.py"].decode(), files=files)
    return {**files, "model_card.md": text.encode()}


def zipped(folder: Path, files: Mapping[str, bytes], *, name: str) -> Published:
    """The zip of these files, written by rename. name: may contain `{sha256}`, of the zip's bytes.

    The same files give the same bytes: names sorted, times fixed at the zip format's first day.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in sorted(files.items()):
            entry = zipfile.ZipInfo(member, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    data = stream.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    path = folder / name.format(sha256=sha256)
    write_whole(path, data)
    return Published(path=path, sha256=sha256, bytes=len(data))


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
