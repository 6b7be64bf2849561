"""The section "data" of the report: what the check of the data set found, and the classes in this job's splits."""

from typing import Any

from workers.datasets import Dataset
from workers.datasets.check import sentences, split_counts


def data_section(dataset: Dataset) -> dict[str, Any]:
    """findings: null for a data set from before there was a check. warnings: of the import, which no finding covers."""
    info = dataset.info
    findings = None if info.check is None else info.check["findings"]
    told = {finding["detail"] for finding in findings or ()}
    one_class = dataset.problem in ("classification", "ordinal") and dataset.task != "links"
    counts = split_counts(dataset.y, dataset.splits, classes=dataset.classes) if one_class else None
    return {
        "findings": findings,
        "warnings": [text for text in sentences(info) if text not in told],
        "split_counts": counts,
    }
