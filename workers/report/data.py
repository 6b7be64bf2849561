"""The section "data" of the report: what the check of the data set found, and the classes in this job's splits."""

from typing import Any

from workers.datasets import Dataset
from workers.datasets.check import other_warnings, split_counts


def data_section(dataset: Dataset) -> dict[str, Any]:
    """findings: null for a data set from before there was a check. warnings: of the import, which no finding covers."""
    info = dataset.info
    findings = None if info.check is None else info.check["findings"]
    links = dataset.task == "links"
    return {
        "findings": findings,
        "warnings": other_warnings(info),
        "split_counts": None if links else split_counts(dataset.y, dataset.splits, classes=dataset.classes),
    }
