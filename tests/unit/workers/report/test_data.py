"""The section "data": findings of the check and classes in the job's own splits, in the report and on its page."""

from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from search.ledger import Ledger
from tests.unit.workers.report.test_contents import SCORES, found
from workers.datasets import DataStore
from workers.report.contents import assemble
from workers.report.data import data_section
from workers.report.page import render
from workers.report.schema import schema

FINDING = {"rule": "repeats", "detail": "7 samples are byte for byte <repeats> of others", "examples": ["a = b"]}


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("datasets")
    DataStore(root).describe("digits")
    return root


def test_counts_are_those_of_the_jobs_own_splits(root: Path) -> None:
    dataset = DataStore(root).open("digits", seed=3)
    section = data_section(dataset)
    assert (section["findings"], section["warnings"]) == ([], [])
    sizes = [sum(counts) for counts in section["split_counts"].values()]
    assert sizes == list(dataset.split_sizes.values())
    assert section["split_counts"]["test"] == np.bincount(dataset.test.y, minlength=10).tolist()


@pytest.mark.parametrize("checked", [True, False])
def test_the_page_has_findings_with_examples(ledger: Ledger, root: Path, checked: bool) -> None:
    findings = found(ledger, root, final=SCORES)
    dataset = findings.dataset
    report = {**dataset.info.report, "warnings": ["3 samples are byte for byte repeats of others", "odd file"]}
    info = replace(dataset.info, check={"findings": [FINDING]} if checked else None, report=report)
    made = assemble(replace(findings, dataset=replace(dataset, info=info)), ledger)
    jsonschema.Draft202012Validator(schema()).validate(made)
    assert made["data"]["warnings"] == (["odd file"] if checked else report["warnings"])
    page = render(made)
    assert ("7 samples are byte for byte &lt;repeats&gt; of others" in page) == checked
    assert ("a = b" in page) == checked
    assert ("by a version without a check" in page) != checked
    assert "odd file" in page
    del made["data"]
    jsonschema.Draft202012Validator(schema()).validate(made)
    assert "odd file" not in render(made), "reports of earlier versions have no such section"
