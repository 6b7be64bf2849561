"""Jobs driven in the test's own process or by a driver process, on one local Ray cluster for the whole session."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.ledger import Job, Lease, Ledger, Trial, open_ledger
from search.spec import Budget, ControllerSpec, FinalistSpec, JobSpec, TrialSpec
from search.trial import TrialState
from space import presets
from workers.cluster.trial import Start
from workers.driver import Driver
from workers.settings import Settings


def finalists(**changes: Any) -> FinalistSpec:
    """One finalist, trained once for one epoch, and nothing to compare it with."""
    alone = {"baseline": False, "random_arm": False, "fidelity": 0}
    return FinalistSpec(**{"top": 1, "seeds": 1, "epochs": 1, **alone, **changes})


ALONE = TrialSpec(precision="fp32", layout="nchw", cpus=2)
"""One trial at a time, where two would prove nothing more: each has a process to start, and a search waits for it."""


def spec(*, trials: int = 4, epochs: int = 1, **changes: Any) -> JobSpec:
    """A small job on digits with nothing to calibrate and one short final training."""
    fields: dict[str, Any] = {
        "dataset": "digits",
        "space": presets.load("tiny"),
        "controller": ControllerSpec(name="random"),
        "budget": Budget(trials=trials, epochs=epochs),
        "trial": TrialSpec(precision="fp32", layout="nchw", batch_size=256),
        "finalists": finalists(),
    }
    return JobSpec(**{**fields, **changes})


def until(condition: Callable[[], object], limit_s: float = 120.0) -> None:
    """Wait until it is true. The limit is for a hanging test only, not a claim about speed."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        time.sleep(0.05)


class Yard:
    """A state folder with its ledger, and drivers for the jobs in it."""

    def __init__(self, state: Path, **settings: Any) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.settings = Settings(
            **{
                "state": state,
                "database_url": f"sqlite:///{state / 'archsmith.db'}",
                "lease_s": 30.0,
                "exports": False,  # ten seconds a job; who looks at them asks for them
                "simple_models": False,
                **settings,
            }
        )
        self.ledger: Ledger = open_ledger(self.settings.database_url)
        self._children: list[subprocess.Popen[bytes]] = []

    def submit(self, **changes: Any) -> str:
        return self.ledger.create_job(spec(**changes))[0].id

    def claim(self, owner: str = "test") -> Lease:
        """The next job, once it is free: a lease may have to run out first."""
        found: list[Lease] = []

        def claimed() -> bool:
            lease = self.ledger.claim(owner, self.settings.lease_s)
            found.extend([lease] if lease else [])
            return lease is not None

        until(claimed)
        return found[0]

    def driver(self, start: Start | None = None) -> Driver:
        return Driver(self.settings, self.ledger, self.claim(), start=start)

    def drive(self, start: Start | None = None, *, meanwhile: Callable[[Driver], None] | None = None) -> Job:
        """Claim a job and run its driver here -> the job. meanwhile: runs beside it, in a thread."""
        driver = self.driver(start)
        thread = threading.Thread(target=meanwhile, args=(driver,)) if meanwhile else None
        if thread:
            thread.start()
        with signals_kept():
            driver.run()
        if thread:
            thread.join(30)
            assert not thread.is_alive()
        return self.ledger.job(driver.context.job_id)

    def spawn(self, lease: Lease, ray_address: str) -> subprocess.Popen[bytes]:
        """A driver process, as the dispatcher starts it."""
        settings = self.settings
        env = os.environ | {
            "ARCHSMITH_STATE": str(settings.state),
            "ARCHSMITH_RAY_ADDRESS": ray_address,
            "ARCHSMITH_LEASE_S": str(settings.lease_s),
            "ARCHSMITH_MLFLOW_URL": settings.mlflow_url,
            "ARCHSMITH_EXPORTS": str(int(settings.exports)),
            "ARCHSMITH_SIMPLE_MODELS": str(int(settings.simple_models)),
            "PYTHONSAFEPATH": "1",
        }
        command = [sys.executable, "-m", "workers.driver", lease.job_id]
        command += ["--owner", lease.owner, "--fence", str(lease.fence)]
        with (settings.state / "driver.log").open("ab") as log:
            child = subprocess.Popen(command, cwd=settings.state, env=env, stdout=log, stderr=log)
        self._children.append(child)
        return child

    def trials(self, job_id: str) -> dict[int, Trial]:
        return {t.number: t for t in self.ledger.history(job_id)}

    def states(self, job_id: str) -> dict[int, TrialState]:
        return {number: trial.state for number, trial in self.trials(job_id).items()}

    def close(self) -> None:
        for child in self._children:
            if child.poll() is None:
                child.kill()
            child.wait()
        self.ledger.close()


def tasks_here(
    function: Callable[[Any, Any], Any],
    tasks: Sequence[Any],
    *,
    shared: Any,
    cpus: float,
    gpus: float,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Any, Any]]:
    """Stands for `workers.cluster.tasks.run_tasks`: in this process, which has torch loaded."""
    for task in tasks:
        if should_stop():
            return
        yield task, function(task, shared)


def plain(trial: Trial) -> Trial:
    """Without the MLflow run's id, which arrives when it likes."""
    return replace(trial, mlflow_run_id=None)


@contextlib.contextmanager
def signals_kept() -> Iterator[None]:
    """A driver takes SIGTERM and SIGINT for itself; the test's own handlers come back after it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
