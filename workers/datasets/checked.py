"""The check of a data set, on what a reader found and what the store made of it."""

from dataclasses import replace

import numpy as np

from workers.datasets.check import Hashes, Material, check, names_of_rows, split_counts
from workers.datasets.check_answers import Seen
from workers.datasets.graphs import RawGraphs
from workers.datasets.info import DatasetInfo
from workers.datasets.raw import Array, RawDataset
from workers.datasets.splits import Splits

ONE_CLASS = ("classification", "ordinal")
"""Problems whose answer is one class: what is checked of classes is checked of these."""
NO_CLASSES = np.empty(0, dtype=np.int64)


def samples(info: DatasetInfo, raw: RawDataset, splits: Splits, *, items: Hashes, x: Array) -> DatasetInfo:
    """info with the check of pictures or volumes. x: (N, …) as stored; items: a hash of each; splits: of seed 0."""
    noun = "picture" if raw.kind == "image" else raw.kind
    material = Material(
        x=x, y=raw.y, splits=splits, items=items, given="test" in raw.parts,
        named=names_of_rows(raw.parts, raw.names, noun=noun),
    )  # fmt: skip
    return _with(info, material)


def graphs(info: DatasetInfo, raw: RawGraphs, splits: Splits, *, items: Hashes | None) -> DatasetInfo:
    """The same for graphs. items: fingerprints of many graphs, None for one graph. splits: first task, seed 0."""
    labelled = raw.y is not None and info.tasks[0] != "links"
    y = raw.y if raw.y is not None and labelled else NO_CLASSES
    noun = "node" if raw.graph is None else "graph"
    given = raw.part is not None and info.tasks[0] == "nodes"
    names = raw.names if raw.graph is None else ()
    material = Material(
        x=raw.x, y=y, splits=splits, items=items, given=given, named=names_of_rows({}, names, noun=noun)
    )
    return _with(info, material)


def _with(info: DatasetInfo, material: Material) -> DatasetInfo:
    counts = split_counts(material.y, material.splits, classes=info.classes, problem=info.problem)
    if info.problem not in ONE_CLASS and len(material.y):
        seen = Seen(
            problem=info.problem, y=material.y, names=info.class_names, splits=material.splits, named=material.named,
            given=material.given,
        )  # fmt: skip
        material = replace(material, y=NO_CLASSES, seen=seen)
    return replace(info, check=check(info, material), split_counts=counts)
