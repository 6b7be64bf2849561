"""The log of a job, and removing jobs."""

import pytest

from search.spec import WarmStart
from search.trial import JobState
from tests import factories
from tests.unit.api.support import Service, check_problem

FAR = "00000000-0000-0000-0000-000000000000"


def _ended(service: Service) -> str:
    lease = factories.owned_job(service.ledger)
    attempt = factories.running_trial(service.ledger, lease)
    service.ledger.add_measurement(lease, 0, attempt, factories.measurement())
    service.ledger.finish_trial(lease, 0, attempt, factories.completed(0), 0.9)
    service.ledger.finish_job(lease, JobState.FAILED, "for the test")
    folder = service.settings.job_folder(lease.job_id)
    folder.mkdir(parents=True)
    (folder / "driver.log").write_text("".join(f"line {i}\n" for i in range(300)))
    return lease.job_id


def test_the_end_of_a_log(service: Service) -> None:
    job = _ended(service)
    answer = service.get(f"/v1/jobs/{job}/log?lines=2")
    assert (answer.text, answer.headers["content-type"]) == ("line 298\nline 299\n", "text/plain; charset=utf-8")
    assert len(service.get(f"/v1/jobs/{job}/log").text.splitlines()) == 200
    assert service.get(f"/v1/jobs/{service.submit()}/log").text == ""
    check_problem(service.get(f"/v1/jobs/{job}/log?lines=0"), 422)
    check_problem(service.get(f"/v1/jobs/{FAR}/log"), 404, "not_found")


def test_an_ended_job_is_removed_with_all_that_belongs_to_it(service: Service) -> None:
    job, other = _ended(service), service.submit()
    assert service.client.request("DELETE", f"/v1/jobs/{job}").status_code == 204
    check_problem(service.get(f"/v1/jobs/{job}"), 404, "not_found")
    assert [one["id"] for one in service.get("/v1/jobs").json()["items"]] == [other]
    assert list(service.settings.jobs.iterdir()) == []
    check_problem(service.client.request("DELETE", f"/v1/jobs/{job}"), 404, "not_found")


def test_a_job_that_has_not_ended_stays(service: Service) -> None:
    job = service.submit()
    body = check_problem(service.client.request("DELETE", f"/v1/jobs/{job}"), 409)
    assert body["state"] == "queued"
    assert set(body["allowed"]) == {"succeeded", "failed", "cancelled"}
    assert service.get(f"/v1/jobs/{job}").status_code == 200


def test_a_job_that_another_one_starts_from_stays(service: Service) -> None:
    job = _ended(service)
    other = service.ledger.create_job(factories.job_spec(warm_start=WarmStart(jobs=(job,))))[0].id
    body = check_problem(service.client.request("DELETE", f"/v1/jobs/{job}"), 409)
    assert other in body["detail"]
    service.ledger.request(other, "cancel")
    assert service.client.request("DELETE", f"/v1/jobs/{job}").status_code == 204


def test_runs_in_mlflow_that_cannot_be_removed_are_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    job = _ended(service)
    service.ledger.set_run(job, "job", "abc")
    object.__setattr__(service.settings, "mlflow_url", "http://127.0.0.1:9")
    body = check_problem(service.client.request("DELETE", f"/v1/jobs/{job}"), 409, "not_ready")
    assert "still being written to MLflow" in body["detail"]
    monkeypatch.setattr("api.routes.job_files.DELIVERY_S", 0.0)
    body = check_problem(service.client.request("DELETE", f"/v1/jobs/{job}?mlflow=true"), 503)
    assert "so nothing is removed" in body["detail"]
    assert service.get(f"/v1/jobs/{job}").status_code == 200
    assert service.client.request("DELETE", f"/v1/jobs/{job}").status_code == 204, "MLflow may be away for good"
