"""`archsmith serve` as a user has it: jobs over HTTP to their bundles, refusals, a driver killed, a second start."""

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.house import SMALL, House
from workers.bundle import torch_only

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

FIXED = {"precision": "fp32", "layout": "nchw"}
"""Nothing to calibrate."""
ENDS = ("succeeded", "failed", "cancelled")


def _until(condition: Callable[[], object], limit_s: float = 180) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.1)


def _refused(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


def _watch(house: House, job_id: str) -> list[dict[str, Any]]:
    """All events of a job until the stream says that it has ended."""
    seen: list[dict[str, Any]] = []
    with house.http.stream("GET", f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"}) as stream:
        name = ""
        for line in stream.iter_lines():
            field, _, value = line.partition(": ")
            name = value if field == "event" else name
            if field == "data" and name == "end":
                return [*seen, json.loads(value)]
            if field == "data":
                seen.append(json.loads(value))
    raise AssertionError("the stream ended before the job")


def test_a_job_over_http_to_its_bundle(house: House, walk: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    job_id = walk.stdout.split()[0]
    *events, end = _watch(house, job_id)
    assert end == {"state": "succeeded"}, house.log(job_id)
    assert [e["id"] for e in events] == list(range(1, len(events) + 1))

    job = house.job(job_id)
    assert (job["state"], job["reason"], job["stopped_because"]) == ("succeeded", None, "budget_trials")
    assert job["final_score"] > 0.5
    assert {t["state"] for t in house.trials(job_id).values()} == {"completed"}

    answer = house.http.get(f"/v1/jobs/{job_id}/bundle")
    digest = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["etag"] == f'"{digest}"'
    folder = tmp_path / "bundle"
    zipfile.ZipFile(BytesIO(answer.content)).extractall(folder)
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        expected, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected
    _opens_with_torch_alone(folder)
    _is_in_mlflow(job)


def _opens_with_torch_alone(folder: Path) -> None:
    command = [sys.executable, "-I", torch_only.__file__, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parameters"] > 0


def _is_in_mlflow(job: Any) -> None:
    url, _, run_id = job["mlflow_url"].partition("?")[0].rpartition("/")
    base = url.partition("/#")[0]
    assert httpx.get(job["mlflow_url"], timeout=60).status_code == 200
    api = f"{base}/api/2.0/mlflow/runs/get"
    # The last rows are delivered after the job has ended.
    _until(lambda: httpx.get(api, params={"run_id": run_id}).json()["run"]["info"]["status"] == "FINISHED")


def test_refusals(house: House) -> None:
    problem = _refused(house.http.post("/v1/jobs", json={**SMALL, "dataset": "nothing"}), 422)
    assert [e["pointer"] for e in problem["errors"]] == ["/dataset"]
    job_id = house.submit(budget={"trials": 500, "epochs": 50})
    assert house.http.post(f"/v1/jobs/{job_id}/cancel").status_code in (200, 202)
    _until(lambda: house.job(job_id)["state"] == "cancelled")
    problem = _refused(house.http.post(f"/v1/jobs/{job_id}/cancel"), 409)
    assert problem["state"] == "cancelled"
    assert _refused(house.http.get(f"/v1/jobs/{job_id}/bundle"), 409)["state"] == "cancelled"


def _drivers(job_id: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_bytes().split(b"\0")
            if b"workers.driver" in line and job_id.encode() in line:
                found.append(int(folder.name))
    return found


@pytest.mark.slow
def test_neither_a_killed_driver_nor_a_second_start_costs_what_has_ended(
    house: House, walk: subprocess.CompletedProcess[str]
) -> None:
    jobs, done = house.http.get("/v1/jobs").json()["items"], walk.stdout.split()[0]
    bundle = house.http.get(f"/v1/jobs/{done}/bundle").content
    job_id = house.submit(budget={"trials": 6, "epochs": 4}, trial=FIXED)
    problem = _refused(house.http.get(f"/v1/jobs/{job_id}/bundle"), 409)
    assert problem["state"] in ("queued", "running")

    _until(lambda: len(_completed(house, job_id)) >= 1)
    [pid] = _drivers(job_id)
    os.kill(pid, signal.SIGKILL)
    before = _completed(house, job_id)
    _until(lambda: len(_completed(house, job_id)) > len(before))
    before = _completed(house, job_id)

    house.again()
    assert {job["id"] for job in jobs} <= {job["id"] for job in house.http.get("/v1/jobs").json()["items"]}
    assert house.http.get(f"/v1/jobs/{done}/bundle").content == bundle
    _until(lambda: house.job(job_id)["state"] in ENDS)
    job = house.job(job_id)
    assert (job["state"], job["reason"]) == ("succeeded", None), house.log(job_id)
    after = _completed(house, job_id)
    assert sorted(after) == list(range(6))
    for number, trial in before.items():
        assert {**after[number], "mlflow_url": None} == {**trial, "mlflow_url": None}, "it was run once"
    assert len(re.findall(r"INFO archsmith.driver job ", house.log(job_id))) >= 3
    assert house.http.get(f"/v1/jobs/{job_id}/bundle").status_code == 200


def _completed(house: House, job_id: str) -> dict[int, Any]:
    return {number: trial for number, trial in house.trials(job_id).items() if trial["state"] == "completed"}
