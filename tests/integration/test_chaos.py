"""`make chaos`: drivers killed at seeded random moments, again and again.

ARCHSMITH_CHAOS_KILLS (10) and ARCHSMITH_CHAOS_SEED (0) say how often, and when.
"""

import os
import random
import signal
import time
from dataclasses import replace

import pytest

from search.ledger import Trial
from search.spec import Budget, ControllerSpec, TrialSpec
from search.trial import JobState, TrialState
from tests.driving import Yard, finalists, plain
from tests.invariants import audit

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

KILLS = int(os.environ.get("ARCHSMITH_CHAOS_KILLS", "10"))
SEED = int(os.environ.get("ARCHSMITH_CHAOS_SEED", "0"))
TRIALS = 100


def ended(yard: Yard, job_id: str) -> dict[int, Trial]:
    return {number: plain(trial) for number, trial in yard.trials(job_id).items() if trial.state.terminal}


def test_drivers_killed_at_random_moments(yard: Yard, ray_address: str) -> None:
    rng = random.Random(SEED)
    yard.settings = replace(yard.settings, lease_s=3.0)
    job_id = yard.submit(
        controller=ControllerSpec(name="reinforce"),
        budget=Budget(trials=TRIALS, epochs=4),
        trial=TrialSpec(precision="fp32", layout="nchw", batch_size=8),
        finalists=finalists(top=3, epochs=20),
    )
    before: dict[int, Trial] = {}
    kills = 0
    while kills < KILLS:
        print(f"seed {SEED}: {kills} kills, {len(before)} of {TRIALS} trials ended", flush=True)  # noqa: T201  # a long sweep
        driver = yard.spawn(yard.claim(f"driver-{kills}"), ray_address)
        # From the first line of a driver to well into its trials; connecting alone takes some seconds.
        time.sleep(rng.uniform(0, 12))
        if driver.poll() is not None:
            break  # the job ended before its time
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        kills += 1
        now = ended(yard, job_id)
        assert {n: now[n] for n in before} == before, f"seed {SEED}, kill {kills}: an ended trial was lost or changed"
        before = now
    else:
        last = yard.spawn(yard.claim("last"), ray_address)
        assert last.wait(900) == 0
    check(yard, job_id, kills)


def check(yard: Yard, job_id: str, kills: int) -> None:
    """All trials, each ended once, whole and unlike any other."""
    trials = yard.trials(job_id)
    assert yard.ledger.job(job_id).state is JobState.SUCCEEDED
    assert sorted(trials) == list(range(TRIALS))
    assert {t.state for t in trials.values()} == {TrialState.COMPLETED}
    assert len({t.hash for t in trials.values()}) == TRIALS
    assert sum(t.attempts for t in trials.values()) <= TRIALS + 2 * kills, (
        "two run at once, so a kill loses two at most"
    )
    for number in trials:
        assert [m.epoch for m in yard.ledger.trial(job_id, number).measurements] == [1, 2, 3, 4]
    assert (yard.settings.job_folder(job_id) / "bundle.zip").is_file()
    audit(yard.ledger)
    assert kills == KILLS, f"seed {SEED}: the job ended after {kills} kills; give it more trials"
