"""`archsmith dataset list | show | delete`, what `upload` says, and errors in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archsmith.errors import Fault, InvalidInput
from tests.unit.archsmith.conftest import Ran
from tests.unit.archsmith.fake_service import Answer, FakeService, answer, problem

Archsmith = Callable[..., Ran]
SAME = "4 samples are in more than one class at once"
VIEW: dict[str, Any] = {
    "name": "pets",
    "format": "images",
    "kind": "image",
    "tasks": ["image"],
    "input_shape": [3, 64, 64],
    "classes": 2,
    "class_names": ["[red] cat", "dog"],
    "counts": [1200, 800],
    "split_counts": {"train": [960, 640], "val": [120, 80], "test": [120, 80]},
    "columns": [],
    "train": 1600,
    "val": 200,
    "test": 200,
    "bytes": 24_576_000,
    "sha256": "ab" * 32,
    "check": {"findings": [{"rule": "same_sample_two_classes", "detail": SAME, "examples": ["cat/1.png = dog/7.png"]}]},
    "warnings": [SAME, "folder empty holds no pictures"],
    "report": {},
    "created_at": "2026-01-02T03:04:05Z",
    "links": {},
}


def test_show_prints_splits_classes_and_findings(service: FakeService, archsmith: Archsmith) -> None:
    service.on("GET", "/v1/datasets/pets", answer(VIEW))
    ran = archsmith("dataset", "show", "pets")
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["samples", "2,000:", "1,600", "train,", "200", "val,", "200", "test"] in lines
    assert ["[red]", "cat", "1,200", "960", "120", "120"] in lines
    assert "same sample two classes" in ran.out
    assert SAME in ran.out
    assert "cat/1.png = dog/7.png" in ran.out
    assert "warning: folder empty holds no pictures" in ran.out
    assert ran.out.count(SAME) == 1


def test_show_of_graphs_and_of_old_and_sound_data_sets(service: FakeService, archsmith: Archsmith) -> None:
    sound = VIEW | {"check": {"findings": []}, "warnings": [], "columns": ["mass", "charge"]}
    service.on("GET", "/v1/datasets/pets", answer(sound))
    ran = archsmith("dataset", "show", "pets")
    assert "the check found nothing" in ran.out
    assert ["1", "charge"] in [line.split() for line in ran.out.splitlines()]
    many = [f"class{number}" for number in range(200)]
    old = {key: value for key, value in VIEW.items() if key not in ("check", "warnings", "split_counts", "columns")}
    old |= {"report": {"warnings": ["class a has no training samples"]}, "class_names": many, "counts": [*range(200)]}
    service.on("GET", "/v1/datasets/pets", answer(old))
    ran = archsmith("dataset", "show", "pets")
    assert "not checked" in ran.out
    assert "warning: class a has no training samples" in ran.out
    assert "… and 170 larger ones" in ran.out
    service.on("GET", "/v1/datasets/none", problem(404, "not_found", "there is no data set 'none'"))
    assert archsmith("dataset", "show", "none").code == 4


def test_list_has_sizes_and_numbers_of_warnings(service: FakeService, archsmith: Archsmith) -> None:
    service.on("GET", "/v1/datasets", answer({"items": [VIEW]}))
    ran = archsmith("dataset", "list")
    assert ["pets", "images", "3×64×64", "2", "image", "2,000", "2"] in [line.split() for line in ran.out.splitlines()]


def test_delete_is_refused_with_the_reason(service: FakeService, archsmith: Archsmith) -> None:
    service.on("DELETE", "/v1/datasets/pets", Answer(status=204))
    ran = archsmith("dataset", "delete", "pets")
    assert (ran.code, ran.out) == (0, "removed pets\n")
    assert (service.requests[-1].path, service.requests[-1].query) == ("/v1/datasets/pets", {})
    archsmith("dataset", "delete", "pets", "--force")
    assert service.requests[-1].query == {"force": "true"}
    service.on("DELETE", "/v1/datasets/pets", problem(409, "dataset_in_use", "a job uses it", state="running"))
    ran = archsmith("dataset", "delete", "pets")
    assert (ran.code, ran.err) == (4, "archsmith: a job uses it\n")


def test_upload_tells_at_once_what_was_found(service: FakeService, archsmith: Archsmith, tmp_path: Path) -> None:
    (tmp_path / "pets.zip").write_bytes(b"PK")
    service.on("POST", "/v1/datasets", answer(VIEW))
    ran = archsmith("upload", "pets", str(tmp_path / "pets.zip"), "--replace", "--force")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "pets: 2 classes of 3×64×64",
        "2,000 samples: 1,600 train, 200 val, 200 test",
        "classes: [red] cat 1,200, dog 800",
    ]
    assert ran.err.splitlines() == [
        f"warning: {SAME}",
        "warning: folder empty holds no pictures",
        "`archsmith dataset show pets` has examples",
    ]
    body = service.requests[-1].body
    assert b'name="replace"' in body
    assert b'name="force"' in body


@pytest.mark.parametrize(
    ("pointer", "detail", "words"),
    [
        ("/files/cats.zip", "it is cut off", "file cats.zip: it is cut off"),
        ("/files/cats.zip", "cats.zip is cut off", "cats.zip is cut off"),
        ("/files/a~1b.png", "it is empty", "file a/b.png: it is empty"),
        ("/file", "the upload has no file", "the upload has no file"),
        ("", "no valid JSON", "no valid JSON"),
        ("/budget/trials", "must be >= 1, got 0", "budget.trials: must be >= 1, got 0"),
        ("/space/stages/0/width", "too wide", "space.stages[0].width: too wide"),
    ],
)
def test_faults_are_told_in_words(
    service: FakeService, archsmith: Archsmith, pointer: str, detail: str, words: str
) -> None:
    fault = Fault(pointer=pointer, rule="r", detail=detail)
    assert fault.words == words
    assert InvalidInput([fault, fault]).words == f"{words}; {words}"
    sent = {"pointer": pointer, "rule": "r", "detail": detail, "allowed": None}
    service.on("GET", "/v1/datasets", problem(422, "r", f"{pointer}: {detail}", errors=[sent]))
    assert archsmith("datasets").err == f"archsmith: {words}\n"


def test_upload_says_what_arrays_hold_if_it_is_told(service: FakeService, archsmith: Archsmith, tmp_path: Path) -> None:
    (tmp_path / "ecg.npz").write_bytes(b"PK")
    service.on("POST", "/v1/datasets", answer(VIEW))
    assert archsmith("upload", "ecg", str(tmp_path / "ecg.npz"), "--kind", "series").code == 0
    assert b'name="kind"\r\n\r\nseries' in service.requests[-1].body
    assert archsmith("upload", "ecg", "--path", "/data/ecg.npz", "--kind", "series").code == 0
    assert service.requests[-1].json()["kind"] == "series"
