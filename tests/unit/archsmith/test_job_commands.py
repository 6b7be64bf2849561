"""Commands that read what a job has done, with answers of a prepared service."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archsmith.commands import sparkline
from tests.unit.archsmith.conftest import Ran
from tests.unit.archsmith.fake_service import JOB, Answer, FakeService, answer, job, problem

Run = Callable[..., Ran]
OTHER = "11119999-2222-3333-4444-555555555555"


def _trial(number: int, **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "state": "completed",
        "reason": None,
        "hash": f"h{number}",
        "params": 100 * (5 - number),
        "macs": 7,
    }
    fields |= {"search_score": number / 10, "seconds": 1.234, "epochs": 2, "provenance": "controller", "measures": {}}
    points = [{"epoch": e, "score": number / 10 + e / 100, "train_loss": None, "seconds": 0.5} for e in (1, 2)]
    return {"number": number, "choices": {"stages.0.width": 8}, "measurements": points, **fields, **more}


@pytest.fixture
def trials(service: FakeService) -> list[dict[str, Any]]:
    found = [_trial(0), _trial(1), _trial(2, state="failed", reason="diverged", search_score=None, measurements=[])]
    service.on("GET", f"/v1/jobs/{JOB}/trials", answer({"items": found, "next": None}))
    for one in found:
        service.on("GET", f"/v1/jobs/{JOB}/trials/{one['number']}", answer(one))
    return found


def test_the_beginning_of_an_id_is_enough(service: FakeService, archsmith: Run) -> None:
    service.on("GET", "/v1/jobs", answer({"items": [job(), job(id=OTHER)], "next": None}))
    service.on("GET", f"/v1/jobs/{JOB}", answer(job("succeeded", final_score=0.9)))
    assert archsmith("status", JOB[:5]).out.startswith("succeeded, 3/20 trials done")
    several = archsmith("status", "1111")
    assert (several.code, several.out) == (2, "")
    assert "2 jobs have ids that begin with '1111'" in several.err
    none = archsmith("status", "abc")
    assert (none.code, none.err) == (4, "archsmith: there is no job whose id begins with 'abc'\n")
    asked = len(service.to("/v1/jobs"))
    archsmith("status", JOB)
    assert len(service.to("/v1/jobs")) == asked, "a whole id is not looked up"


def test_show_tells_what_is_searched_planned_and_found(service: FakeService, archsmith: Run) -> None:
    spec = {"space": {"name": "tiny"}, "controller": {"name": "auto"}, "budget": {"seconds": 90.0, "trials": 5}}
    document = job(spec=spec, plan={"architectures": 63, "seconds": 90.0}, doing="searches", started_at=None)
    service.on("GET", f"/v1/jobs/{JOB}", answer(document))
    shown = archsmith("show", JOB).out
    for words in ("space        tiny", "budget       1 min 30 s, at most 5 trials", "planned      63 architectures"):
        assert words in shown
    assert "best         0.9500 (trial 2)" in shown
    assert "final score" not in shown
    assert json.loads(archsmith("show", JOB, "--json").out) == document


def test_trials_are_sorted_filtered_and_written_for_programs(archsmith: Run, trials: list[dict[str, Any]]) -> None:
    table = archsmith("trials", JOB, "--sort", "-score").out.splitlines()
    assert table[0].split() == ["TRIAL", "STATE", "SCORE", "EPOCHS", "PARAMS", "MACS", "SECONDS", "FROM", "REASON"]
    assert [line.split()[0] for line in table[1:]] == ["1", "0", "2"], "without a score last"
    [failed] = archsmith("trials", JOB, "--state", "failed").out.splitlines()[1:]
    assert failed.endswith("diverged")
    rows = list(csv.DictReader(io.StringIO(archsmith("trials", JOB, "--csv").out)))
    assert [(row["trial"], row["score"], row["reason"]) for row in rows] == [
        ("0", "0.0", ""), ("1", "0.1", ""), ("2", "", "diverged")
    ]  # fmt: skip
    lines = [json.loads(line) for line in archsmith("trials", JOB, "--json", "--limit", "2").out.splitlines()]
    assert [line["hash"] for line in lines] == ["h0", "h1"]
    assert archsmith("trials", JOB, "--sort", "colour").code == 2
    assert archsmith("trials", JOB, "--json", "--csv").code == 2
    assert trials


def test_curves_are_lines_for_people_and_measurements_for_programs(
    archsmith: Run, trials: list[dict[str, Any]]
) -> None:
    assert archsmith("curve", JOB).out.splitlines() == [
        "trial 0  ▁█  0.0100 to 0.0200", "trial 1  ▁█  0.1100 to 0.1200"
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(archsmith("curve", JOB, "--trial", "1", "--csv").out)))
    assert [(row["trial"], row["epoch"], row["train_loss"]) for row in rows] == [("1", "1", ""), ("1", "2", "")]
    assert trials


@pytest.mark.parametrize(
    ("values", "line"), [([1.0], "▁"), ([2.0, 2.0], "▁▁"), ([0, 0.5, 1], "▁▅█"), (list(range(100)), None)]
)
def test_a_sparkline(values: list[float], line: str | None) -> None:
    drawn = sparkline.of(values)
    if line is None:
        assert (len(drawn), drawn[0], drawn[-1]) == (sparkline.WIDTH, "▁", "█")
        assert sorted(drawn) == list(drawn)
    else:
        assert drawn == line


@pytest.mark.usefixtures("trials")
def test_the_best_architecture(service: FakeService, archsmith: Run) -> None:
    best = {"trial": 1, "search_score": 0.1, "hash": "h1", "measures": {}, "architecture": {"nodes": []}}
    service.on("GET", f"/v1/jobs/{JOB}/best", answer(best))
    shown = archsmith("best", JOB).out
    assert "score   0.1000" in shown
    assert "stages.0.width  8" in shown
    assert json.loads(archsmith("best", JOB, "--json").out) == best
    service.on("GET", f"/v1/jobs/{JOB}/best", problem(409, "not_ready", "no trial has completed yet"))
    assert archsmith("best", JOB).code == 4


def test_the_report_in_words_and_as_a_page(service: FakeService, archsmith: Run, tmp_path: Path) -> None:
    report = {
        "job": {"id": JOB}, "winner": {"trial": 3}, "final_score": 0.91, "score": "balanced_accuracy",
        "warnings": ["few samples"], "simple_models": {"words": "the best simple model scores 0.8"},
        "gains": {"over_random": {"words": "gain over random: +0.01"}},
    }  # fmt: skip
    service.on("GET", f"/v1/jobs/{JOB}/report", answer(report))
    service.on("GET", f"/v1/jobs/{JOB}/report.html", Answer(body=b"<p>page</p>"))
    page = tmp_path / "report.html"
    ran = archsmith("report", JOB, "-o", str(page))
    assert ran.out.splitlines() == [
        "winner: trial 3, balanced accuracy 0.9100 on the test split", "gain over random: +0.01",
        "the best simple model scores 0.8", str(page),
    ]  # fmt: skip
    assert ran.err == "warning: few samples\n"
    assert page.read_text() == "<p>page</p>"
    assert json.loads(archsmith("report", JOB, "--json").out) == report


def test_open_prints_the_page_and_opens_it(
    service: FakeService, archsmith: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("archsmith.commands.jobs.webbrowser.open", opened.append)
    service.on("GET", f"/v1/jobs/{JOB}", answer(job(mlflow_url="http://127.0.0.1:5000/#/x")), answer(job()))
    assert archsmith("open", JOB).out == "http://127.0.0.1:5000/#/x\n"
    assert opened == ["http://127.0.0.1:5000/#/x"]
    assert archsmith("open", JOB).code == 4


def test_logs_and_delete(service: FakeService, archsmith: Run) -> None:
    service.on("GET", f"/v1/jobs/{JOB}/log", Answer(body=b"one\ntwo\n"))
    assert archsmith("logs", JOB, "-n", "2").out == "one\ntwo\n"
    assert service.requests[-1].query == {"lines": "2"}
    service.on("DELETE", f"/v1/jobs/{JOB}", Answer(status=204))
    assert archsmith("delete", JOB, "--mlflow").out == f"removed {JOB}\n"
    assert service.requests[-1].query == {"mlflow": "true"}


def test_jobs_for_programs(service: FakeService, archsmith: Run) -> None:
    service.on("GET", "/v1/jobs", answer({"items": [job(), job(best=None)], "next": None}))
    rows = list(csv.DictReader(io.StringIO(archsmith("jobs", "--csv").out)))
    assert [(row["id"], row["trials"], row["best"]) for row in rows] == [(JOB, "3/20", "0.95"), (JOB, "3/20", "")]
    assert [json.loads(line)["id"] for line in archsmith("jobs", "--json").out.splitlines()] == [JOB, JOB]
