"""Archives that hold pictures for another task than classification: object detection, by the files beside them."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from workers.datasets.picture_files import Entry, Files

_BOXES = re.compile(rb"\s*\d+(?:[ \t]+-?[\d.eE+-]+){4,}\s*")
_LOOKED_AT = 8
_HEAD = 1024**2


def detection(files: Files, others: Sequence[Entry], pictures: Sequence[Entry]) -> str:
    """What shows that the labels are boxes, in words; "" where nothing does. others: files that are no pictures."""
    stems = {_stem(entry) for entry in pictures}
    beside = [entry for entry in others if entry.suffix in (".txt", ".xml") and _stem(entry) in stems]
    for entry in beside[:_LOOKED_AT]:
        head = files.head(entry, 4096)
        if entry.suffix == ".txt" and _BOXES.fullmatch(head.partition(b"\n")[0]):
            return f"{entry.name} holds boxes in YOLO's form (class x y width height)"
        if entry.suffix == ".xml" and (b"<bndbox" in head or b"<annotation" in head):
            return f"{entry.name} holds boxes in Pascal VOC's form"
    for entry in others:
        name = entry.parts[-1].lower()
        if name in ("data.yaml", "data.yml", "dataset.yaml", "obj.data", "obj.names"):
            return f"{entry.name} describes a detection data set in YOLO's form"
        if entry.suffix == ".json":
            head = files.head(entry, _HEAD)
            if b'"bbox"' in head or (b'"annotations"' in head and b'"images"' in head):
                return f"{entry.name} holds annotations in COCO's form"
    return ""


def _stem(entry: Entry) -> str:
    return PurePosixPath(entry.parts[-1]).stem
