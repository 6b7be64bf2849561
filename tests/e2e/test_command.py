"""The command as a person uses it: a service, a job, a bundle; every exit code; Ctrl-C."""

import contextlib
import io
import re
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest

from archsmith import demo
from tests.e2e.house import ALONE, PROGRAM, House, archsmith

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1000)]


@pytest.fixture
def url(house: House) -> str:
    return house.url


def refused(done: subprocess.CompletedProcess[str], code: int, says: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("archsmith: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_a_job_from_its_submission_to_its_bundle(
    walk: subprocess.CompletedProcess[str], url: str, tmp_path: Path
) -> None:
    assert walk.returncode == 0, walk.stderr
    job, *progress = walk.stdout.splitlines()
    assert re.fullmatch(r"[0-9a-f-]{36}", job)
    assert any("4/4 trials done" in line for line in progress)
    assert "final score" in walk.stdout
    assert job in archsmith(url, "jobs").stdout
    refused(archsmith(url, "cancel", job), 4, "succeeded")
    fetched = archsmith(url, "download", job, "-o", str(tmp_path / "walk.zip"))
    assert (fetched.returncode, fetched.stdout.strip()) == (0, str(tmp_path / "walk.zip"))
    report = demo.check(tmp_path / "walk.zip")
    assert report["job"]["id"] == job
    assert 0 <= report["final_score"] <= 1
    with zipfile.ZipFile(tmp_path / "walk.zip") as archive:
        assert "architecture.svg" in archive.namelist()


@pytest.mark.slow
def test_interrupting_a_watch_leaves_the_job_and_cancel_ends_it(url: str) -> None:
    job = archsmith(url, "submit", "--dataset", "digits", "--space", "tiny", "--trials", "200").stdout.strip()
    refused(archsmith(url, "download", job), 4, "there is a bundle once a trial has a score")
    watch = subprocess.Popen(
        [PROGRAM, "--url", url, "watch", job], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert watch.stdout is not None
    assert watch.stdout.readline() != ""
    watch.send_signal(signal.SIGINT)
    _, errors = watch.communicate(timeout=20)
    assert watch.returncode == 130
    assert f"job {job} keeps running" in errors
    assert archsmith(url, "cancel", job).returncode == 0
    ended = archsmith(url, "watch", job)
    refused(ended, 1, "cancelled")
    refused(archsmith(url, "cancel", job), 4, "cancelled")


def test_wrong_things_are_one_line_each(url: str) -> None:
    refused(archsmith(url, "submit", "--dataset", "nothing"), 2, "no data set 'nothing'")
    refused(archsmith(url, "submit", "--dataset", "digits", "--trials", "0"), 2, "budget.trials")
    refused(archsmith(url, "submit", "--dataset", "digits", "--controller", "magic"), 2, "magic")
    refused(archsmith(url, "submit", "--dataset", "digits", "--constraint", "params <= 1"), 2, "params <= 1")
    refused(archsmith(url, "watch", "nothing"), 4, "nothing")
    refused(archsmith("http://127.0.0.1:1", "jobs"), 3, "http://127.0.0.1:1")


def test_a_port_in_use_ends_serve_with_its_number(url: str, tmp_path: Path) -> None:
    port = url.rpartition(":")[2]
    command = [PROGRAM, "serve", "--state", str(tmp_path / "other"), "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    told, _, done.stderr = done.stderr.partition("\n")
    assert told == "archsmith: starting the service"
    refused(done, 2, port)


@pytest.mark.slow
def test_the_demo_has_a_service_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "FINALISTS", ALONE)  # its own take two minutes
    out = io.StringIO()
    bundle = demo.run(None, folder=tmp_path, trials=2, out=out)
    *_, word, last = out.getvalue().splitlines()
    assert last == f"bundle: {bundle}"
    assert bundle.is_file()
    forms = word.removeprefix("checks passed: ").split(", ")
    assert {"SHA256SUMS", "weights.safetensors", "model.onnx", "model.py", "model.pt2"} <= set(forms)
    assert not _processes_of(bundle.parent / "state")


def _processes_of(state: Path) -> list[int]:
    """Those that name the state folder in their command: the API, MLflow, the dispatcher, drivers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(state).encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found
