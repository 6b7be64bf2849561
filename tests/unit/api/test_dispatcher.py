"""Claims, deaths and ends, with drivers that are one-line programs."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from api import process
from api.dispatcher import Dispatcher, Spawn
from api.prober import Prober
from search.ledger import Lease, Ledger
from search.trial import RANDOM_ARM, JobState
from tests import factories
from tests.ledgers import new_ledger
from workers.job.heartbeat import BEATEN, EXIT_CLUSTER_AWAY, EXIT_LEASE_LOST, EXIT_LEDGER_AWAY, THE_CLUSTER
from workers.settings import Settings

SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
DIE = "raise SystemExit(1)"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path, database_url=f"sqlite:///{tmp_path / 'archsmith.db'}", lease_s=600)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    ledger = new_ledger(settings.database_url)
    yield ledger
    ledger.close()


def _program(settings: Settings, text: str, seen: list[Lease]) -> Spawn:
    def spawn(lease: Lease) -> subprocess.Popen[bytes]:
        seen.append(lease)
        log = settings.job_folder(lease.job_id) / "driver.log"
        return process.spawn([sys.executable, "-c", text], cwd=settings.state, env=process.environment(), log=log)

    return spawn


def _until(condition: Callable[[], bool], dispatcher: Dispatcher, limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        dispatcher.round()
        time.sleep(0.02)


def _job(ledger: Ledger, **changes: object) -> str:
    time.sleep(0.002)  # SQLite's clock counts milliseconds, and jobs of one millisecond have no order
    return ledger.create_job(factories.job_spec(**changes))[0].id


@pytest.mark.heavy
def test_no_more_jobs_than_slots(ledger: Ledger, settings: Settings) -> None:
    jobs = [_job(ledger) for _ in range(3)]
    seen: list[Lease] = []
    dispatcher = Dispatcher(ledger, settings, slots=2, spawn=_program(settings, SLEEP, seen))
    dispatcher.round()
    dispatcher.round()
    assert [lease.job_id for lease in seen] == jobs[:2]
    assert ledger.job(jobs[2]).state is JobState.QUEUED
    dispatcher.close(grace_s=5)
    # Their leases ended with them, so that another dispatcher need not wait for 600 s.
    assert ledger.claim("other", 30) is not None


@pytest.mark.heavy
def test_a_driver_that_dies_three_times_without_progress_fails_its_job(ledger: Ledger, settings: Settings) -> None:
    job = _job(ledger)
    seen: list[Lease] = []
    dispatcher = Dispatcher(ledger, settings, spawn=_program(settings, DIE, seen))
    _until(lambda: ledger.job(job).state.terminal, dispatcher)
    assert ledger.job(job).reason == "driver died 3 times: see driver.log"
    assert [lease.fence for lease in seen] == [1, 2, 3]


def _has(items: list[Lease], count: int) -> bool:
    return len(items) == count


class Verdict:
    """In the place of a prober."""

    away: bool = False
    alive: bool | None = None
    doubted: int = 0

    def look(self) -> None: ...

    def close(self) -> None: ...

    def doubt(self) -> None:
        self.doubted += 1

    def alive_after(self, when: float) -> bool | None:
        return self.alive


@pytest.mark.heavy
def test_a_death_while_the_cluster_is_away_is_none(ledger: Ledger, settings: Settings) -> None:
    job = _job(ledger)
    seen: list[Lease] = []
    dispatcher = Dispatcher(ledger, settings, spawn=_program(settings, DIE, seen))
    prober = Verdict()
    dispatcher._prober = prober  # type: ignore[assignment]
    _until(lambda: bool(dispatcher._running and dispatcher._running[0].ended), dispatcher)
    dispatcher.round()
    assert ledger.job(job).state is JobState.RUNNING, "nobody knows yet whose fault it was"
    for _ in range(4):
        prober.alive, prober.away = False, True
        _until(lambda: ledger.job(job).state is JobState.QUEUED, dispatcher)
        assert ledger.job(job).waiting_for == "the cluster"
        count = len(seen)
        dispatcher.round()
        assert len(seen) == count, "nothing is claimed meanwhile"
        prober.alive, prober.away = None, False
        _until(partial(_has, seen, count + 1), dispatcher)
    prober.alive = True
    _until(lambda: ledger.job(job).state.terminal, dispatcher)
    assert ledger.job(job).reason == "driver died 3 times: see driver.log"
    assert len(seen) == 4 + 3


@pytest.mark.heavy
def test_a_driver_that_saw_the_cluster_go_is_believed(ledger: Ledger, settings: Settings) -> None:
    _job(ledger)
    dispatcher = Dispatcher(ledger, settings, spawn=_program(settings, f"raise SystemExit({EXIT_CLUSTER_AWAY})", []))
    prober = Verdict()
    dispatcher._prober = prober  # type: ignore[assignment]
    prober.alive = True
    _until(lambda: prober.doubted > 0, dispatcher)
    dispatcher.close()


@pytest.mark.heavy
def test_a_job_whose_clusters_go_away_without_its_progress_is_given_up(ledger: Ledger, settings: Settings) -> None:
    job = _job(ledger)
    for _ in range(4):
        lease = ledger.claim("earlier", 600)
        assert lease is not None
        ledger.pause_job(lease, waiting_for=THE_CLUSTER)
    seen: list[Lease] = []
    dispatcher = Dispatcher(ledger, settings, spawn=_program(settings, DIE, seen))
    prober = Verdict()
    prober.alive = False
    dispatcher._prober = prober  # type: ignore[assignment]
    _until(lambda: ledger.job(job).state.terminal, dispatcher)
    reason = str(ledger.job(job).reason)
    assert reason.startswith("the cluster went away 6 times while this job ran, without any progress")
    assert len(seen) == 2


def test_progress_between_two_clusters_begins_the_count_anew(ledger: Ledger) -> None:
    job = _job(ledger)
    for number in range(3):
        lease = ledger.claim("earlier", 600)
        assert lease is not None
        if number == 1:
            attempt = factories.running_trial(ledger, lease, 0)
            ledger.finish_trial(lease, 0, attempt, factories.completed(0), 0.9)
        assert ledger.times_put_back(job, THE_CLUSTER) == (0 if number == 1 else 1 if number == 2 else 0)
        ledger.pause_job(lease, waiting_for=THE_CLUSTER)
    assert ledger.times_put_back(job, "something else") == 0
    assert ledger.times_put_back(job, THE_CLUSTER) == 2


@pytest.mark.heavy
@pytest.mark.parametrize("code", [EXIT_LEDGER_AWAY, EXIT_LEASE_LOST])
def test_a_driver_that_could_not_reach_the_ledger_is_no_death(ledger: Ledger, settings: Settings, code: int) -> None:
    job = _job(ledger)
    seen: list[Lease] = []
    dispatcher = Dispatcher(ledger, settings, spawn=_program(settings, f"raise SystemExit({code})", seen))
    _until(lambda: len(seen) == 5, dispatcher)
    assert ledger.job(job).state is JobState.RUNNING
    dispatcher.close()


@pytest.mark.heavy
def test_a_driver_whose_job_another_dispatcher_has_is_no_death(ledger: Ledger, settings: Settings) -> None:
    job = _job(ledger)
    others: list[Lease] = []
    die = _program(settings, DIE, [])

    def spawn(lease: Lease) -> subprocess.Popen[bytes]:
        ledger.expire(lease)
        other = ledger.claim("other", 600)
        assert other is not None
        others.append(other)
        return die(lease)

    dispatcher = Dispatcher(ledger, settings, spawn=spawn)
    _until(lambda: bool(others) and not dispatcher._running, dispatcher)
    assert dispatcher._deaths == {}
    assert ledger.holds(others[0])
    assert ledger.job(job).state is JobState.RUNNING


@pytest.mark.heavy
def test_a_driver_that_still_loads_keeps_its_lease_and_one_that_beats_keeps_its_own(
    ledger: Ledger, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine a driver needed longer than a lease to load, and a second one was started beside it."""
    job, seen, renewed = _job(ledger), list[Lease](), list[Lease]()
    renew = ledger.renew

    def noted(lease: Lease, seconds: float) -> None:
        renewed.append(lease)
        renew(lease, seconds)

    monkeypatch.setattr(ledger, "renew", noted)
    dispatcher = Dispatcher(ledger, settings, spawn=_program(settings, SLEEP, seen))
    dispatcher.round()

    def a_third_of_the_lease_later() -> None:
        dispatcher._running[0].renewed -= settings.lease_s / 3 + 1
        dispatcher.round()

    dispatcher.round()
    assert renewed == []
    a_third_of_the_lease_later()
    a_third_of_the_lease_later()
    assert renewed == seen * 2
    (settings.job_folder(job) / BEATEN).write_text("1")
    a_third_of_the_lease_later()
    assert renewed == seen * 2
    dispatcher.close()


