"""Submitting, reading and steering jobs, with a real ledger; the test acts as the driver."""

import json
from typing import Any

import pytest

from search.trial import JobState
from tests import factories
from tests.unit.api.support import Service, check_problem


def test_the_smallest_job(service: Service) -> None:
    answer = service.post("/v1/jobs", json={"dataset": "digits"})
    assert answer.status_code == 202
    view = answer.json()
    assert answer.headers["location"] == view["links"]["self"] == f"/v1/jobs/{view['id']}"
    assert view["state"] == "queued"
    assert view["spec"]["budget"] == {"trials": None, "seconds": 1800.0, "epochs": None, "total_epochs": None}
    assert view["spec"]["trial"]["scheduler"] == "asha"
    assert view["progress"]["trials_total"] is None, "the plan decides"
    assert view["progress"]["seconds_left"] == 1800.0
    assert view["plan"] is None, "it is made when the job starts"
    assert view["progress"]["trials"]["waiting"] == 0
    assert view["best"] is None
    assert view["final_score"] is None
    assert view["created_at"].endswith("Z")
    assert view["spec"]["space"]["name"] == "chain"
    assert service.get(view["links"]["self"]).json() == view


def test_a_job_with_all_fields(service: Service) -> None:
    document = {
        "name": "shirts",
        "dataset": "digits",
        "seed": 7,
        "reproducible": False,
        "space": "branching",
        "controller": {"name": "reinforce", "entropy": 0.01},
        "objective": {"maximize": "score", "constraints": ["params <= 5000000"]},
        "budget": {"trials": 60, "epochs": 8},
        "trial": {"cpus": 1, "gpus": 0, "timeout_s": 120, "scheduler": "asha"},
        "finalists": {"top": 3, "seeds": 1},
    }
    answer = service.post("/v1/jobs", json=document)
    assert answer.status_code == 202, answer.text
    spec = answer.json()["spec"]
    assert spec["controller"] == {"name": "reinforce", "options": {"entropy": 0.01}}
    assert spec["trial"]["scheduler"] == "asha"
    assert spec["objective"]["constraints"] == ["params <= 5000000"]


def test_only_epochs_are_a_job_without_a_plan(service: Service) -> None:
    for budget, stored in (
        ({"trials": 7}, {"trials": 7, "seconds": 1800.0, "epochs": None, "total_epochs": None}),
        ({"total_epochs": 7}, {"trials": None, "seconds": 1800.0, "epochs": None, "total_epochs": 7}),
        ({"trials": 7, "epochs": 3}, {"trials": 7, "seconds": 3600.0, "epochs": 3, "total_epochs": None}),
        ({"epochs": 2}, {"trials": 30, "seconds": 3600.0, "epochs": 2, "total_epochs": None}),
        ({"trials": 7, "seconds": 60}, {"trials": 7, "seconds": 60.0, "epochs": None, "total_epochs": None}),
    ):
        answer = service.post("/v1/jobs", json={"dataset": "digits", "budget": budget})
        assert answer.status_code == 202, answer.text
        spec = answer.json()["spec"]
        assert spec["budget"] == stored
        assert spec["trial"]["scheduler"] == ("none" if stored["epochs"] else "asha")


