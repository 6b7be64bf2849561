"""Presets, the schema, and reports on documents of users."""

import math
from typing import Any

import jsonschema
import pytest

from space.constraint import MEASURES
from tests.spaces import shapes_of
from tests.unit.api.support import Service, check_problem

DIGITS = {"dataset": "digits"}


@pytest.mark.heavy
def test_presets_have_documents_that_fit_the_schema(service: Service) -> None:
    schema = service.get("/v1/spaces/schema").json()
    presets = service.get("/v1/spaces").json()
    assert {"chain", "branching", "tiny"} <= {item["name"] for item in presets["items"]}
    assert service.get(presets["links"]["schema"]).status_code == 200
    for item in presets["items"]:
        jsonschema.validate(item["document"], schema)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "name",
    [
        "chain",
        "graph_class",
        pytest.param("branching", marks=pytest.mark.slow),
        pytest.param("volume3d", marks=pytest.mark.slow),
    ],
)
def test_a_preset_fits_its_kind_of_data(service: Service, name: str) -> None:
    asked = {"space": name, "input_shape": list(shapes_of(name)[1]), "classes": 2}
    report = service.post("/v1/spaces/validate", json=asked).json()
    assert (report["valid"], report["name"], report["feasible_share"]) == (True, name, 1)


def test_a_small_space_is_enumerated(service: Service) -> None:
    report = service.post("/v1/spaces/validate", json={"space": "tiny", **DIGITS}).json()
    assert report["valid"] is True
    assert report["size_exact"] is True
    assert report["sampled"] == min(report["size"], 300)
    assert 0 < report["feasible_share"] <= 1
    assert report["feasible_interval"][0] <= report["feasible_share"] <= report["feasible_interval"][1]
    assert report["costs"].keys() == set(MEASURES) == report["example_measures"].keys()
    params = report["costs"]["params"]
    assert list(params) == ["min", "p5", "p25", "p50", "p75", "p95", "max"]
    assert list(params.values()) == sorted(params.values())
    assert params["min"] <= report["example_measures"]["params"] <= params["max"]
    assert report["example"]["schema_version"] == "2"


@pytest.mark.heavy
def test_a_shape_may_be_given_instead_of_a_data_set(service: Service) -> None:
    document = {"space": "chain", "input_shape": [3, 32, 32], "classes": 10}
    report = service.post("/v1/spaces/validate", json=document).json()
    assert report["input_shape"] == [3, 32, 32]
    assert report["size_log10"] > 2
    assert report["data"] == "image"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("document", "data"),
    [
        pytest.param(
            {"space": "volume3d", "input_shape": [1, 16, 16, 16], "classes": 3}, "volume", marks=pytest.mark.slow
        ),
        ({"space": "volume3d", "data": "volume", "input_shape": [1, 16, 16, 16], "classes": 3}, "volume"),
        ({"space": "graph_node", "input_shape": [8], "classes": 3}, "nodes"),
        ({"space": "graph_class", "data": "graphs", "input_shape": [8], "classes": 3}, "graphs"),
        ({"space": "link_prediction", "input_shape": [8], "classes": 7}, "links"),
    ],
)
def test_volumes_and_graphs(service: Service, document: dict[str, Any], data: str) -> None:
    report = service.post("/v1/spaces/validate", json=document).json()
    assert (report["data"], report["input_shape"]) == (data, document["input_shape"])
    assert report["classes"] == (2 if data == "links" else 3)
    assert report["costs"]["peak_memory_mb"]["min"] > 0


def ladder(*constraints: str, layers: int = 8, **more: Any) -> dict[str, Any]:
    stage = {"kernel": [1, 3, 5, 7], "activation": ["relu", "silu"], "width": [4, 8, 16]}
    document = {"schema": 1, "stages": [stage] * layers, "constraints": list(constraints), **more}
    return {"space": document, "input_shape": [1, 28, 28], "classes": 3}


@pytest.mark.heavy
def test_counts_that_json_would_round_are_left_out(service: Service) -> None:
    report = service.post("/v1/spaces/validate", json=ladder(layers=12)).json()
    assert report["size_exact"] is True
    assert report["size"] is None
    assert report["size_log10"] == pytest.approx(12 * math.log10(24))
    assert report["size_log10_error"] == 0
    small = service.post("/v1/spaces/validate", json=ladder(layers=4)).json()
    assert small["size"] == 24**4


@pytest.mark.heavy
def test_an_estimate_says_how_uncertain_it_is(service: Service) -> None:
    stage = {"depth": [0, 1, 2], "kernel": [1, 3, 5, 7, 9, 11], "padding": ["valid", "same"], "stride": [1, 2]}
    document = {"schema": 1, "per": "block", "stages": [{**stage, "pool": ["none", "max"]}] * 6}
    request = {"space": document, "input_shape": [1, 32, 29], "classes": 3}
    report = service.post("/v1/spaces/validate", json=request).json()
    assert report["size"] is None
    assert report["size_exact"] is False
    assert report["size_log10"] > 10
    assert 0 < report["size_log10_error"] < report["size_log10"]


@pytest.mark.heavy
def test_the_feasible_share_comes_with_its_interval(service: Service) -> None:
    report = service.post("/v1/spaces/validate", json=ladder("receptive_field >= 25")).json()
    low, high = report["feasible_interval"]
    assert 0 < low < report["feasible_share"] < high < 1
    assert high - low < 0.12  # 300 draws


