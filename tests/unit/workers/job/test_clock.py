"""How long a job has run: all phases of all drivers, and the start of the first."""

from datetime import UTC, datetime, timedelta

import pytest

from workers.job.clock import LONGEST_RESTART_S, LONGEST_START_S, JobClock
from workers.job.phase_costs import PhaseCosts


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