DIGITS = {"dataset": "digits", "space": "tiny"}
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({}, "/dataset", "missing_field"),
    ({"dataset": None}, "/dataset", "type_mismatch"),
    ({"dataset": "shirts"}, "/dataset", "dataset_not_found"),
    ({**DIGITS, "nmae": "x"}, "/nmae", "unknown_field"),
    ({**DIGITS, "id": "x"}, "/id", "unknown_field"),
    ({**DIGITS, "budget": {"max_trails": 3}}, "/budget/max_trails", "unknown_field"),
    *(({**DIGITS, "name": n}, "/name", "name_invalid") for n in ("", "a" * 65, "../x", "a b", "-a", "a/b", "é")),
    ({**DIGITS, "name": "a\n"}, "/name", "string_invalid"),
    ({**DIGITS, "seed": -1}, "/seed", "out_of_range"),
    ({**DIGITS, "seed": 2**64}, "/seed", "number_out_of_range"),
    ({**DIGITS, "seed": 1.5}, "/seed", "type_mismatch"),
    ({**DIGITS, "seed": True}, "/seed", "type_mismatch"),
    ({**DIGITS, "reproducible": 1}, "/reproducible", "type_mismatch"),
    ({**DIGITS, "budget": []}, "/budget", "type_mismatch"),
    *(({**DIGITS, "budget": {"trials": n}}, "/budget/trials", "out_of_range") for n in (0, -1, 10_001)),
    *(({**DIGITS, "budget": {"trials": n}}, "/budget/trials", "type_mismatch") for n in ("40", 40.0, True)),
    ({**DIGITS, "budget": {"seconds": 600, "epochs": 8}}, "/budget/epochs", "combination_unsupported"),
    ({**DIGITS, "budget": {"seconds": 5}}, "/budget/seconds", "budget_too_small"),
    ({**DIGITS, "comparison": "none"}, "/comparison", "choice_unknown"),
    *(({**DIGITS, "budget": {"seconds": n}}, "/budget/seconds", "out_of_range") for n in (0, -1, 2_592_001, 0.5)),
    ({**DIGITS, "budget": {"seconds": True}}, "/budget/seconds", "type_mismatch"),
    ({**DIGITS, "budget": {"epochs": 0}}, "/budget/epochs", "out_of_range"),
    ({**DIGITS, "trial": {"cpus": 0}}, "/trial/cpus", "out_of_range"),
    ({**DIGITS, "trial": {"cpus": 3}}, "/trial/cpus", "resource_unavailable"),
    ({**DIGITS, "trial": {"gpus": 1}}, "/trial/gpus", "resource_unavailable"),
    ({**DIGITS, "trial": {"learning_rate": 0}}, "/trial/learning_rate", "out_of_range"),
    ({**DIGITS, "trial": {"scheduler": "median"}}, "/trial/scheduler", "choice_unknown"),
    ({**DIGITS, "trial": {"loss": "hinge"}}, "/trial/loss", "choice_unknown"),
    ({**DIGITS, "trial": {"loss": "mse"}}, "/trial/loss", "combination_unsupported"),
    ({**DIGITS, "trial": {"class_weights": "even"}}, "/trial/class_weights", "choice_unknown"),
    ({**DIGITS, "trial": {"class_weights": 2}}, "/trial/class_weights", "type_mismatch"),
    ({**DIGITS, "trial": {"class_weights": [1, 2]}}, "/trial/class_weights", "out_of_range"),
    ({**DIGITS, "trial": {"class_weights": [1, 0]}}, "/trial/class_weights/1", "out_of_range"),
    ({**DIGITS, "trial": {"class_weights": [1, "2"]}}, "/trial/class_weights/1", "type_mismatch"),
    ({**DIGITS, "objective": {"score": "rmse"}}, "/objective/score", "choice_unknown"),
    ({**DIGITS, "objective": {"score": "r2"}}, "/objective/score", "combination_unsupported"),
    ({**DIGITS, "trial": {"stop_hopeless": 1}}, "/trial/stop_hopeless", "type_mismatch"),
    (
        {**DIGITS, "reproducible": True, "trial": {"stop_hopeless": True}},
        "/trial/stop_hopeless",
        "combination_unsupported",
    ),
    ({**DIGITS, "reproducible": True, "trial": {"scheduler": "asha"}}, "/trial/scheduler", "combination_unsupported"),
    ({**DIGITS, "finalists": {"top": 11}}, "/finalists/top", "out_of_range"),
    ({**DIGITS, "finalists": {"seeds": 0}}, "/finalists/seeds", "out_of_range"),
    ({**DIGITS, "controller": "evolve"}, "/controller", "choice_unknown"),
    ({**DIGITS, "controller": 7}, "/controller", "type_mismatch"),
    ({**DIGITS, "controller": {"entropy": 1}}, "/controller/name", "missing_field"),
    ({**DIGITS, "objective": {"maximize": "top5"}}, "/objective/maximize", "choice_unknown"),
    *(
        ({**DIGITS, "objective": objective}, f"/objective{pointer}", rule)
        for objective, pointer, rule in (
            ({"maximize": ["top5"]}, "/maximize/0", "choice_unknown"),
            ({"maximize": "params"}, "/maximize", "choice_unknown"),
            ({"minimize": ["params", "speed"]}, "/minimize/1", "choice_unknown"),
            ({"minimize": "score"}, "/minimize", "choice_unknown"),
            ({"minimize": 3}, "/minimize", "type_mismatch"),
            ({"minimize": ["params", "macs", "params"]}, "/minimize/2", "objective_repeated"),
            ({"maximize": []}, "", "objective_missing"),
            ({"target": {"measure": "latency_ms"}}, "/target/value", "missing_field"),
            ({"target": {"measure": "latency", "value": 2}}, "/target/measure", "choice_unknown"),
            ({"target": {"measure": "macs", "value": 0}}, "/target/value", "out_of_range"),
            ({"target": {"measure": "macs", "value": 2, "weight": 0}}, "/target/weight", "out_of_range"),
            ({"target": {"measure": "macs", "value": 2, "weight": -11}}, "/target/weight", "out_of_range"),
            ({"target": {"measure": "macs", "value": 2, "form": "sum"}}, "/target/form", "choice_unknown"),
            ({"target": {"measure": "macs", "value": 2, "slack": 1}}, "/target/slack", "unknown_field"),
            ({"minimize": "params", "target": {"measure": "macs", "value": 2}}, "/target", "combination_unsupported"),
        )
    ),
    *(
        ({**DIGITS, "objective": objective, "stop": {"target": 0.9}}, "/stop/target", "combination_unsupported")
        for objective in ({"maximize": [], "minimize": "macs"}, {"target": {"measure": "macs", "value": 2}})
    ),
    (
        {**DIGITS, "reproducible": True, "objective": {"minimize": "latency_ms"}},
        "/objective/minimize",
        "combination_unsupported",
    ),
    ({**DIGITS, "objective": {"constraints": "params < 1"}}, "/objective/constraints", "type_mismatch"),
    ({**DIGITS, "objective": {"constraints": ["9**9"]}}, "/objective/constraints/0", "expression_invalid"),
    ({**DIGITS, "objective": {"constraints": ["__import__('os')"]}}, "/objective/constraints/0", "expression_invalid"),
    ({**DIGITS, "objective": {"constraints": ["params <= 10"]}}, "/objective/constraints/0", "space_infeasible"),
    ({**DIGITS, "budget": {"total_epochs": 7, "epochs": 8}}, "/budget/total_epochs", "out_of_range"),
    ({**DIGITS, "budget": {"total_epochs": 0}}, "/budget/total_epochs", "out_of_range"),
    ({**DIGITS, "stop": {"target": 1.5}}, "/stop/target", "out_of_range"),
    ({**DIGITS, "stop": {"goal": 0.5}}, "/stop/goal", "unknown_field"),
    ({**DIGITS, "stop": {"flat": {}}}, "/stop/flat/trials", "missing_field"),
    ({**DIGITS, "stop": {"flat": {"trials": 0}}}, "/stop/flat/trials", "out_of_range"),
    ({**DIGITS, "stop": {"flat": {"trials": 5, "by": -1}}}, "/stop/flat/by", "out_of_range"),
    ({**DIGITS, "enqueue": {}}, "/enqueue", "type_mismatch"),
    ({**DIGITS, "enqueue": [{}, {"stages.0.wdth": 3}]}, "/enqueue/1/stages.0.wdth", "unknown_field"),
    ({**DIGITS, "enqueue": [{"nodes": "x"}]}, "/enqueue/0/nodes", "unknown_field"),
    ({**DIGITS, "warm_start": {"job": ["x"]}}, "/warm_start/job", "unknown_field"),
    ({**DIGITS, "warm_start": {"jobs": "x"}}, "/warm_start/jobs", "type_mismatch"),
    ({**DIGITS, "warm_start": {"jobs": ["none-such"]}}, "/warm_start/jobs/0", "job_not_found"),
    ({**DIGITS, "space": "chian"}, "/space", "choice_unknown"),
    ({**DIGITS, "space": 3}, "/space", "type_mismatch"),
]


