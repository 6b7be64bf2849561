"""How long a job has run: all phases of all drivers, and the start of the first."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from search.ledger import Ledger
from tests import factories
from workers.job.clock import LONGEST_RESTART_S, LONGEST_START_S, JobClock
from workers.job.phase_costs import PhaseCosts
from workers.stop_signal import StopSignal


def test_the_phases_of_all_drivers_are_counted_and_pauses_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr("workers.job.phase_costs.time.monotonic", lambda: now[0])
    costs = PhaseCosts({"plan": {"seconds": 10.0}, "search": {"seconds": 30.0}})
    clock = JobClock(costs, started_at=datetime.now(UTC) - timedelta(hours=5))
    assert clock.seconds() == 40.0
    now[0] = 60.0
    assert clock.seconds() == 40.0, "no phase is charged"
    costs.begin("search")
    now[0] = 65.0
    assert clock.seconds() == 45.0


@pytest.mark.parametrize(("ago_s", "counted_s"), [(3.0, 3.0), (1e6, LONGEST_START_S), (-100.0, 0.0)])
def test_the_first_driver_counts_its_own_start(ago_s: float, counted_s: float) -> None:
    clock = JobClock(PhaseCosts({}), started_at=datetime.now(UTC) - timedelta(seconds=ago_s))
    assert clock.seconds() == pytest.approx(counted_s, abs=0.5)


def test_a_job_that_may_have_been_paused_before_its_first_phase_counts_little() -> None:
    clock = JobClock(PhaseCosts({}), started_at=datetime.now(UTC) - timedelta(hours=5), first=False)
    assert clock.seconds() == LONGEST_RESTART_S


def test_a_machine_that_sleeps_makes_no_job_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight hours of sleep after ten seconds of a search: what stands still then is all that is read."""
    assert "MONOTONIC" in time.get_clock_info("monotonic").implementation, "CLOCK_BOOTTIME would go on in a sleep"
    now, began = [50.0], datetime.now(UTC)
    monkeypatch.setattr("workers.job.phase_costs.time.monotonic", lambda: now[0])  # of all modules: it is one
    costs, stop = PhaseCosts({"plan": {"seconds": 10.0}}), StopSignal(used_s=0.0, limit_s=60.0)
    clock = JobClock(costs, started_at=began)
    costs.begin("search")
    stop.start()
    now[0] += 10.0

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return began + timedelta(hours=8)

    monkeypatch.setattr("workers.job.clock.datetime", Later)
    assert (clock.seconds(), stop.seconds_used(), stop.stopping) == (20.0, 10.0, False)
    again = JobClock(PhaseCosts(costs.snapshot()), started_at=began, first=False)
    assert again.seconds() == 20.0, "another driver took the job over"


def test_a_lease_that_ended_in_a_sleep_is_renewed_unless_another_driver_has_the_job(ledger: Ledger) -> None:
    lease = factories.owned_job(ledger)
    ledger.expire(lease)
    assert ledger.renew(lease, 30.0) == "run"
    assert ledger.claim("driver-2", 30.0) is None
