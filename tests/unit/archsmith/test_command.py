"""The command against a fake service: requests, output and exit codes."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from archsmith import cli, formats, programs
from archsmith.commands import progress
from archsmith.values import Job
from tests.unit.archsmith.conftest import Ran
from tests.unit.archsmith.fake_service import JOB, Answer, FakeService, answer, job, problem

Archsmith = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archsmith.client.time.sleep", lambda seconds: None)


def one_line(text: str) -> bool:
    return text.endswith("\n") and text.count("\n") == 1


def test_options_of_submit_override_the_document(service: FakeService, archsmith: Archsmith, tmp_path: Path) -> None:
    service.on("POST", "/v1/jobs", answer(job("queued"), 202))
    (tmp_path / "job.json").write_text('{"dataset": "digits", "seed": 1, "budget": {"trials": 5, "epochs": 2}}')
    (tmp_path / "space.yaml").write_text("version: 1\nstages: []\n")
    ran = archsmith("submit", str(tmp_path / "job.json"), "--trials", "9", "--space", str(tmp_path / "space.yaml"),
                    "--constraint", "params <= 1e5", "--constraint", "macs <= 1e6", "--controller", "tpe")  # fmt: skip
    assert (ran.code, ran.out) == (0, JOB + "\n"), "the id alone, for scripts"
    assert service.requests[0].json() == {
        "dataset": "digits",
        "seed": 1,
        "space": {"version": 1, "stages": []},
        "controller": "tpe",
        "budget": {"trials": 9, "epochs": 2},
        "objective": {"constraints": ["params <= 1e5", "macs <= 1e6"]},
    }


def test_submit_says_what_is_maximised_and_minimised(service: FakeService, archsmith: Archsmith) -> None:
    service.on("POST", "/v1/jobs", answer(job("queued"), 202), answer(job("queued"), 202))
    ran = archsmith("submit", "--dataset", "d", "--score", "balanced_accuracy", "--class-weights", "1,2.5,1e3")
    assert ran.code == 0
    assert archsmith("submit", "--dataset", "d", "--loss", "huber", "--class-weights", "balanced").code == 0
    assert [request.json() for request in service.requests] == [
        {"dataset": "d", "objective": {"score": "balanced_accuracy"}, "trial": {"class_weights": [1.0, 2.5, 1000.0]}},
        {"dataset": "d", "trial": {"loss": "huber", "class_weights": "balanced"}},
    ]
    wrong = archsmith("submit", "--dataset", "d", "--class-weights", "1;2")
    assert (wrong.code, "'1;2' cannot be read: give balanced" in wrong.err) == (2, True)


def test_submit_has_options_for_resources_objectives_and_comparisons(
    service: FakeService, archsmith: Archsmith
) -> None:
    service.on("POST", "/v1/jobs", answer(job("queued"), 202), answer(job("queued"), 202))
    ran = archsmith("submit", "--dataset", "d", "--objective", "score", "--minimize", "params", "--minimize", "macs",
                    "--cpus", "0.5", "--gpus", "1", "--seeds", "2", "--comparison", "full",
                    "--compress", "cluster, huffman")  # fmt: skip
    assert ran.code == 0
    assert archsmith("submit", "--dataset", "d", "--compress", "default").code == 0
    assert [request.json() for request in service.requests] == [
        {
            "dataset": "d",
            "objective": {"maximize": ["score"], "minimize": ["params", "macs"]},
            "trial": {"cpus": 0.5, "gpus": 1.0},
            "finalists": {"seeds": 2},
            "comparison": "full",
            "compress": {"steps": ["cluster", "huffman"]},
        },
        {"dataset": "d", "compress": {}},
    ]


def test_predict_and_verify_run_as_processes(archsmith: Archsmith, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(name: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        ran.append([name, *arguments])
        return subprocess.CompletedProcess(arguments, 1)

    monkeypatch.setattr(programs, "run", run)
    assert archsmith("predict", "b.zip", "a.png", "-b.npy", "--json").code == 2, "an option it does not have"
    assert archsmith("predict", "b.zip", "--top", "5", "--json", "--", "a.png", "-b.npy").code == 1
    assert archsmith("verify", "b.zip", "--no-code").code == 1
    assert ran == [
        ["predict", "--top", "5", "--json", "--", "b.zip", "a.png", "-b.npy"],
        ["verify", "--no-code", "--", "b.zip"],
    ]


def test_submit_reads_standard_input(
    service: FakeService, archsmith: Archsmith, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.on("POST", "/v1/jobs", answer(job("queued"), 202))
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"dataset": "digits"}'))
    assert archsmith("submit", "-", "--space", "tiny").code == 0
    assert service.requests[0].json() == {"dataset": "digits", "space": "tiny"}


def test_watch_prints_a_line_per_change_without_a_terminal(service: FakeService, archsmith: Archsmith) -> None:
    views = [job("queued", best=None, progress={"trials": {}, "trials_total": 4}), job(), job(), job("succeeded")]
    service.on("GET", f"/v1/jobs/{JOB}", *[answer(view) for view in views])
    ran = archsmith("watch", JOB)
    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert lines[0] == "queued, 0/4 trials done"
    assert lines[1] == "running, 3/20 trials done, 1 running, best 0.9500 (trial 2), about 34 s left"
    assert lines[2].startswith("succeeded, 3/20 trials done")
    assert lines[3].startswith("done after 6 s of search")
    assert len(lines) == 4


@pytest.mark.parametrize(("state", "reason"), [("failed", "no architecture\nkeeps it"), ("cancelled", None)])
def test_a_job_that_ends_badly_is_exit_code_1(
    service: FakeService, archsmith: Archsmith, state: str, reason: str | None
) -> None:
    service.on("POST", "/v1/jobs", answer(job("queued"), 202))
    service.on("GET", f"/v1/jobs/{JOB}", answer(job(state, reason=reason)))
    ran = archsmith("submit", "--dataset", "digits", "--watch")
    assert ran.code == 1
    assert one_line(ran.err)
    assert state in ran.err


def test_interrupting_a_watch_leaves_the_job_running(
    service: FakeService, archsmith: Archsmith, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("archsmith.client.time.sleep", interrupted)
    service.on("GET", f"/v1/jobs/{JOB}", answer(job()))
    ran = archsmith("watch", JOB)
    assert ran.code == 130
    assert one_line(ran.err)
    assert f"job {JOB} keeps running" in ran.err
    assert {request.method for request in service.requests} == {"GET"}


@pytest.mark.parametrize(
    ("status", "code"), [(400, 2), (413, 2), (415, 2), (422, 2), (404, 4), (409, 4), (403, 3), (500, 3), (503, 3)]
)
def test_errors_of_the_service_are_one_line_and_an_exit_code(
    service: FakeService, archsmith: Archsmith, status: int, code: int
) -> None:
    service.on("POST", f"/v1/jobs/{JOB}/cancel", problem(status, "some_code", "the rule\nand the value"))
    ran = archsmith("cancel", JOB)
    assert (ran.code, ran.out, ran.err) == (code, "", "archsmith: the rule and the value\n")


def test_no_service_is_exit_code_3(archsmith: Archsmith) -> None:
    ran = archsmith("--url", "http://127.0.0.1:1", "jobs")
    assert ran.code == 3
    assert one_line(ran.err)
    assert "http://127.0.0.1:1" in ran.err
    assert "archsmith serve" in ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "nonsense"),
        (["watch"], "ID"),
        (["jobs", "--limit", "many"], "--limit"),
        (["jobs", "--bogus"], "--bogus"),
        (["submit", "no-such-file.json"], "no-such-file.json: No such file"),
        (["upload", "mine"], "--path"),
        (["upload", "mine", "a.npz", "--path", "/data"], "--path"),
        (["upload", "mine", "a.wav"], "there is no file or folder a.wav"),
        (["upload", "mine", __file__], "cannot be guessed from the files; add --format"),
        (["upload", "mine", "--path", "/gone/pictures"], "no file or folder /gone/pictures on this machine; if the"),
        (["upload", "mine", "gone.npz"], "gone.npz: No such file"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    service: FakeService, archsmith: Archsmith, arguments: list[str], says: str
) -> None:
    ran = archsmith(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran.err)
    assert says in ran.err
    assert service.requests == []


@pytest.mark.parametrize("text", ["{", "[1]", '"digits"', "\xff"])
def test_a_job_file_without_an_object_is_exit_code_2(
    service: FakeService, archsmith: Archsmith, tmp_path: Path, text: str
) -> None:
    (tmp_path / "job.json").write_bytes(text.encode("latin-1"))
    ran = archsmith("submit", str(tmp_path / "job.json"))
    assert ran.code == 2
    assert one_line(ran.err)


@pytest.mark.parametrize("text", ["a: [", "- 1", "!!python/object/apply:os.getcwd []"])
def test_a_space_file_without_a_document_is_exit_code_2(
    service: FakeService, archsmith: Archsmith, tmp_path: Path, text: str
) -> None:
    (tmp_path / "space.yaml").write_text(text)
    ran = archsmith("submit", "--dataset", "digits", "--space", str(tmp_path / "space.yaml"))
    assert ran.code == 2
    assert one_line(ran.err)
    assert service.requests == []


def test_url_overrides_the_variable_before_and_after_the_command(
    service: FakeService, archsmith: Archsmith, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHSMITH_URL", "http://127.0.0.1:1")
    service.on("GET", "/v1/datasets", answer({"items": []}))
    assert archsmith("--url", service.url, "datasets").code == 0
    assert archsmith("datasets", "--url", service.url + "/").code == 0
    assert archsmith("datasets").code == 3


def test_jobs_and_datasets_are_tables(service: FakeService, archsmith: Archsmith) -> None:
    service.on("GET", "/v1/jobs", answer({"items": [job(), job("queued", best=None)], "next": "more"}))
    ran = archsmith("jobs", "--limit", "2")
    head, first, second = ran.out.splitlines()
    assert head.split()[:3] == ["ID", "STATE", "NAME"]
    assert first.split() == [JOB, "running", "demo", "digits", "3/20", "0.9500", "-", "2026-01-02", "03:04"]
    assert second.split()[5] == "-"
    assert len(service.requests) == 1, "no page more than what is shown"
    view = {"name": "digits", "format": "builtin", "input_shape": [1, 8, 8], "classes": 10}
    service.on("GET", "/v1/datasets", answer({"items": [view]}))
    assert archsmith("datasets").out.splitlines()[1].split() == ["digits", "builtin", "1×8×8", "10", "image"]


def test_steering_prints_the_state_of_the_job(service: FakeService, archsmith: Archsmith) -> None:
    for verb, state in (("cancel", "cancelled"), ("pause", "paused"), ("resume", "queued")):
        service.on("POST", f"/v1/jobs/{JOB}/{verb}", answer(job(state)))
        ran = archsmith(verb, JOB)
        assert ran.code == 0
        assert ran.out.startswith(state + ", ")


def test_compress_posts_a_new_job(service: FakeService, archsmith: Archsmith) -> None:
    service.on("POST", f"/v1/jobs/{JOB}/compress", answer(job("queued", id="another")))
    ran = archsmith("compress", JOB, "--step", "cluster", "--step", "huffman", "--max-drop", "0.02")
    assert (ran.code, ran.out) == (0, "another\n")
    assert service.requests[-1].json() == {"steps": ["cluster", "huffman"], "max_drop": 0.02}
    archsmith("compress", JOB)
    assert service.requests[-1].json() == {}


def test_download_prints_the_path(service: FakeService, archsmith: Archsmith, tmp_path: Path) -> None:
    service.on("GET", f"/v1/jobs/{JOB}/bundle", Answer(body=b"zip"))
    ran = archsmith("download", JOB, "-o", str(tmp_path / "b.zip"))
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'b.zip'}\n")
    assert (tmp_path / "b.zip").read_bytes() == b"zip"


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["a.npz"], "npz"),
        (["a.zip"], "images"),
        (["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"], "idx"),
        (["nodes.csv", "edges.csv"], "graph"),
    ],
)
def test_upload_guesses_formats_by_name(
    service: FakeService, archsmith: Archsmith, tmp_path: Path, names: list[str], kind: str
) -> None:
    service.on("POST", "/v1/datasets", answer({"name": "m", "format": kind, "input_shape": [1, 2, 2], "classes": 2}))
    for name in names:
        (tmp_path / name).write_bytes(b"data")
    ran = archsmith("upload", "m", *[str(tmp_path / name) for name in names])
    assert (ran.code, ran.out) == (0, "m: 2 classes of 1×2×2\n")
    assert f'name="format"\r\n\r\n{kind}\r\n'.encode() in service.requests[0].body


@pytest.mark.parametrize(
    ("name", "member", "kind"),
    [
        ("a.npz", "edges.npy", "graph"),
        ("a.npz", "x.npy", "npz"),
        ("a.zip", "folder/edges.csv", "graph"),
        ("a.zip", "MUTAG/MUTAG_graph_indicator.txt", "tu"),
        ("a.zip", "cat/1.png", "images"),
        ("a.csv", "edges.csv", "table"),
    ],
)
def test_formats_are_guessed_from_members_of_archives(tmp_path: Path, name: str, member: str, kind: str | None) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr(member, b"")
    assert formats.guess([tmp_path / name]) == kind


def test_serve_becomes_the_service_with_all_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[Any] = []

    def execv(program: str, arguments: list[str]) -> None:
        became.append((program, arguments))
        raise SystemExit(0)

    monkeypatch.setattr("archsmith.serving.os.execv", execv)
    options = ["--state", "here", "--port", "9", "--mlflow-port=5", "--workers", "2", "--help"]
    with pytest.raises(SystemExit):
        cli.run(["serve", *options])
    assert became == [(sys.executable, [sys.executable, "-P", "-m", "api.serve", *options])]


def test_help_names_every_command_and_the_exit_codes(archsmith: Archsmith) -> None:
    ran = archsmith("--help")
    assert ran.code == 0
    for word in (
        "serve",
        "demo",
        "submit",
        "watch",
        "jobs",
        "cancel",
        "compress",
        "download",
        "Exit codes: 0 done; 1 the job failed",
    ):
        assert word in ran.out
    assert archsmith().out == ran.out


@pytest.mark.heavy
def test_the_command_imports_no_package_of_the_service(service: FakeService) -> None:
    service.on("GET", "/v1/datasets", answer({"items": []}))
    code = (
        "import sys; from archsmith import cli; code = cli.run(['datasets']);"
        "rooms = {'api', 'workers', 'search', 'space', 'torch', 'ray', 'mlflow', 'optuna'} & set(sys.modules);"
        "sys.exit(code or (f'it imports {rooms}' if rooms else 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text


@pytest.mark.parametrize(
    ("used", "left", "done", "total", "expected"),
    [(10, 90, 5, 10, 10.0), (10, 4, 5, 10, 4.0), (3, 90, 0, 10, None), (10, 90, 10, 10, 0.0), (10, None, 5, 10, 10.0)],
)
def test_time_left_by_pace_or_by_budget(
    used: float, left: float | None, done: int, total: int, expected: float | None
) -> None:
    shown = {"trials": {"completed": done}, "trials_total": total, "seconds_used": used, "seconds_left": left}
    assert progress.eta_s(Job.from_json(job(progress=shown))) == expected


def test_the_bar_shows_the_same_on_a_terminal() -> None:
    out = io.StringIO()
    with progress.Bar(Console(file=out, force_terminal=True, width=160)) as bar:
        bar.show(Job.from_json(job()))
        bar.show(Job.from_json(job(phase="finalists", waiting_for="1 gpu, 0 free")))
    text = out.getvalue()
    assert "3/20 trials done, 1 running, best 0.9500 (trial 2), finalists, waiting for 1 gpu, 0 free" in text
    assert json.dumps(JOB) not in text
