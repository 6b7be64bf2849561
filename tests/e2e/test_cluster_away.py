"""Parts of the Ray cluster killed in the middle of a job: the job waits, and ends as if nothing had been."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.house import WALK, House

pytestmark = pytest.mark.e2e


def _until(condition: Callable[[], object], limit_s: float = 400.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.05)


def _part(house: House, name: str) -> int:
    """The process id of the service's own raylet or gcs_server."""
    wanted = f"ARCHSMITH_STATE={house.state}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "comm").read_text().strip() == name and wanted in (folder / "environ").read_bytes().split(
                b"\0"
            ):
                return int(folder.name)
    raise AssertionError(f"no {name}")


def _ended(house: House, job_id: str) -> bool:
    return house.job(job_id)["state"] in ("succeeded", "failed", "cancelled")


def _rows(house: House, job_id: str) -> Any:
    """What a reproducible job is to have in common with its like: all but times and attempts."""
    assert house.job(job_id)["state"] == "succeeded", (house.job(job_id)["reason"], house.log(job_id)[-3000:])
    trials = house.trials(job_id)
    for number in trials:
        trial = house.http.get(f"/v1/jobs/{job_id}/trials/{number}").json()
        assert [one["epoch"] for one in trial["measurements"]] == [1, 2]
    names = ("number", "state", "reason", "hash", "search_score", "epochs")
    return [{name: trial[name] for name in names} for _, trial in sorted(trials.items())]


def _middle(house: House, job_id: str) -> bool:
    states = [trial["state"] for trial in house.trials(job_id).values()]
    return "completed" in states and "running" in states


@pytest.mark.parametrize("name", ["raylet", pytest.param("gcs_server", marks=pytest.mark.slow)])
def test_a_job_outlives_its_cluster(house: House, walk: subprocess.CompletedProcess[str], name: str) -> None:
    unbroken = _rows(house, walk.stdout.split()[0])
    _until(lambda: house.http.get("/readyz").status_code == 200)
    job_id = house.submit(**WALK)
    _until(lambda: _middle(house, job_id) or _ended(house, job_id))
    assert not _ended(house, job_id), "too quick to be interrupted"
    os.kill(_part(house, name), signal.SIGKILL)
    _until(lambda: house.http.get("/readyz").json()["details"]["ray"] != "ok", 60)
    assert house.http.get("/readyz").status_code == 503
    _until(lambda: house.job(job_id)["waiting_for"] == "the cluster")
    _until(lambda: _ended(house, job_id))
    assert _rows(house, job_id) == unbroken
    assert len(unbroken) == 4
    _until(lambda: house.http.get("/readyz").status_code == 200)
