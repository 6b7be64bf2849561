"""NumPy archives of images or volumes, and labels; `raw.as_samples` says which axes mean what.

Accepted names: `x` and `y`; `x_train`, `y_train` with `x_test`, `y_test` and, if there, `x_val`, `y_val`; the way of
MedMNIST, `train_images`, `train_labels`, `val_images`, …; optionally `class_names`, an array of texts.
"""

from pathlib import Path

from workers.datasets.arrays import CLASS_NAMES, Arrays, open_arrays
from workers.datasets.raw import (
    Array,
    Labels,
    RawDataset,
    as_labels,
    as_samples,
    check_lengths,
    common_dtype,
    fault,
    stack_parts,
)

IMAGES = {
    "train": ("x", "X", "images", "data", "x_train", "X_train", "train_x", "train_images"),
    "val": ("x_val", "X_val", "val_x", "val_images", "x_valid", "X_valid"),
    "test": ("x_test", "X_test", "test_x", "test_images"),
}
LABELS = {
    "train": ("y", "Y", "labels", "targets", "y_train", "Y_train", "train_y", "train_labels"),
    "val": ("y_val", "Y_val", "val_y", "val_labels", "y_valid", "Y_valid"),
    "test": ("y_test", "Y_test", "test_y", "test_labels"),
}


def read(source: Path, *, scratch: Path) -> RawDataset:
    """Raises InvalidDataset. Large arrays are unpacked into `scratch` and mapped, not held in memory."""
    with open_arrays(source, scratch=scratch) as arrays:
        pairs = _pairs(arrays)
        found = {part: _pair(arrays, *names) for part, names in pairs.items()}
        pieces, y, parts = stack_parts(found, file=source.name)
        names = arrays.class_names(int(y.max()) + 1)
        used = {name for pair in pairs.values() for name in pair} | {CLASS_NAMES}
        ignored = tuple(name for name in arrays.names if name not in used)
    dtype = common_dtype(pieces, file=source.name)
    return RawDataset(format="npz", pieces=pieces, dtype=dtype, y=y, class_names=names, parts=parts, ignored=ignored)


def _pairs(arrays: Arrays) -> dict[str, tuple[str, str]]:
    """The names of (samples, labels) per part."""
    pairs = {}
    for part, x_names in IMAGES.items():
        x, y = (arrays.one_of(names) for names in (x_names, LABELS[part]))
        if x and y:
            pairs[part] = (x, y)
        elif x or y or part == "train":
            wanted = LABELS[part] if x else x_names
            detail = f"{arrays.file} needs an array named one of {', '.join(wanted)}; it holds "
            detail += ", ".join(arrays.names[:20]) + (": a graph? (format graph)" if "edges" in arrays.names else "")
            raise fault("array_missing", detail, file=arrays.file, allowed=list(wanted))
    return pairs


def _pair(arrays: Arrays, x_name: str, y_name: str) -> tuple[Array, Labels]:
    x = as_samples(arrays.read(x_name), file=x_name)
    y = as_labels(arrays.read(y_name), file=y_name)
    check_lengths(x, y, file=y_name, against=x_name)
    return x, y
