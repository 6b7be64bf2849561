"""The binary version of STL-10 (Coates, Ng, Lee 2011), a folder, the files, or stl10_binary.tar.gz as published.

    train_X.bin, train_y.bin, test_X.bin, test_y.bin, class_names.txt

A picture is 96 x 96, its red, green and blue planes one after the other, each column by column. Labels are 1 to 10. The
pictures without labels, unlabeled_X.bin, and the folds of the training part are left out, which is said.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from workers.datasets.files import find, text_of
from workers.datasets.labels import Classes, as_classes
from workers.datasets.raw import Array, RawDataset, check_lengths, common_dtype, fault, stack_parts

FILES = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "class_names.txt")
PIXELS = 3 * 96 * 96
CLASSES = 10


def read(sources: Sequence[Path], *, scratch: Path) -> RawDataset:
    """Raises InvalidDataset."""
    found, ignored = find(sources, lambda name: name in FILES, scratch=scratch)
    for name in FILES[:2]:
        if name not in found:
            there = ", ".join([*found, *ignored][:10]) or "nothing"
            detail = f"there is no {name}, only {there}; wanted are {', '.join(FILES)}"
            raise fault("file_missing", detail, file=name, allowed=list(FILES))
    x, y = {"train": _pictures(found, "train")}, {"train": _labels(found, "train")}
    if {"test_X.bin", "test_y.bin"} & found.keys():
        x["test"], y["test"] = _pictures(found, "test"), _labels(found, "test")
    names = _names(found)
    if names is None or len(names) != CLASSES:  # without the list, classes are the numbers that occur
        classes = as_classes(y, files={part: f"{part}_y.bin" for part in y})
    else:
        classes = Classes(y={part: labels.astype(np.int64) - 1 for part, labels in y.items()}, names=names)
    for part, pictures in x.items():
        check_lengths(pictures, classes.y[part], file=f"{part}_y.bin", against=f"{part}_X.bin")
    stacked, labels, parts = stack_parts({part: (x[part], classes.y[part]) for part in x}, file="train_X.bin")
    odd = [name for name in ignored if name.endswith(("unlabeled_X.bin", "fold_indices.txt"))]
    return RawDataset(
        format="stl10",
        pieces=stacked,
        dtype=common_dtype(stacked, file="train_X.bin"),
        y=labels,
        class_names=classes.names,
        parts=parts,
        warnings=tuple(f"{name} is left out" for name in odd),
        ignored=ignored,
    )


def _pictures(found: Mapping[str, Path], part: str) -> Array:
    return _bytes(found, f"{part}_X.bin", PIXELS).reshape(-1, 3, 96, 96).swapaxes(2, 3)


def _labels(found: Mapping[str, Path], part: str) -> Array:
    name = f"{part}_y.bin"
    y = _bytes(found, name, 1)
    wrong = (y < 1) | (y > 10)
    if wrong.any():
        first = int(wrong.argmax())
        detail = f"label {y[first]} at index {first} of {name}: STL-10 has 1 to 10"
        raise fault("labels_invalid", detail, file=name, allowed=[1, 10])
    return y


def _bytes(found: Mapping[str, Path], name: str, width: int) -> Array:
    if name not in found:
        raise fault("file_missing", f"there is no {name} beside the other files of its part", file=name)
    size = found[name].stat().st_size
    if not size or size % width:
        detail = f"{name} has {size} bytes, which is no whole number of records of {width}"
        raise fault("array_truncated", detail, file=name, allowed=width)
    return np.memmap(found[name], dtype=np.uint8, mode="r")


def _names(found: Mapping[str, Path]) -> tuple[str, ...] | None:
    if "class_names.txt" not in found:
        return None
    with text_of(found["class_names.txt"], file="class_names.txt") as stream:
        return tuple(line[:100] for line in stream.read(100_000).split())
