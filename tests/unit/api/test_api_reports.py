"""Reports, and the estimated cost of a job."""

import json
import subprocess
import threading
from typing import Any

import jsonschema
import pytest

from api import pricing
from search.trial import JobState
from tests.unit.api.support import Service, check_problem
from workers.pricing import dry_run

SPAN = {"low": 1.0, "expected": 2.0, "high": 3.0}
PRICE: dict[str, Any] = {
    "trials": SPAN, "trainings": 16, "trials_at_once": 2, "seconds": SPAN, "hours": SPAN, "disk_bytes": SPAN,
    "phases": {"search": SPAN}, "calibration": [{"macs": 10, "params": 5, "epoch_s": 0.5}],
    "space": {"size_log10": 2.3, "size_exact": True, "feasible_share": 1.0},
    "warnings": ["the classes are unequal"],
    "plan": None,
}  # fmt: skip
BODY = {"dataset": "digits", "space": "tiny"}


def test_the_schema_of_reports_is_published(service: Service) -> None:
    schema = service.get("/v1/reports/schema").json()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {"final_score", "gains", "costs", "history"} <= set(schema["required"])


def test_a_report_exists_once_the_job_has_succeeded(service: Service) -> None:
    job_id = service.submit()
    for name in ("report", "report.html"):
        check_problem(service.get(f"/v1/jobs/{job_id}/{name}"), 409, "not_ready")
    folder = service.settings.job_folder(job_id) / "bundle"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({"final_score": 0.5}))
    (folder / "report.html").write_text("<!doctype html><title>ü</title>")
    lease = service.ledger.claim("test", 30.0)
    assert lease is not None
    service.ledger.finish_job(lease, JobState.SUCCEEDED)
    assert service.get(f"/v1/jobs/{job_id}/report").json() == {"final_score": 0.5}
    page = service.get(f"/v1/jobs/{job_id}/report.html")
    assert (page.headers["content-type"], page.text) == ("text/html; charset=utf-8", "<!doctype html><title>ü</title>")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_dry_run_answers_with_a_price_and_stores_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def measured(context: Any, spec: Any) -> dict[str, Any]:
        asked.append(spec.dataset)
        return PRICE

    monkeypatch.setattr(pricing, "_measured", measured)
    answer = service.post("/v1/jobs?dry_run=true", json=BODY, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()) == (200, PRICE)
    assert service.get("/v1/jobs").json()["items"] == []
    check_problem(service.post("/v1/jobs?dry_run=true", json={**BODY, "dataset": "none"}), 422, "dataset_not_found")
    check_problem(service.post("/v1/jobs?dry_run=1", json=BODY), 422)
    assert asked == ["digits"], "a job that could not run is not priced"
    assert service.post("/v1/jobs?dry_run=false", json=BODY).status_code == 202


def test_one_dry_run_at_a_time_and_the_service_answers_meanwhile(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def measured(context: Any, spec: Any) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(60)
        return PRICE

    monkeypatch.setattr(pricing, "_measured", measured)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(service.post("/v1/jobs?dry_run=true", json=BODY)))
    thread.start()
    assert begun.wait(60)
    refused = service.post("/v1/jobs?dry_run=true", json=BODY)
    check_problem(refused, 503, "busy")
    assert refused.headers["retry-after"] == "15"
    assert service.get("/v1/jobs").status_code == 200
    go_on.set()
    thread.join(60)
    assert [one.status_code for one in answers] == [200]


def test_a_calibration_that_fails_says_why(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "MODULE", "workers.no_such_module")
    body = check_problem(service.post("/v1/jobs?dry_run=true", json=BODY), 503, "calibration_failed")
    assert "No module named workers.no_such_module" in body["detail"]


def test_a_dry_run_refuses_a_budget_that_is_too_small_for_the_data(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = {"pointer": "/budget/seconds", "rule": "budget_too_small", "detail": "too few", "allowed": {"minimum": 90}}
    done = subprocess.CompletedProcess([], pricing.REFUSED, stdout=json.dumps({"faults": [fault]}), stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    body = check_problem(service.post("/v1/jobs?dry_run=true", json=BODY), 422, "budget_too_small")
    assert body["errors"][0]["allowed"] == {"minimum": 90}
    assert pricing.REFUSED == dry_run.REFUSED