@pytest.mark.heavy
@pytest.mark.parametrize(("document", "pointer", "rule"), BAD)
def test_faults_of_jobs_have_pointers(service: Service, document: dict[str, Any], pointer: str, rule: str) -> None:
    body = check_problem(service.post("/v1/jobs", json=document), 422)
    assert (pointer, rule) in [(fault["pointer"], fault["rule"]) for fault in body["errors"]], body
    assert service.get("/v1/jobs").json()["items"] == []


def test_a_body_must_be_an_object(service: Service) -> None:
    bodies: list[Any] = [[], "digits", 7, None, True]
    for body in bodies:
        check_problem(
            service.post("/v1/jobs", content=json.dumps(body), headers={"Content-Type": "application/json"}), 422
        )


def test_all_faults_are_reported_with_what_is_allowed(service: Service) -> None:
    document = {"dataset": "shirts", "space": "tiny", "controller": "evolve", "trial": {"gpus": 4}}
    body = check_problem(service.post("/v1/jobs", json=document), 422, "invalid_input")
    faults = {fault["pointer"]: fault for fault in body["errors"]}
    assert faults.keys() == {"/dataset", "/controller", "/trial/gpus"}
    assert "digits" in faults["/dataset"]["allowed"]
    assert {"random", "tpe", "reinforce"} <= set(faults["/controller"]["allowed"])
    assert faults["/trial/gpus"]["allowed"] == {"maximum": 0}


