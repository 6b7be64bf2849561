"""What is stored of a data set besides its arrays."""

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetInfo:
    """The description of a data set, without its samples.

    kind: one of KINDS. tasks: what may be asked about it, of TASKS; a job without a task of its own gets the first.
    input_shape: (C, H, W) of pictures, (C, D, H, W) of volumes, (C, T) of series, (F,) of each node of graphs.
    classes, class_names, counts (answers per class), and train, val, test (sizes of search_train, search_val and test)
    are of the first task. dtype: of x, "uint8" or "float32". sha256: of the content (shape, type, samples, labels,
    source's split), not of the files.
    parts: the source's own split of pictures and volumes, [start, stop) rows; {} for graphs, whose report names it.
    report: warnings, ignored and corrupt files, duplicates.
    check: what `workers.datasets.check` found, None for a data set that was stored before there was one.
    split_counts: answers per class in train, val and test, of the first task under seed 0; None as for check, for
    links, and where an answer is no single class.
    problem: one of `workers.conventions.PROBLEMS`, of the first task. classes, class_names, counts are then: ordinal,
    as for classes, in their order; multilabel, labels and the samples that have each; regression, targets and the
    answers to each; segmentation, classes of a pixel and the pixels of each.
    """

    name: str
    format: str
    input_shape: tuple[int, ...]
    classes: int
    class_names: tuple[str, ...]
    counts: tuple[int, ...]
    train: int
    val: int
    test: int
    dtype: str
    sha256: str
    bytes: int
    parts: dict[str, tuple[int, int]]
    report: dict[str, Any]
    kind: str = "image"
    tasks: tuple[str, ...] = ("image",)
    check: dict[str, Any] | None = None
    split_counts: dict[str, list[int]] | None = None
    problem: str = "classification"

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "DatasetInfo":
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
        values["parts"] = {k: (v[0], v[1]) for k, v in document["parts"].items()}
        return cls(**values)
