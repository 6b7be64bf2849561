"""A job whose winner is made smaller, and the same asked for afterwards, on a real Ray cluster, really trained."""

import json
from dataclasses import replace

import jsonschema
import pytest

from search.spec import CompressSpec, CompressStep
from search.trial import JobState
from tests.driving import Yard, spec
from tests.invariants import audit
from workers.compress.loader import unpack
from workers.compress.product import read_bundle
from workers.report.schema import schema

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SECTION = CompressSpec(
    max_drop=1.0,
    steps=(
        CompressStep(name="prune_structured", options={"share": 0.5, "rounds": 1, "epochs": 1}),
        CompressStep(name="cluster", options={"epochs": 1}),
        CompressStep(name="huffman"),
    ),
)


def _compressed_in_the_job(yard: Yard) -> tuple[str, dict[str, bytes]]:
    """The job's id, and the files of its bundle."""
    yard.submit(trials=2, compress=SECTION)
    job = yard.drive()
    assert (job.state, job.reason) == (JobState.SUCCEEDED, None)
    found = read_bundle(yard.settings.job_folder(job.id) / "bundle.zip")
    told = json.loads(found["report.json"])
    jsonschema.Draft202012Validator(schema()).validate(told)
    entry = told["compression"]
    spent = {cost["phase"]: cost["seconds"] for cost in told["costs"]}
    assert spent["compress"] > 0
    assert [step["kept"] for step in entry["steps"]] == [True, True, True]
    assert len(found["compressed/weights.packed"]) == entry["bytes"] < entry["bytes_before"]
    assert unpack(found["compressed/weights.packed"])
    assert entry["bytes_before"] == len(found["weights.safetensors"])
    return job.id, found


@pytest.mark.slow
def test_in_the_job(yard: Yard) -> None:
    _compressed_in_the_job(yard)
    audit(yard.ledger)


@pytest.mark.slow
def test_afterwards_and_inherited(yard: Yard) -> None:
    first, found = _compressed_in_the_job(yard)
    section = replace(SECTION, steps=SECTION.steps[1:], of=first)
    later, _ = yard.ledger.create_job(replace(spec(trials=2), compress=section))
    done = yard.drive()
    assert (done.id, done.state, done.reason) == (later.id, JobState.SUCCEEDED, None)
    assert not yard.trials(later.id)
    other = read_bundle(yard.settings.job_folder(later.id) / "bundle.zip")
    report = json.loads(other["report.json"])
    assert report["compression"]["job"] == later.id
    assert report["winner"] == json.loads(found["report.json"])["winner"]
    assert done.final_score == report["compression"]["final_score"]
    assert other["weights.safetensors"] == found["weights.safetensors"]
    assert other["compressed/weights.packed"] != found["compressed/weights.packed"]

    yard.submit(trials=1, init_from=first)
    heir = yard.drive()
    assert (heir.state, heir.reason) == (JobState.SUCCEEDED, None)
    report = json.loads(read_bundle(yard.settings.job_folder(heir.id) / "bundle.zip")["report.json"])
    shares = report["init_from"]
    assert shares.pop("job") == first
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["copied"] > 0
    audit(yard.ledger)