def test_the_example_in_a_problem_works(service: Service) -> None:
    body = check_problem(service.post("/v1/jobs", json={"datset": "digits"}), 422)
    assert "did you mean 'dataset'" in body["detail"]
    assert service.post("/v1/jobs", json=body["example"]).status_code == 202


def test_an_invalid_controller_option(service: Service) -> None:
    document = {**DIGITS, "controller": {"name": "reinforce", "entrpy": 1, "entropy": "x"}}
    body = check_problem(service.post("/v1/jobs", json=document), 422)
    assert {fault["pointer"] for fault in body["errors"]} == {"/controller/entrpy", "/controller/entropy"}


def test_faults_of_the_space_have_pointers_below_space(service: Service) -> None:
    document = {"dataset": "digits", "space": {"name": "x", "stages": [{"depth": 0}], "colour": 1}}
    body = check_problem(service.post("/v1/jobs", json=document), 422)
    assert "/space/colour" in {fault["pointer"] for fault in body["errors"]}
    assert all(fault["pointer"].startswith("/space") for fault in body["errors"])


@pytest.mark.heavy
def test_an_infeasible_space_reports_the_measures_seen(service: Service) -> None:
    document = {**DIGITS, "objective": {"constraints": ["macs <= 1e12", "params <= 10"]}}
    body = check_problem(service.post("/v1/jobs", json=document), 422, "space_infeasible")
    fault = body["errors"][0]
    assert fault["pointer"] == "/objective/constraints/1"
    assert fault["allowed"]["params"]["smallest"] > 10
    assert "params <= 10" in fault["detail"]


def test_the_same_key_gives_the_same_job(service: Service) -> None:
    headers = {"Idempotency-Key": "abc-1"}
    first = service.post("/v1/jobs", json=DIGITS, headers=headers)
    again = service.post("/v1/jobs", json=DIGITS, headers=headers)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    other = service.post("/v1/jobs", json={**DIGITS, "seed": 1}, headers=headers)
    check_problem(other, 422, "idempotency_key_reused")
    assert len(service.get("/v1/jobs").json()["items"]) == 1


@pytest.mark.parametrize("key", ["", "a" * 256, "a b", b"\xc3\xa9"])
def test_invalid_idempotency_keys(service: Service, key: str) -> None:
    answer = service.post("/v1/jobs", json=DIGITS, headers={"Idempotency-Key": key})
    check_problem(answer, 400, "idempotency_key_invalid")


