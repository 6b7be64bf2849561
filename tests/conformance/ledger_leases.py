"""One owner for a job at any time."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest

from archsmith.errors import Conflict, LeaseLost
from search.ledger import Finalist, Lease, Ledger, open_ledger
from search.trial import JobState, TrialState
from tests.conformance.ledger_base import WithLedger, owner_writes
from tests.factories import job_spec, owned_job, running_trial, trial_fields


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


class LeaseConformance(WithLedger):
    def test_the_oldest_job_is_claimed_first_and_once(self, ledger: Ledger) -> None:
        made = [ledger.create_job(job_spec())[0].id for _ in range(3)]
        order = sorted(made, key=lambda j: (ledger.job(j).created_at, j))
        leases = [ledger.claim(f"driver-{i}", 30.0) for i in range(4)]
        assert [lease and lease.job_id for lease in leases] == [*order, None]
        assert leases[0] == Lease(job_id=order[0], owner="driver-0", fence=1)
        assert ledger.job(order[0]).state is JobState.RUNNING
        assert ledger.job(order[0]).started_at is not None

    def test_a_job_that_is_put_back_says_what_it_waits_for_until_it_is_claimed(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        assert ledger.pause_job(lease, waiting_for="the cluster") is JobState.QUEUED
        assert ledger.job(lease.job_id).waiting_for == "the cluster"
        again = ledger.claim("driver-2", 30.0)
        assert again is not None
        assert ledger.job(lease.job_id).waiting_for is None
        ledger.request(lease.job_id, "pause")
        assert ledger.pause_job(again, waiting_for="the cluster") is JobState.PAUSED
        assert ledger.job(lease.job_id).waiting_for is None

    def test_a_lease_that_never_beat_runs_out(self, ledger: Ledger) -> None:
        first = owned_job(ledger, lease_s=0.2)
        taken: list[Lease] = []

        def claimed() -> bool:
            lease = ledger.claim("driver-2", 30.0)
            taken.extend([lease] if lease else [])
            return bool(taken)

        wait_for(claimed)
        assert (taken[0].job_id, taken[0].owner, taken[0].fence) == (first.job_id, "driver-2", 2)

    def test_a_renewed_lease_holds_and_an_expired_one_ends_now(self, ledger: Ledger) -> None:
        lease = owned_job(ledger, lease_s=0.3)
        for _ in range(4):
            time.sleep(0.15)
            assert ledger.renew(lease, 0.5) == "run"
            assert ledger.claim("driver-2", 30.0) is None
        ledger.renew(lease, 3600.0)
        ledger.expire(lease)
        assert ledger.renew(lease, 3600.0) == "run", "until somebody else claims it, the lease still works"
        ledger.expire(lease)
        second = ledger.claim("driver-2", 30.0)
        assert second is not None
        ledger.expire(lease)
        assert ledger.claim("driver-3", 30.0) is None, "a lost lease cannot end its successor's"

    def test_a_superseded_owner_changes_nothing(self, ledger: Ledger) -> None:
        old = owned_job(ledger)
        attempt = running_trial(ledger, old)
        ledger.add_trial(old, **trial_fields(1))
        ledger.expire(old)
        assert ledger.claim("driver-1", 30.0) is not None, "the same name again: the fence tells them apart"
        before = ledger.job(old.job_id), ledger.events(old.job_id), list(ledger.history(old.job_id))
        for write in owner_writes(ledger, old, attempt):
            with pytest.raises(LeaseLost):
                write()
        assert before == (ledger.job(old.job_id), ledger.events(old.job_id), list(ledger.history(old.job_id)))

    def test_many_claimers_never_share_a_job(self, ledger: Ledger, url: str) -> None:
        made = {ledger.create_job(job_spec())[0].id for _ in range(40)}
        start = threading.Barrier(8)

        def claim_all(owner: int) -> list[Lease]:
            mine = open_ledger(url)  # its own connections, as another process has
            start.wait()
            leases = []
            while lease := mine.claim(f"driver-{owner}", 30.0):
                leases.append(lease)
            mine.close()
            return leases

        with ThreadPoolExecutor(8) as pool:
            claimed = [lease for leases in pool.map(claim_all, range(8)) for lease in leases]
        assert len(claimed) == 40
        assert {lease.job_id for lease in claimed} == made
        assert {lease.fence for lease in claimed} == {1}

    def test_many_claimers_of_one_expired_lease(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        for fence in range(2, 8):
            ledger.expire(lease)
            with ThreadPoolExecutor(8) as pool:
                won = [x for x in pool.map(lambda i: ledger.claim(f"driver-{i}", 30.0), range(8)) if x]
            assert [x.fence for x in won] == [fence]
            lease = won[0]

    def test_pause_follows_the_latest_wish(self, ledger: Ledger) -> None:
        for wishes, expected in [
            (["pause"], JobState.PAUSED), (["pause", "run"], JobState.QUEUED), (["pause", "cancel"], JobState.CANCELLED)
        ]:  # fmt: skip
            lease = owned_job(ledger)
            running_trial(ledger, lease)
            ledger.set_finalist(lease, Finalist(job_id=lease.job_id, rank=1, trial_number=0, seed=0, state="running"))
            for wish in wishes:
                ledger.request(lease.job_id, wish)  # type: ignore[arg-type]
            assert ledger.pause_job(lease) is expected
            assert ledger.job(lease.job_id).state is expected
            state = TrialState.CANCELLED if expected is JobState.CANCELLED else TrialState.WAITING
            assert ledger.trial(lease.job_id, 0).state is state
            assert ledger.attempts(lease.job_id, 0)[0].state == "interrupted"
            final = "failed" if expected is JobState.CANCELLED else "waiting"
            assert ledger.finalists(lease.job_id)[0].state == final
            with pytest.raises(LeaseLost):
                ledger.renew(lease, 30.0)
            if expected is JobState.QUEUED:
                assert ledger.claim("other", 30.0) == Lease(job_id=lease.job_id, owner="other", fence=2)

    def test_fields_of_a_job(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        count = len(ledger.events(lease.job_id))
        ledger.update_job(lease, seconds_used=12.5, mlflow_experiment_id="7", final_score=0.25)
        assert len(ledger.events(lease.job_id)) == count, "the clock ticks in silence"
        spent = {"search": {"seconds": 13.0, "energy_j": 5.0}}
        ledger.update_job(lease, phase="finalists", waiting_for="a free GPU", seconds_used=13.0, phases=spent)
        assert ledger.job(lease.job_id).phases == spent
        ledger.update_job(lease)
        job = ledger.job(lease.job_id)
        assert (job.phase, job.waiting_for, job.seconds_used) == ("finalists", "a free GPU", 13.0)
        assert (job.mlflow_experiment_id, job.final_score) == ("7", 0.25)
        assert ledger.events(lease.job_id)[-1].data == {"phase": "finalists", "waiting_for": "a free GPU"}
        ledger.update_job(lease, waiting_for=None)
        assert ledger.job(lease.job_id).waiting_for is None

    def test_cancel_races_with_the_end(self, ledger: Ledger) -> None:
        for _ in range(10):
            lease = owned_job(ledger)
            finish: list[Callable[[], object]] = [partial(ledger.finish_job, lease, JobState.SUCCEEDED)]
            asks: list[Callable[[], object]] = [partial(ledger.request, lease.job_id, "cancel")] * 4
            with ThreadPoolExecutor(5) as pool:
                list(pool.map(_quietly, asks[:2] + finish + asks[2:]))
            assert ledger.job(lease.job_id).state is JobState.SUCCEEDED
            ends = [e for e in ledger.events(lease.job_id) if e.data.get("state") == "succeeded"]
            assert len(ends) == 1


def _quietly(call: Callable[[], object]) -> None:
    with suppress(Conflict):
        call()
