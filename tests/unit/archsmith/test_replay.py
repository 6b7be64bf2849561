"""Comparing two reports of one search: every kind of difference is named."""

import copy
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from archsmith import ClientError, replay
from archsmith.cli import run
from archsmith.commands.watching import FAILED, OK
from tests.unit.archsmith.fake_service import JOB, FakeService, answer, job


def row(number: int, score: float | None = 0.5, **changes: Any) -> dict[str, Any]:
    ended = {"provenance": "controller", "state": "completed" if score else "cancelled"}
    return {"trial": number, **ended, "hash": f"h{number}", "search_score": score, **changes}


def final(trial: int, role: str, score: float) -> dict[str, Any]:
    return {"role": role, "trial": trial, "hash": f"h{trial}", "seed": 0, "final_score": score}


REPORT: dict[str, Any] = {
    "stopped_because": "budget_trials",
    "job": {"document": {"dataset": "digits", "reproducible": True, "trial": {"precision": "fp32"}}},
    "dataset": {"sha256": "d", "split_hashes": {"test": "t"}},
    "hashes": {"space": "s", "document": "x"},
    "history": [row(0), row(1, None), row(2, 0.75)],
    "finalists": [final(2, "finalist", 0.9)],
    "references": [final(0, "baseline", 0.8)],
    "environment": {"python": "3.11.7", "packages": {"torch": "2.13.0"}},
}


def changed(*path: Any, to: Any) -> dict[str, Any]:
    other = copy.deepcopy(REPORT)
    place: Any = other
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return other


def test_equal_reports() -> None:
    found = replay.compare(REPORT, changed("hashes", "document", to="a calibration was fixed"))
    assert found.same
    assert found.lines == (
        "inputs: the same data, splits and space",
        "architectures: the same 3 in the same order",
        "search scores: the same 3",
        "final scores: the same 2",
    )


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (changed("dataset", "sha256", to="e"), "inputs: dataset.sha256 differ"),
        (changed("history", 1, "hash", to="h9"), "architectures: 3 before, 3 now, 2 in both; the first 1 are equal"),
        (
            changed("history", to=REPORT["history"][:2]),
            "architectures: 3 before, 2 now, 2 in both; the first 2 are equal",
        ),
        (changed("history", 2, "search_score", to=0.5), "search scores: 1 of 3 differ, by up to 0.2500"),
        (changed("finalists", 0, "final_score", to=0.91), "final scores: 1 of 2 differ, by up to 0.0100"),
    ],
)
def test_each_difference_is_named(other: dict[str, Any], says: str) -> None:
    found = replay.compare(REPORT, other)
    assert not found.same
    assert says in found.lines


TIMED = {
    **REPORT,
    "stopped_because": "budget_seconds",
    "finalists": [],
    "history": [row(0), row(1), row(2, 0.75), row(3)],
}


def test_searches_ended_by_seconds_compare_the_trials_in_both() -> None:
    found = replay.compare(REPORT, TIMED)
    assert found.same
    assert found.lines[1:] == (
        "inputs: the same data, splits and space",
        "architectures: 2 before, 4 now, 2 trials in both, all equal",
        "search scores: the same 2",
    )


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row(0), row(2, 0.75, hash="h9")], "architectures: 2 before, 2 now, 2 trials in both, trial 2 differs"),
        ([row(0), row(2, 0.5)], "search scores: 1 of 2 differ, by up to 0.2500"),
    ],
)
def test_differences_of_searches_ended_by_seconds(rows: list[dict[str, Any]], says: str) -> None:
    found = replay.compare(REPORT, {**TIMED, "history": rows})
    assert not found.same
    assert says in found.lines


def test_another_environment_is_reported_but_is_no_difference() -> None:
    found = replay.compare(REPORT, changed("environment", "packages", to={"torch": "2.14.0"}))
    assert found.same
    assert found.lines[-1] == "environment: packages was torch 2.13.0, is torch 2.14.0"


def test_a_report_is_read_from_its_file_and_from_its_bundle(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.write(tmp_path / "report.json", "report.json")
    assert replay.read(tmp_path / "report.json") == replay.read(tmp_path / "bundle.zip") == REPORT


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"job": {"spec": {}}}'])
def test_a_file_without_a_report_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ClientError):
        replay.read(tmp_path / "report.json")


@pytest.mark.parametrize(("score", "code"), [(0.9, OK), (0.8, FAILED)])
def test_the_command_submits_waits_and_compares(
    service: FakeService, tmp_path: Path, capsys: pytest.CaptureFixture[str], score: float, code: int
) -> None:
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    service.on("POST", "/v1/jobs", answer(job("queued"), 202))
    service.on("GET", f"/v1/jobs/{JOB}", answer(job("succeeded")))
    service.on("GET", f"/v1/jobs/{JOB}/report", answer(changed("finalists", 0, "final_score", to=score)))
    assert run(["replay", str(tmp_path / "report.json"), "--url", service.url]) == code
    assert service.to("/v1/jobs")[0].json() == REPORT["job"]["document"]
    assert "architectures: the same 3 in the same order" in capsys.readouterr().out


def test_a_dry_run_prints_the_price_and_submits_nothing(
    service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    span = {"low": 10.0, "expected": 70.0, "high": 4000.0}
    price = {
        "phases": {"random_arm": span},
        "seconds": span,
        "trials": span,
        "disk_bytes": span,
        "warnings": ["unequal"],
    }
    service.on("POST", "/v1/jobs", answer(price))
    assert run(["submit", "--dataset", "digits", "--dry-run", "--url", service.url]) == OK
    assert [request.query for request in service.to("/v1/jobs")] == [{"dry_run": "true"}]
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1] == "warning: unequal"
    lines = [line.split("  ") for line in printed.out.splitlines()]
    assert [cell.strip() for cell in lines[1] if cell.strip()] == ["random arm", "10 s", "1 min 10 s", "1 h 06 min"]


def test_a_report_of_an_early_version_is_run_again_without_the_seconds_of_its_search() -> None:
    early = {"job": {"document": {"dataset": "digits", "budget": {"trials": 3, "seconds": 60.0, "epochs": 2}}}}
    assert replay.document(early) == {"dataset": "digits", "budget": {"trials": 3, "epochs": 2}}
    planned = {"job": {"document": {"dataset": "digits", "budget": {"trials": None, "seconds": 60.0, "epochs": None}}}}
    assert replay.document(planned) == planned["job"]["document"]
