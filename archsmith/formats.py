"""The formats of data sets, and which of them some files have, by their names and the members of their archives."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

FORMATS = ("idx", "npz", "images", "graph", "tu")
"""The one list: the HTTP interface takes these names, and workers/datasets/ingest.py has a reader for each."""
_ENDINGS = {
    ".npz": "npz",
    ".zip": "images",
    ".tar": "images",
    ".tar.gz": "images",
    ".tgz": "images",
    ".tar.bz2": "images",
    ".tar.xz": "images",
    "ubyte": "idx",
    "ubyte.gz": "idx",
    "nodes.csv": "graph",
    "edges.csv": "graph",
}
_MEMBERS = {"edges.npy": "graph", "edges.csv": "graph", "_graph_indicator.txt": "tu"}
_FOLDERS = {"ubyte": "idx", "ubyte.gz": "idx", **_MEMBERS}
"""What the files of a folder say; any other folder holds pictures."""


def guess(files: Sequence[Path]) -> str | None:
    """One of FORMATS, or None if the files leave it open. Archives that are not on this machine go by their names."""
    if len(files) == 1 and files[0].is_dir():
        names = [path.name for path in sorted(files[0].iterdir()) if path.is_file()]
        return next((kind for name in names for end, kind in _FOLDERS.items() if name.endswith(end)), "images")
    if files and all(file.is_dir() for file in files):
        return "images"
    found = {kind for file in files for ending, kind in _ENDINGS.items() if file.name.endswith(ending)}
    if len(files) == 1 and found & {"npz", "images"} and (inside := _by_members(files[0])):
        return inside
    return found.pop() if len(found) == 1 else None


def _by_members(file: Path) -> str | None:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (
        OSError,
        ValueError,
        NotImplementedError,
        zipfile.BadZipFile,
    ):  # damaged or not an archive: the service will say so
        return None
    return next((kind for end, kind in _MEMBERS.items() if any(name.endswith(end) for name in names)), None)