BEATS = "import sys, time; from pathlib import Path; b = Path(sys.argv[-1])"


def _prober(settings: Settings, monkeypatch: pytest.MonkeyPatch, *programs: str) -> Prober:
    """Its children are these, one after the other."""
    left = iter(programs)
    spawn = process.spawn

    def fake(arguments: list[str], **options: Any) -> subprocess.Popen[bytes]:
        assert arguments[1:5] == ["-m", "workers.cluster.probe", "--address", "host:1"]
        return spawn([sys.executable, "-c", next(left), *arguments[5:]], **options)

    monkeypatch.setattr("api.prober.process.spawn", fake)
    monkeypatch.setattr("api.prober.AGAIN_S", 0.1)
    return Prober(replace(settings, ray_address="host:1"))


def _look(prober: Prober, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "this never came true"
        prober.look()
        time.sleep(0.02)


@pytest.mark.heavy
def test_the_cluster_is_away_when_no_task_comes_back_and_there_when_one_does(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.prober.BEAT_S", 0.3)
    once, often = f"{BEATS}; b.touch(); {SLEEP}", f"{BEATS}\nwhile True: b.touch(); time.sleep(0.02)"
    prober = _prober(settings, monkeypatch, DIE, once, often, DIE)
    assert not prober.away, "nothing is known yet"
    assert prober.alive_after(0) is None
    _look(prober, lambda: prober.away)
    assert prober.alive_after(0) is False
    _look(prober, lambda: not prober.away)
    now = time.time()
    _look(prober, lambda: prober.away)  # the second child falls silent
    _look(prober, lambda: prober.alive_after(now) is True)
    prober.doubt()
    assert prober.away
    prober.close()


def test_a_private_cluster_is_not_looked_at(settings: Settings) -> None:
    prober = Prober(settings)
    prober.look()
    prober.doubt()
    assert prober._child is None
    assert not prober.away
    assert prober.alive_after(time.time()) is True


@pytest.mark.heavy
@pytest.mark.parametrize("provenance", ["controller", RANDOM_ARM])
def test_progress_between_deaths_is_no_reason_to_give_up(ledger: Ledger, settings: Settings, provenance: str) -> None:
    job = _job(ledger)
    seen: list[Lease] = []
    die = _program(settings, DIE, seen)

    def spawn(lease: Lease) -> subprocess.Popen[bytes]:
        number = len(seen)
        ledger.update_job(lease, phase=RANDOM_ARM if provenance == RANDOM_ARM else "search")
        attempt = factories.running_trial(ledger, lease, number, provenance=provenance)
        ledger.finish_trial(lease, number, attempt, factories.completed(number), 0.9)
        return die(lease)

    dispatcher = Dispatcher(ledger, settings, spawn=spawn)
    _until(lambda: len(seen) == 6, dispatcher)
    assert ledger.job(job).state is JobState.RUNNING
    dispatcher.close()


def test_a_driver_that_ends_its_job_is_no_death(ledger: Ledger, settings: Settings) -> None:
    job = _job(ledger)
    seen: list[Lease] = []
    leave = _program(settings, "pass", seen)

    def spawn(lease: Lease) -> subprocess.Popen[bytes]:
        ledger.finish_job(lease, JobState.SUCCEEDED)
        return leave(lease)

    dispatcher = Dispatcher(ledger, settings, spawn=spawn)
    _until(lambda: bool(seen) and not dispatcher._running, dispatcher)
    assert ledger.job(job).state is JobState.SUCCEEDED
    assert len(seen) == 1


@pytest.mark.heavy
def test_a_stubborn_driver_is_killed_and_loses_its_lease(ledger: Ledger, settings: Settings) -> None:
    job = _job(ledger)
    seen: list[Lease] = []
    dispatcher = Dispatcher(ledger, settings, spawn=_program(settings, STUBBORN, seen))
    log = settings.job_folder(job) / "driver.log"
    _until(lambda: log.exists() and "up" in log.read_text(), dispatcher)
    started = time.monotonic()
    dispatcher.close(grace_s=0.3)
    assert time.monotonic() - started < 5
    assert ledger.claim("other", 30) is not None


def test_the_environment_of_a_driver_is_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("ARCHSMITH_STATE", "/state")
    kept = process.environment({"EXTRA": "1"})
    assert kept["ARCHSMITH_STATE"] == "/state"
    assert kept["EXTRA"] == kept["PYTHONSAFEPATH"] == "1"
    assert not {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH"} & kept.keys()


@pytest.mark.heavy
def test_a_child_dies_with_its_parent_and_leaves_no_group_behind(tmp_path: Path) -> None:
    inner = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"
    outer = (
        "import sys; from pathlib import Path; from api import process;"
        f"p = process.spawn([sys.executable, '-c', {SLEEP!r}], cwd=Path('.'), env={{}}, log=Path('log'));"
        "print(p.pid, flush=True); import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", outer], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert _gone(int(done.stdout))
    child = process.spawn([sys.executable, "-c", inner], cwd=tmp_path, env={}, log=tmp_path / "log")
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    deadline = time.monotonic() + 10
    while not (text := children.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.stop([child], grace_s=2)
    assert _gone(int(text[0]))


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/stat")
        try:
            if status.read_text().rpartition(")")[2].split()[0] == "Z":  # waits for an init that reaps it
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False
