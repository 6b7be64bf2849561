"""All trials of a job by columns."""

import uuid

from search.trial import Measurement, Outcome, TrialState
from tests import factories
from tests.unit.api.support import Service, check_problem


def test_a_job_without_trials(service: Service) -> None:
    job_id = service.submit()
    found = service.get(f"/v1/jobs/{job_id}/table").json()
    assert found["rows"] == 0
    assert found["event"] == 1
    assert found["columns"]["number"] == found["columns"]["started_at"] == []
    assert found["measures"] == found["choices"] == {}


def test_columns_are_of_one_length_and_say_what_the_trials_say(service: Service) -> None:
    lease = factories.owned_job(service.ledger)
    for number, choices in ((0, {"width": 16, "head": "linear"}), (1, {"width": 8}), (2, {"width": 16, "head": True})):
        service.ledger.add_trial(lease, **factories.trial_fields(number, choices=choices))
    attempt = service.ledger.start_attempt(lease, 1)
    service.ledger.add_measurement(lease, 1, attempt, Measurement(epoch=1, score=0.4, train_loss=1.0, seconds=1.0))
    outcome = Outcome(number=1, state=TrialState.COMPLETED, value=0.4, epochs=1)
    service.ledger.finish_trial(lease, 1, attempt, outcome, 0.4, {"latency_ms": 2.5})
    found = service.get(f"/v1/jobs/{lease.job_id}/table").json()
    columns = found["columns"]
    assert found["rows"] == 3
    assert {len(column) for column in columns.values()} == {3}
    assert columns["number"] == [0, 1, 2]
    assert columns["state"] == ["waiting", "completed", "waiting"]
    assert columns["search_score"] == [None, 0.4, None]
    assert columns["params"] == [1000, 1001, 1002]
    assert columns["finished_at"][1] >= columns["started_at"][1] > 1.7e9
    assert found["measures"] == {"latency_ms": [None, 2.5, None]}
    assert found["choices"]["width"] == {"options": [16, 8], "chosen": [0, 1, 0]}
    assert found["choices"]["head"] == {"options": ["linear", True], "chosen": [0, None, 1]}
    assert found["event"] == service.ledger.events(lease.job_id, after=0, limit=500)[-1].id


def test_there_is_none_of_a_job_that_is_not_there(service: Service) -> None:
    check_problem(service.get(f"/v1/jobs/{uuid.UUID(int=1)}/table"), 404, "not_found")