def test_pages_show_each_job_once(service: Service) -> None:
    ids = [service.submit(seed=n) for n in range(5)]
    seen, after = [], None
    while True:
        page = service.get("/v1/jobs", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ids[::-1]
    assert service.get("/v1/jobs?state=running").json()["items"] == []


@pytest.mark.parametrize("job", ["x", "00000000-0000-0000-0000-000000000000", "%00", "..%2f..", "1" * 300])
def test_unknown_jobs(service: Service, job: str) -> None:
    for tail in ("", "/trials", "/trials/0", "/events", "/best", "/bundle"):
        headers = {"Accept": "*/*"}
        check_problem(service.get(f"/v1/jobs/{job}{tail}", headers=headers), 404, "not_found")
    check_problem(service.post(f"/v1/jobs/{job}/cancel"), 404, "not_found")


@pytest.mark.heavy
def test_trials_and_the_best(service: Service) -> None:
    job = service.submit()
    body = check_problem(service.get(f"/v1/jobs/{job}/best"), 409, "not_ready")
    assert body["state"] == "queued"
    lease = service.ledger.claim("driver", 30)
    assert lease is not None
    service.ledger.update_job(lease, mlflow_experiment_id="7", mlflow_run_id="abc")
    example = service.post("/v1/spaces/validate", json={"space": "tiny", "dataset": "digits"}).json()["example"]
    for number in range(3):
        attempt = factories.running_trial(service.ledger, lease, number, architecture=example)
        service.ledger.add_measurement(lease, number, attempt, factories.measurement(train_loss=float("inf")))
        service.ledger.finish_trial(
            lease, number, attempt, factories.completed(number, 0.5 + number / 10), 0.5 + number / 10
        )
    view = service.get(f"/v1/jobs/{job}").json()
    assert view["best"] == {"trial": 2, "search_score": 0.7}
    assert view["progress"]["trials"]["completed"] == 3
    assert view["mlflow_url"] == "http://127.0.0.1:5000/#/experiments/7/runs/abc?workflowType=machine_learning"
    page = service.get(f"/v1/jobs/{job}/trials?limit=2").json()
    assert [item["number"] for item in page["items"]] == [0, 1]
    rest = service.get(f"/v1/jobs/{job}/trials", params={"after": page["next"]}).json()
    assert ([item["number"] for item in rest["items"]], rest["next"]) == ([2], None)
    trial = service.get(f"/v1/jobs/{job}/trials/2").json()
    assert trial["measurements"] == [{"epoch": 1, "score": 0.5, "train_loss": None, "seconds": 0.25}]
    assert trial["search_score"] == 0.7
    best = service.get(f"/v1/jobs/{job}/best").json()
    assert best["architecture"] == example
    assert best["measures"]["params"] > 0
    for unknown in ("3", "-1", "01", "999999999", "1e1", "x"):
        check_problem(service.get(f"/v1/jobs/{job}/trials/{unknown}"), 404, "not_found")


def test_pause_resume_cancel(service: Service) -> None:
    job = service.submit()
    body = check_problem(service.post(f"/v1/jobs/{job}/resume"), 409, "state_conflict")
    assert body["state"] == "queued"
    assert service.post(f"/v1/jobs/{job}/pause").json()["state"] == "paused"
    assert service.post(f"/v1/jobs/{job}/resume").json()["state"] == "queued"
    assert service.ledger.claim("driver", 30)
    answer = service.post(f"/v1/jobs/{job}/pause")
    assert (answer.status_code, answer.json()["wanted"]) == (202, "pause")
    assert service.post(f"/v1/jobs/{job}/resume").json()["wanted"] == "run"
    other = service.submit()
    answer = service.post(f"/v1/jobs/{other}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    body = check_problem(service.post(f"/v1/jobs/{other}/cancel"), 409, "state_conflict")
    assert body["state"] == "cancelled"


def test_the_error_for_a_failed_jobs_bundle_has_the_reason(service: Service) -> None:
    job = service.submit()
    lease = service.ledger.claim("driver", 30)
    assert lease is not None
    service.ledger.finish_job(lease, JobState.FAILED, "no trial succeeded")
    body = check_problem(service.get(f"/v1/jobs/{job}/bundle"), 409, "not_ready")
    assert body["state"] == "failed"
    assert "no trial succeeded" in body["detail"]


def test_only_an_ended_job_can_be_a_warm_start(service: Service) -> None:
    job_id = service.submit()
    document = {**DIGITS, "warm_start": {"jobs": [job_id]}}
    body = check_problem(service.post("/v1/jobs", json=document), 422)
    assert [(one["pointer"], one["rule"]) for one in body["errors"]] == [("/warm_start/jobs/0", "job_not_ended")]
    service.post(f"/v1/jobs/{job_id}/cancel")
    body = check_problem(service.post("/v1/jobs", json=document), 422)
    assert body["errors"][0]["rule"] == "job_without_values"


def test_enqueued_architectures_and_stop_rules_are_kept(service: Service) -> None:
    fields = {"stop": {"target": 1, "flat": {"trials": 5}}, "enqueue": [{}], "budget": {"total_epochs": 80}}
    answer = service.post("/v1/jobs", json={**DIGITS, **fields})
    assert answer.status_code == 202, answer.text
    spec = answer.json()["spec"]
    assert spec["stop"] == {"target": 1.0, "flat": {"trials": 5, "by": 0.0}}
    assert (spec["enqueue"], spec["warm_start"], spec["budget"]["total_epochs"]) == ([{}], {"jobs": []}, 80)


def test_controllers_list_their_options(service: Service) -> None:
    items = {one["name"]: one["options"] for one in service.get("/v1/controllers").json()["items"]}
    assert {"tpe", "gp", "random", "auto"} <= items.keys()
    assert items["gp"]["startup"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}
    assert items["reinforce"]["advantage"] == {"type": "string", "enum": ["ema", "quantile"], "default": "quantile"}
    assert items["ppo"]["learning_rate"]["exclusiveMinimum"] == 0