@pytest.mark.heavy
def test_a_thin_space_shows_a_feasible_example_that_no_draw_found(service: Service) -> None:
    report = service.post("/v1/spaces/validate", json=ladder("receptive_field >= 61", layers=10)).json()
    assert report["feasible_share"] == 0
    assert report["feasible_interval"] == [0, pytest.approx(0.0126, abs=1e-4)]
    assert report["example_measures"]["receptive_field"] == 61
    empty = service.post("/v1/spaces/validate", json=ladder("receptive_field >= 50", layers=2)).json()
    assert empty["example"] is None


@pytest.mark.parametrize(
    ("constraint", "says"),
    [
        ("weights <= 3", "there is no measure 'weights' (position 1)"),
        ("params <= 3 and 1e6 / 0 > macs", "the divisor after position 21 is zero"),
        ("1 < 2", "is between numbers, so always true"),
        ("latency_ms < 5", "known only after a network was built and run"),
        ("params <=", "ends too early"),
    ],
)
def test_a_constraint_that_cannot_be_read(service: Service, constraint: str, says: str) -> None:
    for document, pointer in (
        ("/v1/spaces/validate", ladder("depth > 1", constraint)),
        ("/v1/jobs", {**DIGITS, "space": ladder("depth > 1", constraint)["space"]}),
    ):
        body = check_problem(service.post(document, json=pointer), 422)
        [fault] = body["errors"]
        assert (fault["pointer"], fault["rule"]) == ("/space/constraints/1", "expression_invalid")
        assert says in fault["detail"]
        assert fault["allowed"] == list(MEASURES)
    job = {**DIGITS, "space": "tiny", "objective": {"constraints": ["depth > 1", constraint]}}
    answer = service.post("/v1/jobs", json=job)
    if "latency_ms" in constraint:
        assert answer.status_code == 202, "the trials' workers measure it"
        return
    [fault] = check_problem(answer, 422)["errors"]
    assert (fault["pointer"], fault["rule"]) == ("/objective/constraints/1", "expression_invalid")


def test_a_document_of_ten_megabytes(service: Service) -> None:
    body = b'{"space": {"name": "' + b"a" * 10_000_000 + b'"}, "dataset": "digits"}'
    headers = {"Content-Type": "application/json"}
    check_problem(service.post("/v1/spaces/validate", content=body, headers=headers), 413, "body_too_large")


@pytest.mark.parametrize("bracket", ["[]", "{}"])
def test_a_deeply_nested_document(service: Service, bracket: str) -> None:
    opening = '{"a":' if bracket == "{}" else "["
    nested = opening * 100_000 + "1" + bracket[1] * 100_000
    body = '{"dataset": "digits", "space": {"schema": 1, "stages": ' + nested + "}}"
    headers = {"Content-Type": "application/json"}
    answer = service.post("/v1/spaces/validate", content=body.encode(), headers=headers)
    [fault] = check_problem(answer, 400)["errors"]
    assert fault["rule"] == "json_too_deep"


@pytest.mark.parametrize(
    ("document", "pointer", "rule"),
    [
        ({"space": "tiny"}, "", "missing_field"),
        ({"space": "tiny", "input_shape": [1, 8, 8]}, "", "missing_field"),
        ({"space": "tiny", **DIGITS, "classes": 3}, "/dataset", "ambiguous"),
        ({"space": "tiny", "dataset": "none"}, "/dataset", "dataset_not_found"),
        ({"space": "tiny", "input_shape": [8] * 5, "classes": 3}, "/input_shape", ""),
        ({"space": "tiny", "input_shape": [1] * 5, "classes": 3}, "/input_shape", "out_of_range"),
        ({"space": "tiny", "input_shape": [1, 5000, 8], "classes": 3}, "/input_shape/1", "out_of_range"),
        ({"space": "tiny", "data": "volume", "input_shape": [1, 8, 8], "classes": 3}, "/input_shape", "out_of_range"),
        ({"space": "tiny", "data": "text", "input_shape": [1, 8, 8], "classes": 3}, "/data", "choice_unknown"),
        ({"space": "tiny", **DIGITS, "data": "image"}, "/dataset", "ambiguous"),
        ({"space": "graph_node", **DIGITS}, "/space/data", "data_mismatch"),
        ({"space": "graph_node", "input_shape": [1, 8, 8], "classes": 3}, "/space/data", "data_mismatch"),
        ({"space": "graph_node", "data": "graphs", "input_shape": [8], "classes": 3}, "/space/data", "data_mismatch"),
        ({"space": "tiny", "input_shape": [8], "classes": 3}, "/space/data", "data_mismatch"),
        ({"space": "tiny", "input_shape": [0, 8, 8], "classes": 3}, "/input_shape/0", "out_of_range"),
        ({"space": "tiny", "input_shape": [1, 8, 8], "classes": 1}, "/classes", "out_of_range"),
        ({"space": "tni", **DIGITS}, "/space", "choice_unknown"),
        ({**DIGITS}, "/space", "missing_field"),
        ({"space": {}, **DIGITS}, "/space/stages", ""),
        ({"space": {"name": "x", "stages": []}, **DIGITS}, "/space/stages", ""),
    ],
)
def test_faults_have_pointers(service: Service, document: dict[str, Any], pointer: str, rule: str) -> None:
    body = check_problem(service.post("/v1/spaces/validate", json=document), 422)
    assert any(fault["pointer"] == pointer and rule in (fault["rule"], "") for fault in body["errors"]), body
    assert body["example"] == {"space": "chain", "dataset": "digits"}
