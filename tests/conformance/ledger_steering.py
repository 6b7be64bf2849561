"""Finishing early, changing the budget, continuing after the end: what each state allows, and what the owner sees."""

from typing import Any

import pytest

from archsmith.errors import Conflict, InvalidInput, LeaseLost, NotFound
from search.ledger import Finalist, Lease, Ledger
from search.spec import Budget, CompressSpec
from search.trial import RANDOM_ARM, RANDOM_ARM_FROM, JobState, TrialState
from tests.conformance.ledger_base import WithLedger
from tests.factories import completed, job_spec, measurement, owned_job, running_trial, trial_fields

BUDGET = Budget(trials=3, seconds=60.0, epochs=2, total_epochs=40)
HELD = {"file": "provisional-1.zip", "sha256": "ab" * 32, "bytes": 5, "provisional": {"trial": 0}}


def _scored(ledger: Ledger, *, state: JobState = JobState.RUNNING, **changes: Any) -> Lease:
    """A job with two ended trials and one that runs, brought to a state, under its last lease."""
    lease = owned_job(ledger, budget=BUDGET, **changes)
    for number in range(2):
        attempt = running_trial(ledger, lease, number)
        ledger.add_measurement(lease, number, attempt, measurement(1))
        ledger.add_measurement(lease, number, attempt, measurement(2))
        ledger.finish_trial(lease, number, attempt, completed(number, epochs=2), 0.9)
    ledger.update_job(lease, seconds_used=30.4)
    if state.terminal:
        why = None if state is JobState.SUCCEEDED else "as it was told to"
        bundle = {"bundle_sha256": "cd" * 32, "bundle_bytes": 9, "final_score": 0.8}
        ledger.end_search(lease, "budget_seconds", seconds_used=30.4)
        ledger.finish_job(lease, state, why, **(bundle if why is None else {}))  # type: ignore[arg-type]
        return lease
    running_trial(ledger, lease, 2)
    if state is JobState.PAUSED:
        ledger.request(lease.job_id, "pause")
    if state is not JobState.RUNNING:
        ledger.pause_job(lease)
    return lease


def _faults(refused: pytest.ExceptionInfo[InvalidInput]) -> dict[str, Any]:
    return {fault.pointer: (fault.rule, fault.allowed) for fault in refused.value.faults}


