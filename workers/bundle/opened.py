"""Opens a bundle of unknown origin: an untrusted archive, checked against its own sums, none of its code run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsmith.errors import Fault, InvalidBundle, InvalidDataset, pointer
from workers.bundle.manifest import Manifest
from workers.bundle.publish import SUMS
from workers.datasets.archive import open_archive


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """files: all of them by name, including SHA256SUMS. They match their sums; their content is not checked."""

    files: Mapping[str, bytes]
    manifest: Manifest

    def unpack(self, folder: Path) -> None:
        """Write the files below `folder`; the names were checked to stay there."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def open_bundle(path: Path) -> Opened:
    """Raises InvalidBundle with every file that differs from SHA256SUMS, or with what else makes it no bundle."""
    try:
        with open_archive(path) as archive:
            files = {member.filename: archive.read(member) for member in archive.members}
    except InvalidDataset as error:  # the rules for archives are the same, but this is no data set
        raise InvalidBundle(error.faults) from error
    faults = _wrong_sums(files)
    if faults:
        raise InvalidBundle(faults)
    manifest = Manifest.from_json(document(files, "bundle.json"), document(files, "labels.json"))
    return Opened(files=files, manifest=manifest)


def document(files: Mapping[str, bytes], name: str) -> Any:
    """A JSON file of the bundle. Raises InvalidBundle when there is none, or it is not JSON."""
    if name not in files:
        raise InvalidBundle(_fault(name, "file_missing", f"the bundle has no {name}"))
    try:
        return json.loads(files[name])
    except (ValueError, RecursionError) as error:
        raise InvalidBundle(_fault(name, "not_json", f"{name} is not JSON: {error}")) from error


def _wrong_sums(files: Mapping[str, bytes]) -> list[Fault]:
    if SUMS not in files:
        return [_fault(SUMS, "file_missing", f"the archive has no {SUMS}, so it is no bundle")]
    lines = files[SUMS].decode(errors="replace").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    faults = []
    for name in sorted(sums.keys() | files.keys() - {SUMS}):
        if name not in files:
            faults.append(_fault(name, "file_missing", f"{SUMS} names {name}, the archive has no such file"))
        elif name not in sums:
            faults.append(_fault(name, "file_unknown", f"{name} has no line in {SUMS}"))
        elif (digest := hashlib.sha256(files[name]).hexdigest()) != sums[name]:
            detail = f"{name} has the SHA-256 {digest[:16]}…, its line in {SUMS} says {sums[name][:16]}…"
            faults.append(_fault(name, "digest_differs", detail))
    return faults


def _fault(name: str, rule: str, detail: str) -> Fault:
    return Fault(pointer=pointer(name), rule=rule, detail=detail)
