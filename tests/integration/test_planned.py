"""Planned jobs on a real Ray cluster: from their timed steps to their bundle."""

import json

import pytest

from search.spec import Budget, ControllerSpec, TrialSpec
from search.trial import JobState, TrialState
from tests.driving import Yard, finalists
from tests.invariants import audit

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

TRIAL = TrialSpec(precision="fp32", layout="nchw", scheduler="asha")


def test_a_planned_job_plans_searches_and_has_a_bundle(yard: Yard) -> None:
    """A ceiling of trials ends it long before its time."""
    alike = finalists(seeds=2, baseline=True, random_arm=True)
    budget = Budget(seconds=1800.0, trials=3, total_epochs=200)
    job_id = yard.submit(budget=budget, trial=TRIAL, finalists=alike, controller=ControllerSpec(name="evolution"))
    job = yard.drive()
    assert (job.state, job.reason) == (JobState.SUCCEEDED, None)
    assert job.stopped_because in ("budget_trials", "budget_epochs")
    assert {"plan", "search", "finalists"} <= set(job.phases)
    plans = [event.data for event in yard.ledger.events(job_id, limit=1000) if event.kind == "plan"]
    assert plans[0]["why"] == "the start"
    assert plans[0]["architectures"] <= 3
    assert plans[0]["batch_size"] == 32
    trials = yard.trials(job_id)
    assert {trial.state for trial in trials.values()} <= {TrialState.COMPLETED, TrialState.PRUNED}
    roles = [(final.role, final.seed) for final in yard.ledger.finalists(job_id) if final.state == "completed"]
    assert ("finalist", 0) in roles
    report = json.loads((yard.settings.job_folder(job_id) / "bundle" / "report.json").read_text())
    assert report["plan"]["seconds"] == 1800.0
    assert report["plan"]["arm_s"] == 0.0
    found = [trials[number].provenance for number in sorted(trials)]
    assert found == ["baseline", "controller", "random"][: len(found)]
    assert yard.ledger.random_arm(job_id) == []
    assert report["job"]["document"]["budget"]["epochs"] is None
    audit(yard.ledger)


def test_a_budget_that_is_too_small_fails_the_job_and_says_what_would_do(yard: Yard) -> None:
    yard.submit(budget=Budget(seconds=0.5), trial=TRIAL)
    job = yard.drive()
    assert job.state is JobState.FAILED
    assert job.reason is not None
    assert job.reason.startswith("budget.seconds: 0.5 s are too few for one architecture on this data and machine: at")
