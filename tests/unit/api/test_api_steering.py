"""Finishing early, changing the budget, and the bundle of a job that still runs; the test acts as the driver."""

import re
from pathlib import Path
from typing import Any

import pytest

from search.ledger import Lease
from search.trial import JobState
from tests import factories
from tests.unit.api.support import Service, check_problem

WORTH = {
    "trial": 0, "epochs": 1, "epochs_total": 8, "score": "accuracy", "search_score": 0.5, "missing": ["all else"],
    "value": 0.5,
}  # fmt: skip


def _running(service: Service, **fields: Any) -> tuple[str, Lease]:
    """A job with one trial that runs and has a score."""
    job = service.submit(**fields)
    lease = service.ledger.claim("driver", 30)
    assert lease is not None
    attempt = factories.running_trial(service.ledger, lease)
    service.ledger.add_measurement(lease, 0, attempt, factories.measurement(1))
    return job, lease


def _held(service: Service, lease: Lease, data: bytes, *, name: str = "provisional-1.zip") -> Path:
    folder = service.settings.job_folder(lease.job_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    held = {"file": name, "sha256": f"{len(data):064x}", "bytes": len(data), "provisional": WORTH}
    service.ledger.set_interim_bundle(lease, held)
    return folder


def test_the_view_of_a_running_job(service: Service) -> None:
    assert service.get(f"/v1/jobs/{service.submit()}").json()["doing"] == "waits for its turn"
    service.post(f"/v1/jobs/{service.ledger.jobs()[0].id}/cancel")
    job, lease = _running(service)
    service.ledger.update_job(lease, phase="search")
    view = service.get(f"/v1/jobs/{job}").json()
    assert view["doing"] == "trains architectures for a short time each; 0 have ended, 1 run"
    [one] = view["running"]
    assert (one["trial"], one["epochs"], one["epochs_total"], one["scores"]) == (0, 1, None, [0.5])
    assert (view["bundle"], view["finishing"], view["best"]) == (None, None, None)
    service.post(f"/v1/jobs/{job}/finish?within_seconds=60")
    view = service.get(f"/v1/jobs/{job}").json()
    assert view["finishing"] == {"within_seconds": 60.0}
    assert view["doing"].endswith("; the search ends early, the rest takes at most 60 s")


def test_a_provisional_bundle_is_replaced_and_outlives_a_cancel(service: Service) -> None:
    job, lease = _running(service, name="digits-search")
    url = f"/v1/jobs/{job}/bundle"
    assert check_problem(service.get(url), 409, "not_ready")["state"] == "running"
    folder = _held(service, lease, b"first")
    first = service.get(url)
    assert (first.status_code, first.content) == (200, b"first")
    name = f'attachment; filename="digits-search-{job[:8]}-provisional.zip"'
    assert first.headers["content-disposition"] == name
    _held(service, lease, b"better", name="provisional-2.zip")
    (folder / "provisional-1.zip").unlink()
    tag = first.headers["etag"]
    again = service.get(url, headers={"If-None-Match": tag, "Range": "bytes=2-", "If-Range": tag})
    assert (again.status_code, again.content) == (200, b"better"), "what was begun is another file's"
    view = service.get(f"/v1/jobs/{job}").json()["bundle"]
    assert view == {
        "sha256": f"{6:064x}", "bytes": 6,
        "provisional": {**{k: v for k, v in WORTH.items() if k != "value"}, "final_score": None},
    }  # fmt: skip
    service.post(f"/v1/jobs/{job}/cancel")
    service.ledger.pause_job(lease)
    assert service.get(f"/v1/jobs/{job}").json()["state"] == "cancelled"
    assert service.get(url).content == b"better"
    (folder / "provisional-2.zip").unlink()
    check_problem(service.get(url), 409, "not_ready")


def test_finish_by_state(service: Service) -> None:
    queued = service.submit()
    body = check_problem(service.post(f"/v1/jobs/{queued}/finish"), 409, "state_conflict")
    assert "no trial has a score yet" in body["detail"]
    service.post(f"/v1/jobs/{queued}/cancel")
    body = check_problem(service.post(f"/v1/jobs/{queued}/finish"), 409, "state_conflict")
    assert (body["state"], body["allowed"]) == ("cancelled", ["queued", "running", "paused"])
    job, lease = _running(service)
    for query in ("", "?within_seconds=30", "?within_seconds=20"):
        answer = service.post(f"/v1/jobs/{job}/finish{query}")
        assert (answer.status_code, answer.json()["state"]) == (202, "running"), "again is fine"
    service.post(f"/v1/jobs/{job}/pause")
    service.ledger.pause_job(lease)
    answer = service.post(f"/v1/jobs/{job}/finish")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")


@pytest.mark.parametrize("value", ["0", "-1", "x", "nan", "inf", "", "1e9"])
def test_bad_limits_of_time(service: Service, value: str) -> None:
    job, _ = _running(service)
    check_problem(service.post(f"/v1/jobs/{job}/finish?within_seconds={value}"), 422)
    assert service.ledger.job(job).finishing is None


def test_a_budget_is_changed(service: Service) -> None:
    job, lease = _running(service)
    service.ledger.update_job(lease, phases={"search": {"seconds": 100.5}})
    answer = service.patch(f"/v1/jobs/{job}", json={"budget": {"trials": 5, "seconds": 200}})
    assert answer.status_code == 202, answer.text
    budget = answer.json()["spec"]["budget"]
    assert budget == {"trials": 5, "seconds": 200.0, "epochs": None, "total_epochs": None}
    body = check_problem(service.patch(f"/v1/jobs/{job}", json={"budget": {"seconds": 60}}), 422, "below_spent")
    assert body["errors"][0]["pointer"] == "/budget/seconds"
    assert body["errors"][0]["allowed"] == {"minimum": 101}
    assert body["example"] == {"budget": {"trials": 60}}
    assert service.ledger.job(job).spec.budget.seconds == 200.0


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({}, "/budget", "missing_field"),
    ({"budget": {}}, "/budget", "missing_field"),
    ({"budget": {"trials": None}}, "/budget", "missing_field"),
    ({"budget": {"trials": 0}}, "/budget/trials", "out_of_range"),
    ({"budget": {"trials": 2.5}}, "/budget/trials", "type_mismatch"),
    ({"budget": {"seconds": 1e9}}, "/budget/seconds", "out_of_range"),
    ({"budget": {"epochs": 3}}, "/budget/epochs", "unknown_field"),
    ({"budget": {"trials": 9}, "seed": 3}, "/seed", "unknown_field"),
]


