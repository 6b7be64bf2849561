"""Commands about spaces and controllers, and those for the first day."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.unit.archsmith.conftest import Ran
from tests.unit.archsmith.fake_service import JOB, FakeService, answer, job

Run = Callable[..., Ran]
COSTS = {"min": 453.0, "p5": 500.0, "p25": 1432.75, "p50": 3893.0, "p75": 10462.75, "p95": 3e4, "max": 33850.0}


def test_presets_and_the_document_of_one(service: FakeService, archsmith: Run) -> None:
    document = {"schema": 1, "name": "tiny", "stages": [{"width": [8]}]}
    service.on("GET", "/v1/spaces", answer({"items": [{"name": "tiny", "document": document}]}))
    assert archsmith("spaces").out.splitlines()[1].split()[0] == "tiny"
    assert json.loads(archsmith("spaces", "tiny").out) == document
    assert "there are tiny" in archsmith("spaces", "huge").err


def test_a_space_is_checked_for_a_data_set_or_a_shape(service: FakeService, archsmith: Run, tmp_path: Path) -> None:
    found = {"name": "tiny", "size": 192, "size_log10": 2.28, "feasible_share": 1.0, "costs": {"params": COSTS}}
    service.on("POST", "/v1/spaces/validate", answer(found))
    shown = archsmith("validate", "tiny", "--shape", "3x32x32", "--classes", "5").out.splitlines()
    assert shown[0] == "tiny is valid: 192 ways to decide, 100% keep its constraints"
    assert shown[2].split() == ["params", "453", "1,433", "3,893", "10,463", "33,850"]
    assert service.requests[-1].json() == {"space": "tiny", "input_shape": [3, 32, 32], "classes": 5}
    file = tmp_path / "space.yaml"
    file.write_text("schema: 1\nstages: []\n")
    assert json.loads(archsmith("validate", str(file), "--dataset", "digits", "--json").out) == found
    assert service.requests[-1].json() == {"space": {"schema": 1, "stages": []}, "dataset": "digits"}
    for wrong in (["tiny"], ["tiny", "--shape", "3xA"], [str(tmp_path / "none.yaml"), "--dataset", "digits"]):
        assert archsmith("validate", *wrong).code == 2


def test_controllers_and_their_options(service: FakeService, archsmith: Run) -> None:
    rule = {"type": "integer", "minimum": 2, "maximum": 9, "default": 4}
    items = [{"name": "auto", "options": {}}, {"name": "evolution", "options": {"population": rule}}]
    service.on("GET", "/v1/controllers", answer({"items": items}))
    lines = [line.split() for line in archsmith("controllers").out.splitlines()[1:]]
    assert lines == [["auto", "-", "-", "-"], ["evolution", "population", "4", "2", "to", "9"]]
    assert [json.loads(line) for line in archsmith("controllers", "--json").out.splitlines()] == items


def test_the_document_of_init_can_be_posted(service: FakeService, archsmith: Run, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    assert archsmith("init", str(file), "--seconds", "60").out == f"{file}\n"
    assert archsmith("init", str(file)).code == 2, "it is not overwritten"
    service.on("POST", "/v1/jobs", answer(job("queued"), 202))
    assert archsmith("submit", str(file), "--seed", "3").out == f"{JOB}\n"
    sent = service.requests[-1].json()
    assert sent == {**yaml.safe_load(file.read_text()), "seed": 3}
    assert sent["budget"] == {"seconds": 60}


@pytest.mark.parametrize("text", ["[1, 2]", "{", "a: [", "plain"])
def test_what_is_no_document_is_refused(archsmith: Run, tmp_path: Path, text: str) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(text)
    ran = archsmith("submit", str(file))
    assert ran.code == 2
    assert "job.yaml" in ran.err
