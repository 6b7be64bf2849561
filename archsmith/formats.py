"""Which format the files of a data set have, by their names and by what their archives hold."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

FORMATS = ("idx", "npz", "images", "graph", "tu")
_ENDINGS = {
    ".npz": "npz",
    ".zip": "images",
    "ubyte": "idx",
    "ubyte.gz": "idx",
    "nodes.csv": "graph",
    "edges.csv": "graph",
}
_MEMBERS = {"edges.npy": "graph", "edges.csv": "graph", "_graph_indicator.txt": "tu"}


def guess(files: Sequence[Path]) -> str | None:
    """One of FORMATS, None when the files do not tell. Archives that are not here are judged by their names alone."""
    found = {kind for file in files for ending, kind in _ENDINGS.items() if file.name.endswith(ending)}
    if len(files) == 1 and found & {"npz", "images"} and (inside := _looked_into(files[0])):
        return inside
    return found.pop() if len(found) == 1 else None


def _looked_into(file: Path) -> str | None:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):  # the service says what is wrong with it
        return None
    return next((kind for end, kind in _MEMBERS.items() if any(name.endswith(end) for name in names)), None)
