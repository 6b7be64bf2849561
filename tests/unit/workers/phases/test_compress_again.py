"""A job that compresses an earlier winner, where the earlier bundle cannot be used."""

import json
import zipfile
from typing import Any

import pytest

from archsmith.errors import JobFailure
from search.ledger import Ledger
from search.spec import CompressSpec
from tests import factories
from workers.job.context import JobContext
from workers.phases.compress_again import CompressAgain
from workers.settings import Settings

OF = "11111111-2222-4333-8444-555555555555"


def again(settings: Settings, ledger: Ledger) -> None:
    lease = factories.owned_job(ledger, compress=CompressSpec(steps=(), of=OF))
    nothing: Any = None
    CompressAgain(JobContext.of(settings, ledger, lease)).run(nothing, nothing)


def test_a_bundle_that_is_gone(settings: Settings, ledger: Ledger) -> None:
    with pytest.raises(JobFailure, match=f"job {OF} has no bundle any more"):
        again(settings, ledger)


def test_a_bundle_with_a_report_of_an_older_version(settings: Settings, ledger: Ledger) -> None:
    settings.job_folder(OF).mkdir(parents=True)
    with zipfile.ZipFile(settings.job_folder(OF) / "bundle.zip", "w") as archive:
        archive.writestr("report.json", json.dumps({"schema_version": "1"}))
    with pytest.raises(JobFailure, match=f"the bundle of {OF} is of an older version: run its search again first"):
        again(settings, ledger)
