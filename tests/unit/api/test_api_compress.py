"""Compression: as a section of a job, and of the winner of a job that has succeeded."""

from typing import Any

import pytest

from search.trial import JobState
from tests import factories
from tests.unit.api.support import Service, check_problem

DIGITS = {"dataset": "digits", "space": "tiny"}


def succeeded(service: Service, **changes: Any) -> str:
    lease = factories.owned_job(service.ledger, **changes)
    service.ledger.finish_job(lease, JobState.SUCCEEDED, final_score=0.9, bundle_sha256="0" * 64, bundle_bytes=3)
    folder = service.settings.job_folder(lease.job_id)
    folder.mkdir(parents=True)
    (folder / "bundle.zip").write_bytes(b"zip")
    return lease.job_id


def test_a_job_may_have_a_compress_section(service: Service) -> None:
    answer = service.post("/v1/jobs", json={**DIGITS, "compress": {}})
    assert answer.status_code == 202, answer.text
    section = answer.json()["spec"]["compress"]
    assert section["max_drop"] == 0.01
    assert [step["name"] for step in section["steps"]] == ["prune_structured", "prune_magnitude", "cluster", "huffman"]
    assert service.post("/v1/jobs", json=DIGITS).json()["spec"]["compress"] is None


@pytest.mark.parametrize(
    ("section", "pointer", "rule"),
    [
        ({"steps": []}, "/compress/steps", "out_of_range"),
        ({"steps": [7]}, "/compress/steps/0", "type_mismatch"),
        ({"steps": [{"share": 0.5}]}, "/compress/steps/0/name", "missing_field"),
        ({"steps": ["shrink"]}, "/compress/steps/0", "choice_unknown"),
        ({"steps": [{"name": "cluster", "clusters": 1}]}, "/compress/steps/0/clusters", "out_of_range"),
        ({"max_drop": 2}, "/compress/max_drop", "out_of_range"),
        ({"of": "x"}, "/compress/of", "unknown_field"),
    ],
)
def test_faults_in_the_compress_section_have_pointers(
    service: Service, section: dict[str, Any], pointer: str, rule: str
) -> None:
    problem = check_problem(service.post("/v1/jobs", json={**DIGITS, "compress": section}), 422)
    assert (problem["errors"][0]["pointer"], problem["errors"][0]["rule"]) == (pointer, rule)


def test_compressing_an_ended_job_is_a_new_job(service: Service) -> None:
    first = succeeded(service)
    body = {"steps": ["cluster", "huffman"]}
    answer = service.post(f"/v1/jobs/{first}/compress", json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 202, answer.text
    view = answer.json()
    assert view["id"] != first
    assert view["state"] == "queued"
    assert view["spec"]["compress"]["of"] == first
    assert answer.headers["location"] == f"/v1/jobs/{view['id']}"
    again = service.post(f"/v1/jobs/{first}/compress", json=body, headers={"Idempotency-Key": "k"})
    assert again.json()["id"] == view["id"]


def test_compress_needs_a_succeeded_job_and_valid_steps(service: Service) -> None:
    job = service.post("/v1/jobs", json=DIGITS).json()["id"]
    assert check_problem(service.post(f"/v1/jobs/{job}/compress", json={}), 409)["state"] == "queued"
    service.post(f"/v1/jobs/{job}/cancel")
    first = succeeded(service)
    problem = check_problem(service.post(f"/v1/jobs/{first}/compress", json={"steps": ["huffman"]}), 422)
    assert problem["errors"][0]["pointer"] == "/steps/0"
    gone = succeeded(service, dataset="shirts")
    problem = check_problem(service.post(f"/v1/jobs/{gone}/compress", json={}), 422)
    assert problem["errors"][0]["rule"] == "dataset_not_found"


def test_init_from_needs_a_job_with_weights(service: Service) -> None:
    def refused(job_id: str) -> dict[str, Any]:
        problem = check_problem(service.post("/v1/jobs", json={**DIGITS, "init_from": job_id}), 422)
        return dict(problem["errors"][0])

    assert (refused("no-such-job")["pointer"], refused("no-such-job")["rule"]) == ("/init_from", "job_not_found")
    queued = service.post("/v1/jobs", json=DIGITS).json()["id"]
    assert refused(queued)["rule"] == "job_not_succeeded"
