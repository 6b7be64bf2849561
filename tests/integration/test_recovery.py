"""Driver processes killed without warning, in the search and in the final trainings: what has ended stays as it is."""

import signal
from dataclasses import replace

import pytest

from search.ledger import Trial
from search.spec import Budget, ControllerSpec, TrialSpec
from search.trial import JobState, TrialState
from tests.driving import Yard, finalists, plain, until
from tests.invariants import audit

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]

LEASE_S = 6.0


def _ended(yard: Yard, job_id: str) -> dict[int, Trial]:
    return {n: plain(t) for n, t in yard.trials(job_id).items() if t.state.terminal}


def test_kill_9_of_the_driver_twice(yard: Yard, ray_address: str) -> None:
    yard.settings = replace(yard.settings, lease_s=LEASE_S)
    ledger = yard.ledger
    job_id = yard.submit(
        controller=ControllerSpec(name="tpe"),
        budget=Budget(trials=9, epochs=9),
        trial=TrialSpec(precision="fp32", layout="nchw", scheduler="asha", batch_size=32),
        finalists=finalists(top=2, epochs=12),
    )

    def in_the_middle() -> bool:
        running = [n for n, t in yard.trials(job_id).items() if t.state is TrialState.RUNNING]
        return len(_ended(yard, job_id)) >= 3 and any(ledger.trial(job_id, n).measurements for n in running)

    first = yard.spawn(yard.claim("first"), ray_address)
    until(lambda: in_the_middle() or first.poll() is not None)
    first.send_signal(signal.SIGKILL)
    first.wait()
    ended = _ended(yard, job_id)
    open_ = {n: ledger.trial(job_id, n) for n, t in yard.trials(job_id).items() if t.state is TrialState.RUNNING}
    assert len(ended) >= 3
    assert open_

    second = yard.spawn(yard.claim("second"), ray_address)
    until(lambda: any(f.state == "running" for f in ledger.finalists(job_id)) or second.poll() is not None)
    second.send_signal(signal.SIGKILL)
    second.wait()
    assert ledger.job(job_id).stopped_because == "budget_trials"
    searched = _ended(yard, job_id)
    assert {n: searched[n] for n in ended} == ended, "no ended trial was lost, changed or run again"
    assert sorted(searched) == list(range(9))
    assert all(t.state in (TrialState.COMPLETED, TrialState.PRUNED) for t in searched.values())
    assert len({t.hash for t in searched.values()}) == 9
    for number, before in open_.items():
        after = ledger.trial(job_id, number)
        assert after.attempts == 2
        assert after.measurements[: len(before.measurements)] == before.measurements
        assert [m.epoch for m in after.measurements] == list(range(1, after.epochs + 1))
    assert any(t.state is TrialState.PRUNED and t.epochs < 9 for t in searched.values())

    third = yard.spawn(yard.claim("third"), ray_address)
    assert third.wait(200) == 0
    job = ledger.job(job_id)
    assert (job.state, job.reason) == (JobState.SUCCEEDED, None)
    assert _ended(yard, job_id) == searched
    assert [(f.rank, f.state) for f in ledger.finalists(job_id)] == [(1, "completed"), (2, "completed")]
    assert (yard.settings.job_folder(job_id) / "bundle.zip").is_file()
    audit(ledger)
