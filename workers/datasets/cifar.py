"""The binary versions of CIFAR-10 and CIFAR-100 (Krizhevsky 2009), a folder, the files, or the .tar.gz as published.

    data_batch_1.bin … data_batch_5.bin, test_batch.bin, batches.meta.txt           CIFAR-10, 1 + 3072 bytes a picture
    train.bin, test.bin, fine_label_names.txt, coarse_label_names.txt               CIFAR-100, 2 + 3072 bytes a picture

A picture is 32 x 32, its red, green and blue planes one after the other. Of CIFAR-100's two labels the fine one is the
class. The python versions hold pickles and are refused.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from workers.datasets.files import find, text_of
from workers.datasets.labels import Classes, as_classes
from workers.datasets.raw import Array, RawDataset, common_dtype, fault, stack_parts
from workers.datasets.refused import CIFAR, PICKLE

PIXELS = 3 * 32 * 32
TEN = re.compile(r"(data_batch_\d+|test_batch)\.bin")
HUNDRED = ("train.bin", "test.bin")
NAMES = ("batches.meta.txt", "fine_label_names.txt")
WANTED = "data_batch_1.bin … and test_batch.bin, or train.bin and test.bin"


def read(sources: Sequence[Path], *, scratch: Path) -> RawDataset:
    """Raises InvalidDataset."""
    found, ignored = find(sources, _wanted, scratch=scratch)
    records = {name: path for name, path in found.items() if name.endswith(".bin")}
    if not records:
        _check_python(ignored)
        there = ", ".join([*found, *ignored][:10]) or "nothing"
        raise fault("file_missing", f"no file of CIFAR's binary version is there: {WANTED}; there is {there}")
    ten = all(TEN.fullmatch(name) for name in records)
    if not ten and any(TEN.fullmatch(name) for name in records):
        raise fault(
            "file_duplicate", f"files of CIFAR-10 and CIFAR-100 lie together: {', '.join(records)}; give one set"
        )
    x, y = _parts(records, labels=1 if ten else 2)
    if "train" not in x:
        raise fault("images_missing", f"there are no training pictures, only {', '.join(records)}; wanted are {WANTED}")
    names = _names(found)
    if names is None or len(names) != (10 if ten else 100):  # without the list, classes are the numbers that occur
        classes = as_classes(y, files={part: f"the {part} part" for part in y})
    else:
        classes = Classes(y={part: labels.astype(np.int64) for part, labels in y.items()}, names=names)
    pieces = {part: np.concatenate([array.reshape(-1, 3, 32, 32) for array in arrays]) for part, arrays in x.items()}
    stacked, labels, parts = stack_parts({part: (pieces[part], classes.y[part]) for part in pieces}, file="train")
    return RawDataset(
        format="cifar",
        pieces=stacked,
        dtype=common_dtype(stacked, file="the pictures"),
        y=labels,
        class_names=classes.names,
        parts=parts,
        warnings=() if ten else ("the classes are CIFAR-100's fine labels; the coarse ones are left out",),
        ignored=ignored,
    )


def _wanted(name: str) -> bool:
    return bool(TEN.fullmatch(name)) or name in HUNDRED or name in NAMES


def _check_python(ignored: Sequence[str]) -> None:
    if any(name.rsplit("/", 1)[-1] in (*CIFAR, "train", "meta") for name in ignored):
        name = next(name for name in ignored if name.rsplit("/", 1)[-1] in (*CIFAR, "train", "meta"))
        raise fault("format_refused", f"{name} {PICKLE}; better, take CIFAR's binary version, cifar-10-binary.tar.gz")


def _parts(records: Mapping[str, Path], *, labels: int) -> tuple[dict[str, list[Array]], dict[str, Array]]:
    """Views of the pictures, and the last label of each, of train and test."""
    x: dict[str, list[Array]] = {}
    y: dict[str, list[Array]] = {}
    for name in sorted(records):
        width, size = labels + PIXELS, records[name].stat().st_size
        if not size or size % width:
            detail = f"{name} has {size} bytes, which is no number of whole records of {width}: a label and 3072 values"
            raise fault("array_truncated", detail, file=name, allowed=width)
        table = np.memmap(records[name], dtype=np.uint8, mode="r").reshape(-1, width)
        part = "test" if name.startswith("test") else "train"
        known = 10 if labels == 1 else 100
        if table[:, labels - 1].max() >= known or (labels == 2 and table[:, 0].max() >= 20):
            wrong = int((table[:, labels - 1] >= known).argmax())
            detail = f"{name} is damaged or of another set: record {wrong} has the label {table[wrong, labels - 1]},"
            raise fault("labels_invalid", f"{detail} known are 0 to {known - 1}", file=name, allowed=[0, known - 1])
        x.setdefault(part, []).append(table[:, labels:])
        y.setdefault(part, []).append(table[:, labels - 1])
    return x, {part: np.concatenate(pieces) for part, pieces in y.items()}


def _names(found: Mapping[str, Path]) -> tuple[str, ...] | None:
    for name in NAMES:
        if name in found:
            with text_of(found[name], file=name) as stream:
                lines = stream.read(100_000).split()
            return tuple(line[:100] for line in lines)
    return None
