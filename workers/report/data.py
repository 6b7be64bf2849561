"""The section "data" of the report: what the check of the data set found, and the classes or labels in this job's
splits."""

from typing import Any

from workers.datasets import Dataset
from workers.datasets.answers import counts
from workers.datasets.check import PARTS, SPLITS, other_warnings

COUNTED = ("classification", "ordinal", "multilabel")
"""Problems of which the samples of each class or label are counted in each split."""


def data_section(dataset: Dataset) -> dict[str, Any]:
    """findings: null for a data set from before there was a check. warnings: of the import, which no finding covers."""
    info = dataset.info
    findings = None if info.check is None else info.check["findings"]
    return {
        "findings": findings,
        "warnings": other_warnings(info),
        "split_counts": _split_counts(dataset),
    }


def _split_counts(dataset: Dataset) -> dict[str, list[int]] | None:
    if dataset.task == "links" or dataset.problem not in COUNTED:
        return None
    rows = {PARTS[name]: getattr(dataset.splits, name) for name in SPLITS}
    return {part: list(counts(dataset.y[own], dataset.problem, dataset.classes)) for part, own in rows.items()}
