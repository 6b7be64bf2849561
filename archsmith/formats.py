"""The formats of data sets, and which of them some files have, by their names and the members of their archives."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

FORMATS = (
    *("idx", "npz", "images", "graph", "tu"),
    *("npy", "hdf5", "mat", "cifar", "stl10", "table", "parquet", "nifti"),
)
"""The one list: the HTTP interface takes these names, and workers/datasets/ingest.py has a reader for each."""
PROBLEMS = ("classification", "ordinal", "multilabel", "regression", "segmentation")
"""What an answer may be, as the HTTP interface takes it: workers/conventions.py says what each is."""
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
    ".npy": "npy",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".hdf": "hdf5",
    ".mat": "mat",
    ".bin": "cifar",
    "batches.meta.txt": "cifar",
    "_label_names.txt": "cifar",
    "train_X.bin": "stl10",
    "train_y.bin": "stl10",
    "test_X.bin": "stl10",
    "test_y.bin": "stl10",
    "class_names.txt": "stl10",
    "cifar-10-binary.tar.gz": "cifar",
    "cifar-100-binary.tar.gz": "cifar",
    "stl10_binary.tar.gz": "stl10",
    ".csv": "table",
    ".parquet": "parquet",
    ".nii": "nifti",
    ".nii.gz": "nifti",
}
"""The longest one that fits counts. Case is that of the names as published."""
_MEMBERS = {
    "edges.npy": "graph",
    "edge_index.npy": "graph",
    "edges.csv": "graph",
    "_graph_indicator.txt": "tu",
    "_graph_labels.txt": "tu",
    "_A.txt": "tu",
    ".nii": "nifti",
    ".nii.gz": "nifti",
    "ubyte": "idx",
    "ubyte.gz": "idx",
    "data_batch_1.bin": "cifar",
    "train_X.bin": "stl10",
}
_GRAPH = ("edges.npy", "edge_index.npy")
_PICTURES = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""A folder with such files is read as pictures, whatever lies beside them."""
NEVER = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dcm", ".dicom")
"""Pickles, files of torch.save, DICOM: the service says of each what to do instead, so any format will do."""


def guess(files: Sequence[Path]) -> str | None:
    """One of FORMATS, or None if the files leave it open. Archives that are not on this machine go by their names."""
    if any(file.suffix.lower() in NEVER for file in files):
        return "npz"
    if len(files) == 1 and files[0].is_dir():
        members = [path for path in sorted(files[0].rglob("*"))[:10_000] if path.is_file()]
        pictures = any(path.suffix.lower() in _PICTURES for path in members)
        return "images" if pictures else _by_names([path.name for path in members]) or guess(members) or "images"
    if files and all(file.is_dir() for file in files):
        return "images"
    found = {kind for file in files if (kind := _by_name(file.name))}
    if len(files) == 1 and found & {"npz", "images"} and (inside := _by_members(files[0])):
        return inside
    if "nifti" in found:  # with its labels.csv
        return "nifti"
    return found.pop() if len(found) == 1 else None


def _by_name(name: str) -> str | None:
    fitting = [ending for ending in _ENDINGS if name.endswith(ending)]
    return _ENDINGS[max(fitting, key=len)] if fitting else None


def _by_members(file: Path) -> str | None:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return None  # damaged or not an archive: the service will say so
    names = [name for name in names if not name.endswith("/") and not name.startswith("__MACOSX")]
    return _by_names(names)


def _by_names(names: Sequence[str]) -> str | None:
    """Of the files in an archive or a folder."""
    if names and all(name.endswith(".npy") for name in names) and not any(name.endswith(_GRAPH) for name in names):
        return "npz"
    return next((kind for end, kind in _MEMBERS.items() if any(name.endswith(end) for name in names)), None)
