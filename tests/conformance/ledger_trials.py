"""Trials, attempts and measurements."""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from archsmith.errors import AlreadyExists, Conflict, LeaseLost
from search.ledger import Lease, Ledger
from search.ledger.tables import trials
from search.trial import MAX_ATTEMPTS, RANDOM_ARM, RANDOM_ARM_FROM, TRIAL_MOVES, JobState, TrialState
from tests.conformance.ledger_base import WithLedger, trial_in
from tests.factories import completed, ended, measurement, owned_job, running_trial, trial_fields


def move(ledger: Ledger, lease: Lease, number: int, attempt: int, to: TrialState) -> None:
    """Ask for a move of a trial, whatever its state."""
    if to is TrialState.RUNNING:
        ledger.start_attempt(lease, number)
    elif to is TrialState.WAITING:
        ledger.interrupt(lease, number, attempt)
    elif to is TrialState.LOST:
        ledger.end_attempt_lost(lease, number, attempt)
    else:
        outcome = ended(number, to)
        ledger.finish_trial(lease, number, None, outcome, outcome.value)


class TrialConformance(WithLedger):
    def test_a_trial_comes_back_as_it_was_given(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        fields = trial_fields(4, macs=2**40, provenance="baseline")
        ledger.add_trial(lease, **fields)
        trial = ledger.trial(lease.job_id, 4)
        assert {key: getattr(trial, key) for key in fields} == fields
        assert list(trial.choices) == list(fields["choices"]), "in the order asked"
        assert (trial.state, trial.attempts, trial.seconds, trial.value) == (TrialState.WAITING, 0, 0.0, None)
        assert ledger.trials(lease.job_id) == [trial]

    def test_the_random_arm_is_no_part_of_the_search(self, ledger: Ledger) -> None:
        """Its trials live and are recovered like others, and nothing that the search is known by sees them."""
        lease = owned_job(ledger)
        job_id, best = lease.job_id, RANDOM_ARM_FROM
        attempt = running_trial(ledger, lease, 0)
        ledger.finish_trial(lease, 0, attempt, completed(0, 0.5), 0.5)
        counts = ledger.job(job_id).counts
        attempt = running_trial(ledger, lease, best, provenance=RANDOM_ARM)
        ledger.add_measurement(lease, best, attempt, measurement(1))
        ledger.finish_trial(lease, best, attempt, completed(best, 0.9), 0.9)
        running_trial(ledger, lease, best + 1, provenance=RANDOM_ARM)
        job = ledger.job(job_id)
        assert (job.counts, job.best_trial, job.best_score) == (counts, 0, 0.5)
        assert [trial.number for trial in ledger.history(job_id)] == [0]
        assert [number for number, _ in ledger.facts(job_id)] == [0]
        assert [trial.number for trial in ledger.random_arm(job_id)] == [best, best + 1]
        assert [trial.number for trial in ledger.trials(job_id)] == [0, best, best + 1]
        ledger.expire(lease)
        other = ledger.claim("other", 30.0)
        assert other is not None
        assert ledger.recover(other) == [best + 1]
        assert ledger.start_attempt(other, best + 1) == 2
        ledger.finish_job(other, JobState.SUCCEEDED)
        assert ledger.trial(job_id, best + 1).state is TrialState.CANCELLED

    def test_a_prior_trial_has_ended_and_can_be_the_incumbent(self, ledger: Ledger) -> None:
        first = owned_job(ledger)
        attempt = running_trial(ledger, first, 3)
        ledger.finish_trial(first, 3, attempt, completed(3, 0.8, epochs=2), 0.8, {"latency_ms": 2.0})
        ledger.finish_job(first, JobState.SUCCEEDED)
        source = ledger.trial(first.job_id, 3)
        lease = owned_job(ledger)
        ledger.add_prior(lease, 1_000_000, source, value=0.8)
        with pytest.raises(AlreadyExists):
            ledger.add_prior(lease, 1_000_000, source, value=0.8)
        [trial] = ledger.trials(lease.job_id)
        same = (
            "state",
            "architecture",
            "hash",
            "choices",
            "params",
            "macs",
            "search_score",
            "value",
            "epochs",
            "measures",
        )
        assert all(getattr(trial, name) == getattr(source, name) for name in same)
        assert (trial.number, trial.provenance, trial.attempts, trial.seconds) == (1_000_000, "prior", 0, 0.0)
        job = ledger.job(lease.job_id)
        assert (job.best_trial, job.best_score, job.counts[TrialState.COMPLETED]) == (1_000_000, 0.8, 0)
        attempt = running_trial(ledger, lease, 0)
        ledger.finish_trial(lease, 0, attempt, completed(0, 0.8), 0.8)
        assert ledger.job(lease.job_id).best_trial == 0, "of equals the lower number, which is the job's own"

    def test_a_number_is_given_once(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)

        def add(number: int) -> bool:
            try:
                ledger.add_trial(lease, **trial_fields(number))
            except AlreadyExists:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            added = list(pool.map(add, [n for n in range(10) for _ in range(4)]))
        assert sum(added) == 10
        with ledger._database.read() as connection:
            row = dict(connection.execute(sa.select(trials).limit(1)).mappings().one())
        with pytest.raises(sa.exc.IntegrityError), ledger._database.write() as connection:
            connection.execute(sa.insert(trials).values(row))

    @pytest.mark.parametrize("seen", list(TrialState))
    def test_moves_follow_the_law(self, ledger: Ledger, seen: TrialState) -> None:
        lease = owned_job(ledger)
        for number, to in enumerate(TrialState):
            attempt = trial_in(ledger, lease, number, seen)
            before, events = ledger.trial(lease.job_id, number), ledger.events(lease.job_id, limit=1000)
            rows = ledger.outbox(lease.job_id)
            if to in TRIAL_MOVES[seen]:
                move(ledger, lease, number, attempt, to)
                assert ledger.trial(lease.job_id, number).state is to
                assert len(ledger.events(lease.job_id, limit=1000)) > len(events)
            else:
                with pytest.raises((Conflict, LeaseLost)):
                    move(ledger, lease, number, attempt, to)
                assert ledger.trial(lease.job_id, number) == before
                assert ledger.events(lease.job_id, limit=1000) == events
                assert ledger.outbox(lease.job_id) == rows

    def test_infeasible_at_once(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        ledger.add_trial(lease, **trial_fields(0), outcome=ended(0, TrialState.INFEASIBLE))
        trial = ledger.trial(lease.job_id, 0)
        assert (trial.state, trial.attempts, trial.reason) == (TrialState.INFEASIBLE, 0, "made to be infeasible")
        with pytest.raises(Conflict):
            ledger.start_attempt(lease, 0)
        with pytest.raises(ValueError, match="only an infeasible trial can end before it runs"):
            ledger.add_trial(lease, **trial_fields(1), outcome=completed(1))
        assert [r.kind for r in ledger.outbox(lease.job_id)] == ["job_started", "trial_started", "trial_ended"]

    def test_attempts_have_fences_times_and_ends(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        first = running_trial(ledger, lease)
        assert ledger.end_attempt_lost(lease, 0, first) is TrialState.LOST
        second = ledger.start_attempt(lease, 0)
        ledger.interrupt(lease, 0, second)
        third = ledger.start_attempt(lease, 0)
        time.sleep(0.05)
        ledger.finish_trial(lease, 0, third, completed(0, 0.75, epochs=4), 0.75)
        rows = ledger.attempts(lease.job_id, 0)
        assert [(r.attempt, r.state, r.fence) for r in rows] == [(1, "lost", 1), (2, "interrupted", 1), (3, "ok", 1)]
        assert all(r.finished_at is not None and r.started_at <= r.finished_at for r in rows)
        trial = ledger.trial(lease.job_id, 0)
        assert (trial.attempts, trial.epochs, trial.search_score, trial.value) == (3, 4, 0.75, 0.75)
        assert 0.04 < trial.seconds < 60

    def test_a_killer_trial_is_stopped(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        attempt = running_trial(ledger, lease)
        for lost in range(1, MAX_ATTEMPTS + 1):
            state = ledger.end_attempt_lost(lease, 0, attempt)
            if lost < MAX_ATTEMPTS:
                assert state is TrialState.LOST
                attempt = ledger.start_attempt(lease, 0)
        assert state is TrialState.FAILED
        assert "worker lost repeatedly" in str(ledger.trial(lease.job_id, 0).reason)

    def test_a_trial_that_gets_on_may_lose_its_machine_often(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        attempt = running_trial(ledger, lease)
        for epoch in range(1, MAX_ATTEMPTS + 3):
            assert ledger.add_measurement(lease, 0, attempt, measurement(epoch))
            assert ledger.end_attempt_lost(lease, 0, attempt) is TrialState.LOST
            attempt = ledger.start_attempt(lease, 0)

    def test_what_dies_with_its_driver_counts_against_nobody(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        running_trial(ledger, lease)
        for owner in range(MAX_ATTEMPTS + 2):
            ledger.expire(lease)
            again = ledger.claim(f"driver-{owner}", 30.0)
            assert again is not None
            assert ledger.recover(again) == [0]
            ledger.start_attempt(again, 0)
            lease = again

    def test_interruptions_count_against_nobody(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        ledger.add_trial(lease, **trial_fields(0))
        for _ in range(MAX_ATTEMPTS + 2):
            ledger.interrupt(lease, 0, ledger.start_attempt(lease, 0))
        assert ledger.end_attempt_lost(lease, 0, ledger.start_attempt(lease, 0)) is TrialState.LOST

    def test_a_new_owner_recovers_what_ran(self, ledger: Ledger) -> None:
        old = owned_job(ledger)
        states = [TrialState.RUNNING, TrialState.COMPLETED, TrialState.WAITING, TrialState.RUNNING]
        for number, state in enumerate(states):
            trial_in(ledger, old, number, state)
        ledger.expire(old)
        new = ledger.claim("driver-2", 30.0)
        assert new is not None
        assert ledger.recover(new) == [0, 3]
        assert ledger.recover(new) == []
        assert ledger.start_attempt(new, 0) == 2
        assert ledger.recover(new) == [], "its own trials are not lost"
        assert [t.state for t in ledger.history(new.job_id)] == [
            TrialState.RUNNING, TrialState.COMPLETED, TrialState.WAITING, TrialState.LOST
        ]  # fmt: skip
        assert [a.fence for a in ledger.attempts(new.job_id, 0)] == [1, 2]

    def test_a_superseded_attempt_changes_nothing(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        old = running_trial(ledger, lease)
        ledger.end_attempt_lost(lease, 0, old)
        new = ledger.start_attempt(lease, 0)
        before = ledger.trial(lease.job_id, 0), ledger.events(lease.job_id)
        writes: list[Callable[[], object]] = [
            lambda: ledger.add_measurement(lease, 0, old, measurement(1)),
            lambda: ledger.finish_trial(lease, 0, old, completed(0), 0.9),
            lambda: ledger.end_attempt_lost(lease, 0, old),
            lambda: ledger.interrupt(lease, 0, old),
        ]
        for write in writes:
            with pytest.raises(LeaseLost):
                write()
        assert before == (ledger.trial(lease.job_id, 0), ledger.events(lease.job_id))
        assert ledger.add_measurement(lease, 0, new, measurement(1))

    def test_an_epoch_is_measured_once(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        first = running_trial(ledger, lease)
        assert [ledger.add_measurement(lease, 0, first, measurement(e)) for e in (1, 2)] == [True, True]
        ledger.end_attempt_lost(lease, 0, first)
        second = ledger.start_attempt(lease, 0)
        events, rows = ledger.events(lease.job_id), ledger.outbox(lease.job_id)
        assert not ledger.add_measurement(lease, 0, second, measurement(2, score=0.0))
        assert (ledger.events(lease.job_id), ledger.outbox(lease.job_id)) == (events, rows)
        assert ledger.add_measurement(lease, 0, second, measurement(3, train_loss=math.inf))
        stored = ledger.measurements(lease.job_id)
        assert [(m.measurement.epoch, m.attempt) for m in stored] == [(1, 1), (2, 1), (3, 2)]
        assert ledger.trial(lease.job_id, 0).measurements[:2] == (measurement(1), measurement(2))
        assert math.isnan(stored[2].measurement.train_loss)
        assert ledger.trial(lease.job_id, 0).epochs == 3
        assert ledger.trials(lease.job_id)[0].measurements == ()

    def test_the_incumbent_is_the_best_whatever_the_order(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        for number in range(5):
            running_trial(ledger, lease, number)
        for number, value in [(3, 0.5), (2, 0.9), (4, 0.9), (1, 0.9), (0, 0.1)]:
            ledger.finish_trial(lease, number, 1, completed(number, value), value)
        job = ledger.job(lease.job_id)
        assert (job.best_trial, job.best_score) == (1, 0.9)
        assert [e.data["number"] for e in ledger.events(lease.job_id) if e.kind == "incumbent"] == [3, 2, 1]

    def test_scores_go_with_their_values(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        running_trial(ledger, lease)
        for outcome, score in [
            (completed(0), None), (completed(0), math.nan), (completed(0), math.inf), (completed(1), 0.9)
        ]:  # fmt: skip
            with pytest.raises(ValueError, match=r"needs a finite score|outcome is of"):
                ledger.finish_trial(lease, 0, 1, outcome, score)
        assert ledger.trial(lease.job_id, 0).state is TrialState.RUNNING
        ledger.finish_trial(lease, 0, 1, ended(0, TrialState.FAILED), 0.5)
        assert ledger.trial(lease.job_id, 0).search_score is None, (
            "a failed trial has no score, whatever it had measured"
        )

    def test_measures_come_back_with_their_trial(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        measures = {"latency_ms": 1.0625, "latency_spread_ms": 3e-5, "memory_mb": 12.0}
        for number in range(3):
            running_trial(ledger, lease, number)
            assert ledger.trial(lease.job_id, number).measures == {}
        ledger.finish_trial(lease, 0, 1, completed(0, 0.5), 0.5, measures)
        ledger.finish_trial(lease, 1, 1, ended(1, TrialState.FAILED), 0.5, measures)
        ledger.finish_trial(lease, 2, 1, completed(2, 0.5), 0.5)
        first, failed, plain = ledger.trials(lease.job_id)
        assert (first.measures, failed.measures, plain.measures) == (measures, {}, {})
        assert first.facts == {"score": 0.5, "params": 1000, "macs": 2000, **measures}
        assert ledger.facts(lease.job_id) == [(0, first.facts), (2, plain.facts)], "the completed ones"
        ends = [row.payload for row in ledger.outbox(lease.job_id) if row.kind == "trial_ended"]
        assert [end["measures"] for end in ends] == [measures, {}, {}]

    def test_measures_come_back_with_their_epoch(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        told = [measurement(1, measures={"latency_ms": 1.0625, "memory_mb": 12.0}), measurement(2)]
        running_trial(ledger, lease)
        for one in told:
            ledger.add_measurement(lease, 0, 1, one)
        assert ledger.trial(lease.job_id, 0).measurements == tuple(told)
        assert [row.measurement for row in ledger.measurements(lease.job_id)] == told
        with pytest.raises(ValueError, match="measures must be finite"):
            measurement(3, measures={"latency_ms": math.nan})

    def test_measures_are_finite(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        running_trial(ledger, lease)
        with pytest.raises(ValueError, match="measures must be finite"):
            ledger.finish_trial(lease, 0, 1, completed(0), 0.9, {"latency_ms": math.nan})
        assert ledger.trial(lease.job_id, 0).state is TrialState.RUNNING

    def test_pages_and_history(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("search.ledger.trials._PAGE", 3)
        lease = owned_job(ledger)
        for number in (7, 1, 3, 10, 2, 5, 4):
            ledger.add_trial(lease, **trial_fields(number))
        ledger.start_attempt(lease, 3)
        assert [t.number for t in ledger.history(lease.job_id)] == [1, 2, 3, 4, 5, 7, 10]
        assert [t.number for t in ledger.trials(lease.job_id, after=2, limit=2)] == [3, 4]
        assert [t.number for t in ledger.trials(lease.job_id, state=TrialState.RUNNING)] == [3]

    def test_reasons_are_one_storable_line(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        running_trial(ledger, lease)
        outcome = ended(0, TrialState.FAILED)
        object.__setattr__(outcome, "reason", "bad\nthing\x00 \ud800 " + "x" * 900)
        ledger.finish_trial(lease, 0, 1, outcome)
        reason = str(ledger.trial(lease.job_id, 0).reason)
        assert reason.startswith("bad thing ? x")
        assert len(reason) == 500
