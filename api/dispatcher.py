"""The dispatcher: claims queued jobs and runs one driver process for each.

A claim carries a lease and a fence. The driver renews the lease; a job whose driver is gone is claimed again, here as
soon as its exit is seen, elsewhere when the lease has run out. Several dispatchers may share one ledger.

No job is claimed while the Ray cluster is away, and a driver that ended meanwhile is no death: its job waits.

It also sees to what ended jobs could not tell MLflow because that was away: one courier at a time delivers it later.
"""

import argparse
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from api import process
from api.prober import Prober
from api.routes.health import BEAT
from archsmith.errors import ConfigurationError, LeaseLost, Unavailable
from search.ledger import Job, Lease, Ledger, open_ledger
from search.trial import RANDOM_ARM, JobState
from workers.job.heartbeat import EXIT_CLUSTER_AWAY, EXIT_LEASE_LOST, EXIT_LEDGER_AWAY, THE_CLUSTER, beaten
from workers.settings import Settings

log = logging.getLogger("archsmith.dispatcher")

JOBS_AT_A_TIME = 2
"""One long search must not keep a short one waiting for a day; more would only share the same processors."""
MAX_DEATHS = 3
MAX_CLUSTERS = 6
"""Clusters that may go away under a job without any progress of it. An outage is one, since the job then waits; a job
that ends the cluster each time would otherwise be put back for ever, and take every other job's trials with it."""
START_S = 300.0
"""A driver that was started longer ago and has not renewed its lease hangs. Its imports take 4 s on a quiet machine,
and took over 30 s on a busy one: longer than a lease."""
ROUND_S = 0.5
GRACE_S = 10.0
COURIER_S = 60.0
COURIER_JOBS = 100
SETTLED_S = 120.0
"""A job that ended this long ago has no driver any more that delivers the same rows; one takes 60 s at most."""
Progress = tuple[int, str]
Spawn = Callable[[Lease], subprocess.Popen[bytes]]


@dataclass(kw_only=True, slots=True)
class Running:
    """A driver and what its job had reached when the driver started. ended: when that was seen, `time.time()`.

    started, renewed: `time.monotonic()`, the latter of what the dispatcher did for a driver that does not yet beat.
    """

    lease: Lease
    child: subprocess.Popen[bytes]
    progress: Progress
    started: float
    renewed: float
    ended: float | None = None


