"""A running service with a state folder of its own, and what tests ask of it."""

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from archsmith.serving import service

ALONE = {"top": 1, "seeds": 1, "epochs": 3, "baseline": False, "random_arm": False, "fidelity": 0}
"""A section `finalists` with one training and nothing to compare it with."""

SMALL = {
    "dataset": "digits",
    "space": "tiny",
    "controller": "tpe",
    "budget": {"trials": 4, "epochs": 2},
    "finalists": ALONE,
}
WALK: dict[str, Any] = {
    **SMALL,
    "reproducible": True,
    "budget": {"trials": 4, "epochs": 2},
    "trial": {"precision": "fp32", "layout": "nchw", "batch_size": 16},
}
"""Of the fixture `walk`: what other jobs of this document have to come to."""
PROGRAM = str(Path(sys.executable).with_name("archsmith"))


def archsmith(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as a person gives it."""
    return subprocess.run([PROGRAM, "--url", url, *arguments], capture_output=True, text=True, check=False, timeout=240)


def trap(folder: Path) -> Path:
    """Folders of a user's that bear the names of our rooms: whoever imports one of them fails."""
    for room in ("api", "archsmith", "search", "space", "workers"):
        (folder / room).mkdir(parents=True)
        (folder / room / "__init__.py").write_text(
            "raise RuntimeError('a folder of the user shadows a room of ours')\n"
        )
    return folder


class House:
    """A running service; `again` ends it and starts it anew on the same state.

    It is started from a folder, and keeps its state in one, that hold packages of the same names as ours.
    """

    def __init__(self, folder: Path) -> None:
        self.state = trap(folder / "state")
        self._user = trap(folder / "user")
        self._stack = contextlib.ExitStack()
        self.start()

    def start(self) -> None:
        # Exports take ten seconds a job; the demo's test has a bundle with all forms.
        with contextlib.chdir(self._user), pytest.MonkeyPatch.context() as patch:
            patch.setenv("ARCHSMITH_EXPORTS", "0")
            patch.setenv("ARCHSMITH_SIMPLE_MODELS", "0")
            self.url = self._stack.enter_context(service(self.state))
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def close(self) -> None:
        self.http.close()
        self._stack.close()

    def again(self) -> None:
        self.close()
        self.start()

    def submit(self, **changes: Any) -> str:
        answer = self.http.post("/v1/jobs", json={**SMALL, **changes})
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
        return str(answer.json()["id"])

    def job(self, job_id: str) -> Any:
        return self.http.get(f"/v1/jobs/{job_id}").json()

    def trials(self, job_id: str) -> dict[int, Any]:
        return {t["number"]: t for t in self.http.get(f"/v1/jobs/{job_id}/trials?limit=200").json()["items"]}

    def log(self, job_id: str) -> str:
        return (self.state / "jobs" / job_id / "driver.log").read_text()
