"""What the parts of the ledger's suite share: an audited ledger, and jobs and trials brought to any state."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from search.ledger import Finalist, Lease, Ledger, Wanted, open_ledger
from search.trial import JobState, TrialState
from tests.factories import completed, ended, job_spec, measurement, running_trial, trial_fields
from tests.invariants import audit


class WithLedger:
    @pytest.fixture
    def ledger(self, url: str) -> Iterator[Ledger]:
        opened = open_ledger(url)
        yield opened
        audit(opened)
        opened.close()


def owner_writes(ledger: Ledger, lease: Lease, attempt: int) -> list[Callable[[], object]]:
    """Every write of an owner; trial 0 runs in `attempt`, trial 1 waits, trial 2 is new."""
    done = replace(ledger.trial(lease.job_id, 0), state=TrialState.COMPLETED, value=0.5, search_score=0.5)
    finalist = Finalist(job_id=lease.job_id, rank=9, trial_number=0, seed=0, state="waiting")
    return [
        lambda: ledger.renew(lease, 30.0),
        lambda: ledger.recover(lease),
        lambda: ledger.add_trial(lease, **trial_fields(2)),
        lambda: ledger.add_prior(lease, 1_000_000, done, value=0.5),
        lambda: ledger.start_attempt(lease, 1),
        lambda: ledger.end_attempt_lost(lease, 0, attempt),
        lambda: ledger.interrupt(lease, 0, attempt),
        lambda: ledger.add_measurement(lease, 0, attempt, measurement(1)),
        lambda: ledger.finish_trial(lease, 0, attempt, completed(0), 0.9),
        lambda: ledger.update_job(lease, phase="finalists"),
        lambda: ledger.end_search(lease, "budget_trials"),
        lambda: ledger.set_finalist(lease, finalist),
        lambda: ledger.finish_job(lease, JobState.SUCCEEDED),
        lambda: ledger.pause_job(lease),
    ]


def job_in(ledger: Ledger, state: JobState, wanted: Wanted = "run") -> tuple[str, Lease | None]:
    """A job brought to a state through the front door."""
    job = ledger.create_job(job_spec())[0].id
    if state in (JobState.QUEUED, JobState.PAUSED, JobState.CANCELLED):
        if state is not JobState.QUEUED:
            ledger.request(job, "pause" if state is JobState.PAUSED else "cancel")
        return job, None
    lease = ledger.claim("driver-1", 30.0)
    assert lease is not None
    if state is JobState.RUNNING:
        if wanted != "run":
            ledger.request(job, wanted)
    else:
        ledger.finish_job(lease, state, None if state is JobState.SUCCEEDED else "made to fail")
    return job, lease


def trial_in(ledger: Ledger, lease: Lease, number: int, state: TrialState) -> int:
    """A trial brought to a state through the front door -> its last attempt."""
    if state is TrialState.WAITING:
        ledger.add_trial(lease, **trial_fields(number))
        return 0
    attempt = running_trial(ledger, lease, number)
    if state is TrialState.LOST:
        ledger.end_attempt_lost(lease, number, attempt)
    elif state is not TrialState.RUNNING:
        outcome = ended(number, state)
        ledger.finish_trial(lease, number, attempt, outcome, outcome.value)
    return attempt
