"""A driver's heartbeat renews the lease, passes on pause and cancel, and ends a process that lost its job."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from search.ledger import Lease, Ledger
from search.spec import Budget
from search.trial import JobState
from tests import factories
from workers.job.context import JobContext
from workers.job.heartbeat import EXIT_CLUSTER_AWAY, EXIT_LEASE_LOST, Heartbeat
from workers.settings import Settings
from workers.stop_signal import StopSignal

Beating = Callable[[Lease], Heartbeat]


class Abandoned(Exception):
    """In the place of the process's end."""


@pytest.fixture
def stop() -> StopSignal:
    return StopSignal()


@pytest.fixture
def beating(settings: Settings, ledger: Ledger, stop: StopSignal, monkeypatch: pytest.MonkeyPatch) -> Beating:
    def abandon(self: Heartbeat, why: str, code: int = EXIT_LEASE_LOST) -> None:
        raise Abandoned(code, why)

    monkeypatch.setattr(Heartbeat, "_abandon", abandon)

    brisk = replace(settings, lease_s=0.06)

    def beating(lease: Lease) -> Heartbeat:
        return Heartbeat(replace(JobContext.of(brisk, ledger, lease), stop=stop), waiting_for=lambda: None)

    return beating


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED])
def test_a_driver_that_has_just_ended_its_job_is_not_killed(ledger: Ledger, beating: Beating, state: JobState) -> None:
    lease = factories.owned_job(ledger)
    ledger.finish_job(lease, state, "out of memory" if state is JobState.FAILED else None)
    beating(lease).run()


def test_a_driver_that_has_suspended_its_job_is_not_killed(ledger: Ledger, beating: Beating) -> None:
    lease = factories.owned_job(ledger)
    ledger.pause_job(lease)
    beating(lease).run()


def test_a_driver_whose_job_has_another_owner_ends_at_once(ledger: Ledger, beating: Beating) -> None:
    lease = factories.owned_job(ledger)
    ledger.expire(lease)
    assert ledger.claim("other", 30.0) is not None
    with pytest.raises(Abandoned, match="another driver owns this job"):
        beating(lease).run()


def test_a_beat_renews_the_lease_and_passes_on_a_cancel(ledger: Ledger, stop: StopSignal, beating: Beating) -> None:
    lease = factories.owned_job(ledger)
    ledger.request(lease.job_id, "cancel")
    heartbeat = beating(lease)
    heartbeat._beat()
    assert stop.suspending
    assert ledger.job(lease.job_id).state is JobState.RUNNING


def test_a_driver_whose_cluster_is_away_puts_its_job_back_and_ends(ledger: Ledger, beating: Beating) -> None:
    lease = factories.owned_job(ledger)
    heartbeat = beating(lease)
    heartbeat._away = lambda: "the cluster's raylet does not answer"

    def put_back() -> None:
        ledger.pause_job(lease)

    heartbeat._put_back = put_back
    with pytest.raises(Abandoned) as caught:
        heartbeat.run()
    assert caught.value.args == (EXIT_CLUSTER_AWAY, "the cluster's raylet does not answer")
    assert ledger.job(lease.job_id).state is JobState.QUEUED


def test_a_look_follows_the_budget_the_early_end_and_a_search_that_goes_on(
    ledger: Ledger, stop: StopSignal, beating: Beating
) -> None:
    lease = factories.owned_job(ledger, budget=Budget(trials=3, seconds=50.0))
    heartbeat = beating(lease)
    heartbeat._look()
    assert stop.budget == Budget(trials=3, seconds=50.0)
    ledger.change_budget(lease.job_id, {"trials": 9})
    heartbeat._look()
    assert stop.budget == Budget(trials=9, seconds=50.0)
    attempt = factories.running_trial(ledger, lease)
    ledger.add_measurement(lease, 0, attempt, factories.measurement(1))
    ledger.finish(lease.job_id, within_seconds=30.0)
    heartbeat._look()
    first = stop.left_s
    assert (stop.reason, 29.0 < first <= 30.0) == ("finish", True)
    assert ledger.job(lease.job_id).finishing == {"within_seconds": 30.0, "until": 30.0}
    heartbeat._look()
    assert stop.left_s <= first, "what was followed is not followed again"
    ledger.end_search(lease, "finish")
    stop.over = True
    heartbeat._look()
    assert not stop.suspending
    ledger.change_budget(lease.job_id, {"trials": 10})
    heartbeat._look()
    assert (stop.reason, stop.suspending) == ("continue", True)


def test_the_next_driver_keeps_to_the_time_that_the_last_one_began(
    ledger: Ledger, stop: StopSignal, beating: Beating
) -> None:
    lease = factories.owned_job(ledger)
    attempt = factories.running_trial(ledger, lease)
    ledger.add_measurement(lease, 0, attempt, factories.measurement(1))
    ledger.finish(lease.job_id, within_seconds=30.0)
    ledger.begin_finish(lease, within_seconds=30.0, until=100.0)
    ledger.update_job(lease, phases={"search": {"seconds": 90.0}})
    beating(lease)._look()
    assert 9.0 < stop.left_s <= 10.0