class Dispatcher:
    """Not thread-safe: `run` is the main thread's loop, because the kernel ties children to the thread that forked."""

    def __init__(self, ledger: Ledger, settings: Settings, *, slots: int = JOBS_AT_A_TIME, spawn: Spawn | None = None):
        self._ledger = ledger
        self._settings = settings
        self._slots = slots
        self._spawn = spawn or self._driver
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._running: list[Running] = []
        self._deaths: dict[str, tuple[int, Progress]] = {}
        self._prober = Prober(settings)
        self._courier: subprocess.Popen[bytes] | None = None
        self._courier_due = 0.0

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set, then let every driver put its job back into the queue."""
        while not stop.is_set():
            try:
                self.round()
            except Unavailable as error:
                log.warning("the ledger is away, trying again: %s", error)
            stop.wait(ROUND_S)
        self.close()

    def round(self) -> None:
        """One look at the children and, where there is room, at the queue."""
        (self._settings.state / BEAT).touch()
        self._prober.look()
        self._reap()
        self._renew_starting()
        self._send_courier()
        while len(self._running) < self._slots and not self._prober.away:
            lease = self._ledger.claim(self._owner, self._settings.lease_s)
            if lease is None:
                return
            progress = self._progress(self._ledger.job(lease.job_id))
            child, now = self._spawn(lease), time.monotonic()
            self._running.append(Running(lease=lease, child=child, progress=progress, started=now, renewed=now))
            log.info("job %s: driver started (fence %d)", lease.job_id, lease.fence)

    def close(self, grace_s: float = GRACE_S) -> None:
        """End all drivers. One that had no time to put its job back loses its lease at once."""
        self._prober.close()
        courier = [self._courier] if self._courier is not None else []
        process.stop([*courier, *(one.child for one in self._running)], grace_s=grace_s)
        self._courier = None
        for one in self._running:
            self._ledger.expire(one.lease)
        self._running.clear()

    def _reap(self) -> None:
        for one in [one for one in self._running if process.ended(one.child)]:
            job = self._ledger.job(one.lease.job_id)
            died = job.state is JobState.RUNNING
            one.ended = one.ended or time.time()
            alive = self._prober.alive_after(one.ended)
            if died and alive is None:
                continue  # whose fault it was will be known with the next task on the cluster
            code = process.reap(one.child)
            self._running.remove(one)
            log.info("job %s: driver ended with %d", one.lease.job_id, code)
            if code == EXIT_CLUSTER_AWAY:
                self._prober.doubt()
            if died and not self._ledger.holds(one.lease):
                log.info("job %s: another dispatcher has it", one.lease.job_id)
            elif died and code in (EXIT_LEASE_LOST, EXIT_LEDGER_AWAY):
                self._ledger.expire(one.lease)  # an outage of the ledger is no fault of the job
            elif died and not alive:
                self._put_back(one)
            elif died:
                self._mourn(one, job)
            else:
                self._deaths.pop(job.id, None)

    def _renew_starting(self) -> None:
        """Drivers that are still loading their libraries keep their leases, else they were started twice."""
        now = time.monotonic()
        for one in self._running:
            due = now - one.renewed > self._settings.lease_s / 3 and now - one.started < START_S
            if due and one.ended is None and not beaten(self._settings.job_folder(one.lease.job_id), one.lease.fence):
                try:
                    self._ledger.renew(one.lease, self._settings.lease_s)
                except LeaseLost:
                    log.info("job %s: ended or taken while its driver started", one.lease.job_id)
                one.renewed = now

    def _put_back(self, one: Running) -> None:
        lost = self._ledger.times_put_back(one.lease.job_id, THE_CLUSTER) + 1
        try:
            if lost < MAX_CLUSTERS:
                log.warning("job %s: waits for the cluster, which is away", one.lease.job_id)
                self._ledger.pause_job(one.lease, waiting_for=THE_CLUSTER)
                return
            reason = f"the cluster went away {lost} times while this job ran, without any progress: see driver.log and "
            self._ledger.finish_job(one.lease, JobState.FAILED, reason + "the service's logs/ray.log")
        except LeaseLost:
            log.info("job %s: another dispatcher has it", one.lease.job_id)

    def _mourn(self, one: Running, job: Job) -> None:
        """A driver ended and its job says running: it died."""
        before = self._deaths.get(job.id)
        now = self._progress(job)
        # A driver that got further than the last one did is no reason to give up.
        deaths = before[0] + 1 if before and now == one.progress == before[1] else 1
        self._deaths[job.id] = (deaths, now)
        log.warning("job %s: driver died (%d in a row without progress)", job.id, deaths)
        if deaths < MAX_DEATHS:
            self._ledger.expire(one.lease)
            return
        self._deaths.pop(job.id)
        try:
            self._ledger.finish_job(one.lease, JobState.FAILED, f"driver died {deaths} times: see driver.log")
        except LeaseLost:
            log.info("job %s: another dispatcher has it", job.id)

    def _progress(self, job: Job) -> Progress:
        """What has ended of the job, in the phase that it is in."""
        ended = sum(count for state, count in job.counts.items() if state.terminal)
        if job.phase == RANDOM_ARM:
            ended += sum(trial.state.terminal for trial in self._ledger.random_arm(job.id))
        if job.phase == "finalists":
            ended += sum(one.state in ("completed", "failed") for one in self._ledger.finalists(job.id))
        return ended, job.phase

    def _send_courier(self) -> None:
        if self._courier is not None and process.ended(self._courier):
            process.reap(self._courier)
            self._courier = None
        now = time.monotonic()
        if self._courier is not None or now < self._courier_due or not self._settings.mlflow_url:
            return
        self._courier_due = now + COURIER_S
        left = [job_id for job_id in self._ledger.outbox_jobs() if _settled(self._ledger.job(job_id))]
        if left:
            log.info("delivering to MLflow what is left of %d ended jobs", len(left))
            arguments = [sys.executable, "-m", "workers.tracking", *left[:COURIER_JOBS]]
            path = self._settings.state / "logs" / "tracking.log"
            self._courier = process.spawn(arguments, cwd=self._settings.state, env=process.environment(), log=path)

    def _driver(self, lease: Lease) -> subprocess.Popen[bytes]:
        folder = self._settings.job_folder(lease.job_id)
        folder.mkdir(parents=True, exist_ok=True)
        arguments = [sys.executable, "-m", "workers.driver", lease.job_id]
        arguments += ["--owner", lease.owner, "--fence", str(lease.fence)]
        # The job's folder, which nobody else writes to: Ray puts the driver's folder on every worker's import path.
        return process.spawn(arguments, cwd=folder, env=process.environment(), log=folder / "driver.log")


def _settled(job: Job) -> bool:
    return job.finished_at is not None and (datetime.now(UTC) - job.finished_at).total_seconds() > SETTLED_S


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m api.dispatcher", description="Run the drivers of queued jobs.")
    parser.add_argument("--jobs", type=int, default=JOBS_AT_A_TIME, help="jobs at a time")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = Settings.from_env()
        settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        ledger = open_ledger(settings.database_url)
    except ConfigurationError as error:
        sys.stderr.write(f"archsmith: {error}\n")
        return 2
    Dispatcher(ledger, settings, slots=max(1, options.jobs)).run(stop)
    ledger.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