@pytest.mark.parametrize(("document", "pointer", "rule"), BAD)
def test_faults_of_a_change(service: Service, document: dict[str, Any], pointer: str, rule: str) -> None:
    job, _ = _running(service)
    body = check_problem(service.patch(f"/v1/jobs/{job}", json=document), 422)
    assert (pointer, rule) in [(fault["pointer"], fault["rule"]) for fault in body["errors"]], body


def test_an_ended_job_goes_on_and_keeps_its_bundle_until_the_next(service: Service) -> None:
    job, lease = _running(service, budget={"trials": 1})
    service.ledger.finish_trial(lease, 0, 1, factories.completed(), 0.9)
    folder = service.settings.job_folder(job)
    folder.mkdir(parents=True)
    (folder / "bundle.zip").write_bytes(b"old")
    service.ledger.end_search(lease, "budget_trials")
    service.ledger.finish_job(lease, JobState.SUCCEEDED, bundle_sha256="ab" * 32, bundle_bytes=3, final_score=0.5)
    url = f"/v1/jobs/{job}/bundle"
    before = service.get(url)
    body = check_problem(service.patch(f"/v1/jobs/{job}", json={"budget": {"trials": 1}}), 422, "below_spent")
    assert body["errors"][0]["allowed"] == {"minimum": 2}
    answer = service.patch(f"/v1/jobs/{job}", json={"budget": {"trials": 4}})
    assert (answer.status_code, answer.json()["state"]) == (202, "queued"), answer.text
    (folder / "bundle.zip").unlink()  # the next one is written by rename
    (folder / "bundle.zip").write_bytes(b"next")
    held = service.get(url)
    assert (held.content, held.headers["etag"]) == (b"old", before.headers["etag"])
    assert held.headers["content-disposition"] == before.headers["content-disposition"], "it is not provisional"
    again = service.ledger.claim("driver", 30)
    assert again is not None
    service.ledger.finish_job(again, JobState.SUCCEEDED, bundle_sha256="cd" * 32, bundle_bytes=4)
    assert service.get(url).content == b"next"


def test_a_reproducible_job_keeps_its_budget(service: Service) -> None:
    job = service.submit(reproducible=True)
    answer = service.patch(f"/v1/jobs/{job}", json={"budget": {"trials": 50}})
    check_problem(answer, 422, "combination_unsupported")


def test_every_phase_of_a_driver_has_words() -> None:
    from api.doing import PHASES

    sources = [path.read_text() for path in (Path(__file__).parents[3] / "workers").rglob("*.py")]
    begun = {name for text in sources for name in re.findall(r'begin_phase\("(\w+)"\)|phase="(\w+)"', text)}
    assert {first or second for first, second in begun} <= PHASES.keys()
