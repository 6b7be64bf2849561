"""What befalls a trial, on a real Ray cluster: its own faults, the death of its process, its time limit."""

import pytest

from archsmith.errors import TrialFailure
from search.spec import TrialSpec
from search.trial import JobState, TrialState
from tests import fakes
from tests.driving import Yard
from tests.fakes import Fake
from tests.invariants import audit
from workers.cluster.tasks import run_tasks

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), pytest.mark.usefixtures("finals_here")]

LIMIT_S = 3.0


def test_every_fault_is_an_outcome_and_harms_no_other_trial(yard: Yard) -> None:
    fake = Fake(
        diverged=frozenset({1}),
        crashed=frozenset({2}),
        nan=frozenset({3}),
        killed_once=frozenset({4}),
        killed=frozenset({5}),
        blocked=frozenset({6}),
        slow=frozenset({7}),
        slow_from=2,
    )
    trial = TrialSpec(precision="fp32", layout="nchw", timeout_s=LIMIT_S)
    job_id = yard.submit(trials=10, epochs=3, trial=trial)
    job = yard.drive(fake)
    trials = yard.trials(job_id)
    limit = f"timeout: ran longer than its limit of {LIMIT_S:g} s"
    assert {n: (t.state, t.reason, t.attempts, t.epochs) for n, t in trials.items()} == {
        0: (TrialState.COMPLETED, None, 1, 3),
        1: (TrialState.FAILED, "diverged: the loss is nan", 1, 0),
        2: (TrialState.FAILED, "crashed: RuntimeError: as it was told to", 1, 0),
        3: (TrialState.FAILED, "crashed: ValueError: score must be finite, got nan", 1, 0),
        4: (TrialState.COMPLETED, None, 2, 3),
        5: (TrialState.FAILED, "worker lost repeatedly (3 attempts)", 3, 0),
        6: (TrialState.FAILED, limit, 1, 0),
        7: (TrialState.FAILED, limit, 1, 1),
        8: (TrialState.COMPLETED, None, 1, 3),
        9: (TrialState.COMPLETED, None, 1, 3),
    }
    measured = yard.ledger.trial(job_id, 7).measurements
    assert [m.epoch for m in measured] == [1], "what was measured before the limit is kept"
    assert (job.state, job.stopped_because) == (JobState.SUCCEEDED, "budget_trials")
    audit(yard.ledger)


def test_a_job_whose_trials_all_fail_says_why(yard: Yard) -> None:
    yard.submit(trials=2)
    job = yard.drive(Fake(all_crash=True))
    assert (job.state, job.reason) == (JobState.FAILED, "no trial succeeded: 2 × crashed")
    assert job.counts[TrialState.FAILED] == 2
    audit(yard.ledger)


@pytest.mark.usefixtures("ray_address")
def test_tasks_that_fail_come_back_as_failures() -> None:
    done = dict(run_tasks(fakes.task, ["well", "raises", "dies"], shared="data", cpus=1, gpus=0))
    assert done["well"] == "well with data"
    failures = {kind: str(result) for kind, result in done.items() if isinstance(result, TrialFailure)}
    assert failures["raises"].startswith("crashed: KeyError: ")
    assert failures["dies"].startswith("worker lost repeatedly: ")
