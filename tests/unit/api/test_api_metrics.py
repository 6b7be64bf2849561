"""Numbers for Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from tests import factories
from tests.unit.api.support import Service


def _samples(service: Service) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = service.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_jobs_trials_parts_and_requests_are_counted(service: Service) -> None:
    lease = factories.owned_job(service.ledger)
    attempt = factories.running_trial(service.ledger, lease)
    service.ledger.finish_trial(lease, 0, attempt, factories.completed(0), 0.9)
    factories.running_trial(service.ledger, lease, 1)
    service.ledger.create_job(factories.job_spec())
    for path in ("/livez", f"/v1/jobs/{lease.job_id}", "/v1/jobs/none", "/made-up/one", "/made-up/two"):
        service.get(path)
    found = _samples(service)
    for name, state, count in (
        ("jobs", "running", 1), ("jobs", "queued", 1), ("jobs", "failed", 0),
        ("trials", "completed", 1), ("trials", "running", 1),
    ):  # fmt: skip
        assert found[f"archsmith_{name}", (("state", state),)] == count
    assert found["archsmith_part_up", (("part", "ledger"),)] == 1
    assert found["archsmith_part_up", (("part", "dispatcher"),)] == 0
    assert found["archsmith_disk_free_bytes", ()] > 0

    def requests(route: str, status: str) -> float:
        return found["archsmith_http_requests_total", (("method", "GET"), ("route", route), ("status", status))]

    assert requests("/v1/jobs/{job_id}", "200") == 1
    assert requests("/v1/jobs/{job_id}", "404") == 1
    assert requests("none", "404") == 2, "no client makes up labels"
    assert found["archsmith_http_request_seconds_count", (("route", "/livez"),)] == 1


def test_two_applications_in_one_process_count_apart(service: Service) -> None:
    before = _samples(service)
    after = _samples(service)
    key = "archsmith_http_requests_total", (("method", "GET"), ("route", "/metrics"), ("status", "200"))
    assert (before.get(key, 0), after[key]) == (0, 1)
