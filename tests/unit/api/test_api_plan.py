"""The field `plan` of a job: accepted of a reproducible one, checked like all else, and stored."""

from typing import Any

import pytest

from api.schemas.plan import PlanRequest
from search.planning.given import given_document
from search.planning.rule import make_plan
from search.planning.values import PlanInputs
from tests.unit.api.support import Service, check_problem

DOCUMENT = given_document(
    make_plan(
        PlanInputs(
            seconds=120.0, slots=2, samples=1149, val_samples=288, final_samples=1437, input_shape=(1, 8, 8),
            classes=10, step_s=0.006, score_s=0.01, reproducible=True,
        )
    )
)  # fmt: skip
JOB: dict[str, Any] = {"dataset": "digits", "space": "tiny", "reproducible": True, "budget": {"seconds": 120}}


def test_a_request_has_the_fields_of_a_plan() -> None:
    assert set(PlanRequest.model_fields) == set(DOCUMENT)
    assert PlanRequest.model_validate(DOCUMENT).model_dump() == DOCUMENT


def test_a_reproducible_job_keeps_the_plan_that_it_is_given(service: Service) -> None:
    answer = service.post("/v1/jobs", json={**JOB, "plan": DOCUMENT})
    assert answer.status_code == 202
    assert service.ledger.job(answer.json()["id"]).spec.plan == DOCUMENT


@pytest.mark.parametrize(
    ("changes", "where", "rule"),
    [
        ({"reproducible": False}, "/plan", "combination_unsupported"),
        ({"plan": {**DOCUMENT, "rungs": [9, 9]}}, "/plan/rungs", "out_of_range"),
        ({"plan": {**DOCUMENT, "rungs": []}}, "/plan/rungs", None),
        ({"plan": {**DOCUMENT, "share": 0}}, "/plan/share", "out_of_range"),
        ({"plan": {**DOCUMENT, "final_steps": 1.5}}, "/plan/final_steps", "type_mismatch"),
        ({"plan": {**DOCUMENT, "search_s": 0}}, "/plan/search_s", "out_of_range"),
        ({"plan": {**DOCUMENT, "pace": 1.0}}, "/plan/pace", None),
        ({"plan": {}}, "/plan", "missing_field"),
        ({"plan": "auto"}, "/plan", "type_mismatch"),
        ({"plan": {key: value for key, value in DOCUMENT.items() if key != "rungs"}}, "/plan/rungs", "missing_field"),
    ],
)
def test_a_wrong_plan_is_refused(service: Service, changes: dict[str, Any], where: str, rule: str | None) -> None:
    problem = check_problem(service.post("/v1/jobs", json={**JOB, "plan": DOCUMENT, **changes}), 422)
    faults = {fault["pointer"]: fault["rule"] for fault in problem["errors"]}
    assert where in faults
    assert rule is None or faults[where] == rule


def test_the_rule_is_told_instead_of_each_missing_field(service: Service) -> None:
    for plan in ({}, {"epochs": 3}):
        [fault] = check_problem(service.post("/v1/jobs", json={**JOB, "plan": plan}), 422)["errors"]
        assert fault["detail"].startswith("must be the whole plan of an earlier job, as its report has it")
        assert "18 of its fields are missing" in fault["detail"]
