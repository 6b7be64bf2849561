"""Presets, the schema, and what a document of one's own would give."""

from typing import Any

import jsonschema
import pytest

from tests.spaces import shapes_of
from tests.unit.api.support import Service, check_problem

DIGITS = {"dataset": "digits"}


def test_presets_come_whole_and_keep_the_schema(service: Service) -> None:
    schema = service.get("/v1/spaces/schema").json()
    presets = service.get("/v1/spaces").json()
    assert {"chain", "branching", "tiny"} <= {item["name"] for item in presets["items"]}
    assert service.get(presets["links"]["schema"]).status_code == 200
    for item in presets["items"]:
        jsonschema.validate(item["document"], schema)
        shape = list(shapes_of(item["name"])[1])
        asked = {"space": item["document"], "input_shape": shape, "classes": 2}
        assert service.post("/v1/spaces/validate", json=asked).status_code == 200


def test_a_small_space_is_counted_and_measured_whole(service: Service) -> None:
    report = service.post("/v1/spaces/validate", json={"space": "tiny", **DIGITS}).json()
    assert report["valid"] is True
    assert report["size_exact"] is True
    assert report["sampled"] == min(report["size"], 300)
    assert 0 < report["feasible_share"] <= 1
    params = report["costs"]["params"]
    assert params["min"] <= params["p25"] <= params["p50"] <= params["p75"] <= params["max"]
    assert params["min"] <= report["example_measures"]["params"] <= params["max"]
    assert report["example"]["schema_version"] == "2"


def test_a_shape_may_be_given_instead_of_a_data_set(service: Service) -> None:
    document = {"space": "chain", "input_shape": [3, 32, 32], "classes": 10}
    report = service.post("/v1/spaces/validate", json=document).json()
    assert report["input_shape"] == [3, 32, 32]
    assert report["size_log10"] > 2


@pytest.mark.parametrize(
    ("document", "pointer", "rule"),
    [
        ({"space": "tiny"}, "", "missing_field"),
        ({"space": "tiny", "input_shape": [1, 8, 8]}, "", "missing_field"),
        ({"space": "tiny", **DIGITS, "classes": 3}, "/dataset", "ambiguous"),
        ({"space": "tiny", "dataset": "none"}, "/dataset", "dataset_not_found"),
        ({"space": "tiny", "input_shape": [8, 8], "classes": 3}, "/input_shape", "out_of_range"),
        ({"space": "tiny", "input_shape": [0, 8, 8], "classes": 3}, "/input_shape/0", "out_of_range"),
        ({"space": "tiny", "input_shape": [1, 8, 8], "classes": 1}, "/classes", "out_of_range"),
        ({"space": "tni", **DIGITS}, "/space", "choice_unknown"),
        ({**DIGITS}, "/space", "missing_field"),
        ({"space": {}, **DIGITS}, "/space/stages", ""),
        ({"space": {"name": "x", "stages": []}, **DIGITS}, "/space/stages", ""),
    ],
)
def test_faults_are_pointed_at(service: Service, document: dict[str, Any], pointer: str, rule: str) -> None:
    body = check_problem(service.post("/v1/spaces/validate", json=document), 422)
    assert any(fault["pointer"] == pointer and rule in (fault["rule"], "") for fault in body["errors"]), body
    assert body["example"] == {"space": "chain", "dataset": "digits"}