class SteeringConformance(WithLedger):
    @pytest.mark.parametrize("state", list(JobState))
    def test_finish_by_state(self, ledger: Ledger, state: JobState) -> None:
        lease = _scored(ledger, state=state)
        before = ledger.job(lease.job_id)
        if state.terminal:
            with pytest.raises(Conflict, match=f"already {state}") as refused:
                ledger.finish(lease.job_id)
            assert refused.value.allowed == ("queued", "running", "paused")
            assert ledger.job(lease.job_id) == before
            return
        for limit in (None, 12.5):  # twice is fine, and the last limit counts
            job = ledger.finish(lease.job_id, within_seconds=limit)
            assert job == ledger.job(lease.job_id)
            assert job.finishing == {"within_seconds": limit, "until": None}
            assert job.state is (JobState.RUNNING if state is JobState.RUNNING else JobState.QUEUED)
            last = [event for event in ledger.events(job.id) if event.kind == "finish_wanted"][-1]
            assert last.data == {"within_seconds": limit}

    def test_finish_replaces_a_pause_and_yields_to_a_cancel(self, ledger: Ledger) -> None:
        lease = _scored(ledger)
        ledger.request(lease.job_id, "pause")
        assert ledger.finish(lease.job_id).wanted == "run"
        ledger.request(lease.job_id, "cancel")
        with pytest.raises(Conflict, match="about to be cancelled"):
            ledger.finish(lease.job_id)
        assert ledger.pause_job(lease) is JobState.CANCELLED

    def test_nothing_can_be_finished_before_a_trial_has_a_score(self, ledger: Ledger) -> None:
        lease = owned_job(ledger, budget=BUDGET)
        attempt = running_trial(ledger, lease)
        ledger.add_trial(lease, **trial_fields(RANDOM_ARM_FROM, provenance=RANDOM_ARM))
        arm = ledger.start_attempt(lease, RANDOM_ARM_FROM)
        ledger.add_measurement(lease, RANDOM_ARM_FROM, arm, measurement(1))
        with pytest.raises(Conflict, match="no trial has a score yet"):
            ledger.finish(lease.job_id)
        ledger.add_measurement(lease, 0, attempt, measurement(1))
        assert ledger.finish(lease.job_id).finishing is not None
        with pytest.raises(NotFound):
            ledger.finish("00000000-0000-0000-0000-000000000000")

    def test_the_owner_learns_of_it_and_its_successor_knows_until_when(self, ledger: Ledger) -> None:
        lease = _scored(ledger)
        version = ledger.job(lease.job_id).version
        control = ledger.control(lease)
        assert (control.wanted, control.finishing, control.budget) == ("run", None, BUDGET)
        assert ledger.job(lease.job_id).version == version, "looking writes nothing"
        ledger.finish(lease.job_id, within_seconds=9.0)
        assert not ledger.begin_finish(lease, within_seconds=None, until=1.0), "another limit is wanted by now"
        assert ledger.begin_finish(lease, within_seconds=9.0, until=71.5)
        ledger.expire(lease)
        again = ledger.claim("driver-2", 30.0)
        assert again is not None
        assert ledger.control(again).finishing == {"within_seconds": 9.0, "until": 71.5}
        with pytest.raises(LeaseLost):
            ledger.control(lease)
        with pytest.raises(LeaseLost):
            ledger.begin_finish(lease, within_seconds=9.0, until=1.0)

    def test_the_trials_that_run_have_their_measurements(self, ledger: Ledger) -> None:
        lease = _scored(ledger)
        assert [(trial.number, trial.measurements) for trial in ledger.running(lease.job_id)] == [(2, ())]
        ledger.add_measurement(lease, 2, 1, measurement(1))
        ledger.add_measurement(lease, 2, 1, measurement(2))
        running_trial(ledger, lease, 3)
        assert ledger.running(lease.job_id) == [ledger.trial(lease.job_id, 2), ledger.trial(lease.job_id, 3)]
        assert [len(trial.measurements) for trial in ledger.running(lease.job_id)] == [2, 0]

    @pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.PAUSED])
    def test_a_budget_is_changed_in_place(self, ledger: Ledger, state: JobState) -> None:
        lease = _scored(ledger, state=state)
        changes = {"trials": 3, "seconds": 31.0}
        job = ledger.change_budget(lease.job_id, changes)
        assert (job.state, job.rounds) == (state, 0)
        assert job.spec.budget == Budget(trials=3, seconds=31.0, epochs=2, total_epochs=40)
        assert ledger.events(job.id)[-1].data == changes
        assert ledger.change_budget(lease.job_id, changes) == job, "the same again changes nothing"
        if state is JobState.RUNNING:
            assert ledger.control(lease).budget == job.spec.budget

    def test_a_budget_below_what_is_spent_is_refused_with_the_least(self, ledger: Ledger) -> None:
        lease = _scored(ledger)
        before = ledger.job(lease.job_id)
        with pytest.raises(InvalidInput) as refused:
            ledger.change_budget(lease.job_id, {"trials": 2, "seconds": 30.0, "total_epochs": 5})
        assert _faults(refused) == {
            "/budget/trials": ("below_spent", {"minimum": 3}),
            "/budget/seconds": ("below_spent", {"minimum": 31}),
            "/budget/total_epochs": ("below_spent", {"minimum": 6}),
        }
        assert ledger.job(lease.job_id) == before

    @pytest.mark.parametrize("state", [s for s in JobState if s.terminal])
    def test_an_ended_job_goes_back_to_the_queue(self, ledger: Ledger, state: JobState) -> None:
        lease = _scored(ledger, state=state)
        job = ledger.change_budget(lease.job_id, {"trials": 5}, kept_as="old.zip")
        assert (job.state, job.wanted, job.phase, job.rounds) == (JobState.QUEUED, "run", "prepare", 1)
        assert (job.reason, job.finished_at, job.stopped_because, job.final_score) == (None,) * 4
        assert (job.bundle_sha256, job.finishing) == (None, None)
        old = {"file": "old.zip", "sha256": "cd" * 32, "bytes": 9, "provisional": None, "final_score": 0.8}
        assert job.interim_bundle == (old if state is JobState.SUCCEEDED else None)
        assert (job.best_trial, job.counts[TrialState.COMPLETED], job.seconds_used) == (0, 2, 30.4)
        again = ledger.claim("driver-2", 30.0)
        assert again is not None
        assert (again.job_id, again.fence) == (job.id, 2)
        final = Finalist(job_id=job.id, rank=1, trial_number=0, seed=0, state="completed", test_score=0.9)
        ledger.set_finalist(again, final)
        ended = [row for row in ledger.outbox(job.id, limit=1000) if row.kind == "finalist_ended"]
        assert [row.payload["round"] for row in ended] == [1]
        ledger.finish_job(again, JobState.SUCCEEDED, bundle_sha256="ef" * 32, bundle_bytes=1)
        assert ledger.job(job.id).interim_bundle is None, "the new bundle replaces the old one"

    def test_final_trainings_are_made_anew(self, ledger: Ledger) -> None:
        lease = owned_job(ledger, budget=BUDGET)
        final = Finalist(job_id=lease.job_id, rank=1, trial_number=0, seed=0, state="completed", test_score=0.9)
        ledger.set_finalist(lease, final)
        ledger.finish_job(lease, JobState.SUCCEEDED)
        ledger.change_budget(lease.job_id, {"trials": 4})
        assert ledger.finalists(lease.job_id) == []

    def test_an_ended_job_needs_room_for_another_trial(self, ledger: Ledger) -> None:
        lease = _scored(ledger, state=JobState.SUCCEEDED)
        before = ledger.job(lease.job_id)
        with pytest.raises(InvalidInput) as refused:
            ledger.change_budget(lease.job_id, {"trials": 2, "seconds": 30.0})
        minima = {
            "/budget/trials": ("below_spent", {"minimum": 3}),
            "/budget/seconds": ("below_spent", {"minimum": 31}),
        }
        assert _faults(refused) == minima
        assert ledger.job(lease.job_id) == before

    def test_a_search_whose_finals_are_trained_goes_on(self, ledger: Ledger) -> None:
        """The owner sees it by `stopped_because`, and puts the job back."""
        lease = owned_job(ledger, budget=BUDGET)
        attempt = running_trial(ledger, lease)
        ledger.add_measurement(lease, 0, attempt, measurement(1))
        ledger.finish_trial(lease, 0, attempt, completed(), 0.9)
        ledger.end_search(lease, "budget_trials", seconds_used=3.0)
        final = Finalist(job_id=lease.job_id, rank=1, trial_number=0, seed=0, state="completed", test_score=0.9)
        ledger.set_finalist(lease, final)
        ledger.finish(lease.job_id, within_seconds=5.0)
        with pytest.raises(InvalidInput, match="must be at least 2"):
            ledger.change_budget(lease.job_id, {"trials": 1})
        assert ledger.control(lease).stopped_because == "budget_trials"
        job = ledger.change_budget(lease.job_id, {"trials": 9})
        assert (job.state, job.rounds, job.finishing) == (JobState.RUNNING, 1, None)
        assert (ledger.control(lease).stopped_because, ledger.finalists(job.id)) == (None, [])
        ledger.end_search(lease, "budget_trials", seconds_used=3.0)
        ledger.finish_job(lease, JobState.SUCCEEDED)

    @pytest.mark.parametrize("because", ["space_exhausted", "target_reached", "improvement_flat"])
    def test_a_search_that_is_over_by_itself_is_not_extended(self, ledger: Ledger, because: str) -> None:
        lease = owned_job(ledger, budget=BUDGET)
        ledger.end_search(lease, because)
        ledger.finish_job(lease, JobState.SUCCEEDED)
        with pytest.raises(Conflict, match="cannot go on"):
            ledger.change_budget(lease.job_id, {"trials": 50})

    def test_a_reproducible_job_keeps_its_budget_and_a_job_without_search_has_none(self, ledger: Ledger) -> None:
        fixed = ledger.create_job(job_spec(reproducible=True))[0].id
        with pytest.raises(InvalidInput, match="reproducible"):
            ledger.change_budget(fixed, {"trials": 50})
        only = ledger.create_job(job_spec(compress=CompressSpec(steps=(), of=fixed)))[0].id
        for call in (lambda: ledger.change_budget(only, {"trials": 50}), lambda: ledger.finish(only)):
            with pytest.raises(Conflict, match="no search"):
                call()

    @pytest.mark.parametrize("end", ["cancelled", "failed", "paused"])
    def test_what_is_held_outlives_every_end_but_success(self, ledger: Ledger, end: str) -> None:
        lease = _scored(ledger)
        ledger.set_interim_bundle(lease, HELD)
        shown = {name: value for name, value in HELD.items() if name != "file"}
        assert ledger.events(lease.job_id, limit=500)[-1].data == shown
        if end == "failed":
            ledger.finish_job(lease, JobState.FAILED, "as it was told to")
        else:
            ledger.request(lease.job_id, "cancel" if end == "cancelled" else "pause")
            ledger.pause_job(lease)
        job = ledger.job(lease.job_id)
        assert (job.state, job.interim_bundle) == (end, HELD)
        if end == "cancelled":
            assert ledger.change_budget(job.id, {"trials": 9}).interim_bundle == HELD
