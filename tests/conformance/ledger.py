"""What every database under the ledger must do. Subclassed with a fixture `url` of an empty ledger."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from archsmith.errors import AlreadyExists, Conflict, InvalidInput, LeaseLost, NotFound
from search.ledger import DatasetRow, Finalist, Lease, Ledger, Wanted, open_ledger
from search.ledger.ending import move_job
from search.ledger.tables import jobs, trials
from search.spec import Budget, ControllerSpec, FinalistSpec, ObjectiveSpec
from search.trial import JOB_MOVES, MAX_ATTEMPTS, TRIAL_MOVES, JobState, TrialState
from tests.factories import completed, ended, job_spec, measurement, owned_job, running_trial, trial_fields
from tests.invariants import audit

NOBODY = "00000000-0000-0000-0000-000000000000"


class WithLedger:
    @pytest.fixture
    def ledger(self, url: str) -> Iterator[Ledger]:
        opened = open_ledger(url)
        yield opened
        audit(opened)
        opened.close()


class JobConformance(WithLedger):
    def test_a_job_comes_back_as_it_was_given(self, ledger: Ledger) -> None:
        spec = job_spec(
            name="größer ✓", seed=7, reproducible=True, space={"b": [1, {"z": None}], "a": "é"},
            controller=ControllerSpec(name="reinforce", options={"entropy": 0.01}),
            objective=ObjectiveSpec(constraints=("params <= 5e5",)),
            budget=Budget(trials=3, seconds=1.5), finalists=FinalistSpec(epochs=None),
        )  # fmt: skip
        before = datetime.now(UTC) - timedelta(seconds=2)
        job, created = ledger.create_job(spec)
        assert created
        assert ledger.job(job.id) == job
        assert (job.spec, job.name, job.state, job.wanted) == (spec, spec.name, JobState.QUEUED, "run")
        assert list(job.spec.space) == ["b", "a"], "JSON keeps the order of keys"
        assert before < job.created_at < before + timedelta(seconds=60)
        assert job.created_at.tzinfo is UTC
        assert job.counts == dict.fromkeys(TrialState, 0)
        assert (job.started_at, job.finished_at, job.best_trial, job.final_score) == (None,) * 4

    def test_unknown_things_are_not_found(self, ledger: Ledger) -> None:
        job = ledger.create_job(job_spec())[0].id
        calls: list[Callable[[], object]] = [
            lambda: ledger.job(NOBODY), lambda: ledger.trial(job, 0), lambda: ledger.trials(NOBODY),
            lambda: ledger.events(NOBODY), lambda: ledger.measurements(NOBODY), lambda: ledger.finalists(NOBODY),
            lambda: ledger.request(NOBODY, "cancel"), lambda: list(ledger.history(NOBODY)), lambda: ledger.dataset("x"),
            lambda: ledger.set_run(NOBODY, "job", "r"), lambda: ledger.attempts(NOBODY, 0),
            lambda: ledger.renew(Lease(job_id=NOBODY, owner="x", fence=1), 1.0),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(NotFound):
                call()
        assert (ledger.trials(job), ledger.measurements(job), ledger.finalists(job)) == ([], [], [])
        assert list(ledger.history(job)) == []

    def test_one_key_makes_one_job(self, ledger: Ledger) -> None:
        first, created = ledger.create_job(job_spec(), key="k")
        again, repeated = ledger.create_job(job_spec(), key="k")
        other, _ = ledger.create_job(job_spec(), key="k2")
        assert (created, repeated) == (True, False)
        assert again == first
        assert other.id != first.id
        with pytest.raises(AlreadyExists):
            ledger.create_job(job_spec(seed=1), key="k")
        assert {j.id for j in ledger.jobs()} == {first.id, other.id}

    def test_one_key_makes_one_job_when_many_ask_at_once(self, ledger: Ledger) -> None:
        def create(_: int) -> tuple[str, bool]:
            job, created = ledger.create_job(job_spec(), key="same")
            return job.id, created

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(create, range(24)))
        assert len({job for job, _ in answers}) == 1
        assert sum(created for _, created in answers) == 1
        assert len(ledger.jobs()) == 1

    def test_pages_show_every_job_once_while_others_are_added(self, ledger: Ledger) -> None:
        old = [ledger.create_job(job_spec())[0].id for _ in range(25)]
        seen: list[str] = []
        cursor: str | None = None
        while page := ledger.jobs(limit=4, after=cursor):
            seen += [job.id for job in page]
            cursor = page[-1].cursor
            ledger.create_job(job_spec(name="newer"))
        assert len(seen) == len(set(seen))
        assert set(old) <= set(seen)
        assert [j for j in seen if j in old] == [j.id for j in ledger.jobs(limit=100) if j.id in old], "newest first"

    def test_pages_keep_to_a_state(self, ledger: Ledger) -> None:
        made = [ledger.create_job(job_spec())[0].id for _ in range(4)]
        ledger.request(made[1], "cancel")
        assert [j.id for j in ledger.jobs(state=JobState.CANCELLED)] == [made[1]]
        assert {j.id for j in ledger.jobs(state=JobState.QUEUED)} == set(made) - {made[1]}

    @pytest.mark.parametrize("cursor", ["", "x", "é", "MTIz", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTkuYQ==", "MS4=", "%00"])
    def test_a_foreign_cursor_is_refused(self, ledger: Ledger, cursor: str) -> None:
        with pytest.raises(InvalidInput):
            ledger.jobs(after=cursor)

    def test_datasets(self, ledger: Ledger) -> None:
        row = DatasetRow(name="fashion", format="idx", report={"classes": 10}, bytes=2**40)
        ledger.add_dataset(row)
        ledger.add_dataset(DatasetRow(name="apples", format="npz", report={}, bytes=0))
        assert ledger.dataset("fashion") == row
        assert [d.name for d in ledger.datasets()] == ["apples", "fashion"]
        with pytest.raises(AlreadyExists):
            ledger.add_dataset(DatasetRow(name="fashion", format="npz", report={}, bytes=1))
        assert ledger.dataset("fashion") == row


# What a request does: state, what was wanted before -> request -> state and wanted afterwards, or None = Conflict.
REQUESTS: dict[tuple[JobState, Wanted], dict[Wanted, tuple[JobState, Wanted] | None]] = {
    (JobState.QUEUED, "run"): {
        "cancel": (JobState.CANCELLED, "cancel"), "pause": (JobState.PAUSED, "pause"), "run": None},
    (JobState.PAUSED, "pause"): {
        "cancel": (JobState.CANCELLED, "cancel"), "pause": None, "run": (JobState.QUEUED, "run")},
    (JobState.RUNNING, "run"): {
        "cancel": (JobState.RUNNING, "cancel"), "pause": (JobState.RUNNING, "pause"), "run": None},
    (JobState.RUNNING, "pause"): {
        "cancel": (JobState.RUNNING, "cancel"), "pause": (JobState.RUNNING, "pause"), "run": (JobState.RUNNING, "run")},
    (JobState.RUNNING, "cancel"): {"cancel": (JobState.RUNNING, "cancel"), "pause": None, "run": None},
    (JobState.SUCCEEDED, "run"): {"cancel": None, "pause": None, "run": None},
    (JobState.FAILED, "run"): {"cancel": None, "pause": None, "run": None},
    (JobState.CANCELLED, "cancel"): {"cancel": None, "pause": None, "run": None},
}  # fmt: skip


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


class RequestConformance(WithLedger):
    @pytest.mark.parametrize(("state", "before"), list(REQUESTS), ids=str)
    @pytest.mark.parametrize("wanted", ["cancel", "pause", "run"])
    def test_requests_follow_the_table(self, ledger: Ledger, state: JobState, before: Wanted, wanted: Wanted) -> None:
        job, lease = job_in(ledger, state, before)
        expected, events = REQUESTS[state, before][wanted], len(ledger.events(job))
        if expected is None:
            with pytest.raises(Conflict) as refused:
                ledger.request(job, wanted)
            assert refused.value.state == state
            assert state not in refused.value.allowed or before != "run"
            expected = (state, before)
        else:
            answer = ledger.request(job, wanted)
            assert answer == ledger.job(job)
        found = ledger.job(job)
        assert (found.state, found.wanted) == expected
        assert (len(ledger.events(job)) > events) == (expected != (state, before))
        if lease is not None and state is JobState.RUNNING:
            assert ledger.renew(lease, 30.0) == expected[1]

    def test_cancelled_twice_says_so(self, ledger: Ledger) -> None:
        job, _ = job_in(ledger, JobState.CANCELLED)
        with pytest.raises(Conflict, match="already cancelled"):
            ledger.request(job, "cancel")

    @pytest.mark.parametrize("seen", list(JobState))
    def test_forbidden_moves_of_a_job(self, ledger: Ledger, seen: JobState) -> None:
        job, _ = job_in(ledger, seen)
        before = ledger.job(job)
        with ledger._database.read() as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.id == job)).mappings().one()
        for to in set(JobState) - JOB_MOVES[seen]:
            with pytest.raises(Conflict), ledger._database.write() as connection:
                move_job(connection, row, to)
        assert ledger.job(job) == before

    def test_a_move_from_a_state_that_was_left_is_refused(self, ledger: Ledger) -> None:
        job, _ = job_in(ledger, JobState.QUEUED)
        with ledger._database.read() as connection:
            stale = connection.execute(sa.select(jobs).where(jobs.c.id == job)).mappings().one()
        ledger.request(job, "cancel")
        with pytest.raises(Conflict), ledger._database.write() as connection:
            move_job(connection, stale, JobState.PAUSED)
        assert ledger.job(job).state is JobState.CANCELLED

    @pytest.mark.parametrize("state", [s for s in JobState if s.terminal])
    def test_a_terminal_job_is_never_left(self, ledger: Ledger, state: JobState) -> None:
        lease = owned_job(ledger)
        attempt = running_trial(ledger, lease)
        ledger.add_trial(lease, **trial_fields(1))
        ledger.set_finalist(lease, Finalist(job_id=lease.job_id, rank=1, trial_number=0, seed=0, state="running"))
        ledger.finish_job(lease, state, "why", stopped_because="trials", final_score=0.5, bundle_bytes=3)
        before = ledger.job(lease.job_id)
        assert (before.state, before.reason, before.final_score, before.bundle_bytes) == (state, "why", 0.5, 3)
        assert before.finished_at is not None
        assert before.counts[TrialState.CANCELLED] == 2
        assert ledger.finalists(lease.job_id)[0].state == "failed"
        assert ledger.attempts(lease.job_id, 0)[0].state == "interrupted"
        for write in owner_writes(ledger, lease, attempt):
            with pytest.raises(LeaseLost):
                write()
        ledger.expire(lease)
        assert ledger.claim("driver-2", 30.0) is None
        assert ledger.job(lease.job_id) == before

    def test_a_job_fails_with_a_reason_or_not_at_all(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        for state, reason, score in [
            (JobState.FAILED, None, None), (JobState.PAUSED, "no end", None), (JobState.SUCCEEDED, None, math.nan)
        ]:  # fmt: skip
            with pytest.raises(ValueError, match=r"reason|no end|finite"):
                ledger.finish_job(lease, state, reason, final_score=score)
        assert ledger.job(lease.job_id).state is JobState.RUNNING


def owner_writes(ledger: Ledger, lease: Lease, attempt: int) -> list[Callable[[], object]]:
    """Every write of an owner; trial 0 runs in `attempt`, trial 1 waits, trial 2 is new."""
    finalist = Finalist(job_id=lease.job_id, rank=9, trial_number=0, seed=0, state="waiting")
    return [
        lambda: ledger.renew(lease, 30.0),
        lambda: ledger.recover(lease),
        lambda: ledger.add_trial(lease, **trial_fields(2)),
        lambda: ledger.start_attempt(lease, 1),
        lambda: ledger.end_attempt_lost(lease, 0, attempt),
        lambda: ledger.interrupt(lease, 0, attempt),
        lambda: ledger.add_measurement(lease, 0, attempt, measurement(1)),
        lambda: ledger.finish_trial(lease, 0, attempt, completed(0), 0.9),
        lambda: ledger.update_job(lease, phase="finalists"),
        lambda: ledger.set_finalist(lease, finalist),
        lambda: ledger.finish_job(lease, JobState.SUCCEEDED),
        lambda: ledger.pause_job(lease),
    ]


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
        ledger.update_job(lease, phase="finalists", waiting_for="a free GPU", seconds_used=13.0)
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
            finish: list[Callable[[], object]] = [lambda lease=lease: ledger.finish_job(lease, JobState.SUCCEEDED)]
            asks: list[Callable[[], object]] = [lambda lease=lease: ledger.request(lease.job_id, "cancel")] * 4
            with ThreadPoolExecutor(5) as pool:
                list(pool.map(_quietly, asks[:2] + finish + asks[2:]))
            assert ledger.job(lease.job_id).state is JobState.SUCCEEDED
            ends = [e for e in ledger.events(lease.job_id) if e.data.get("state") == "succeeded"]
            assert len(ends) == 1


def _quietly(call: Callable[[], object]) -> None:
    with suppress(Conflict):
        call()


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
        with pytest.raises(ValueError, match="only be infeasible"):
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
            with pytest.raises(ValueError, match=r"value of|outcome is of"):
                ledger.finish_trial(lease, 0, 1, outcome, score)
        assert ledger.trial(lease.job_id, 0).state is TrialState.RUNNING
        ledger.finish_trial(lease, 0, 1, ended(0, TrialState.FAILED), 0.5)
        assert ledger.trial(lease.job_id, 0).search_score is None, (
            "a failed trial has no score, whatever it had measured"
        )

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


class EventConformance(WithLedger):
    def test_events_tell_the_story_in_order(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        attempt = running_trial(ledger, lease)
        ledger.add_measurement(lease, 0, attempt, measurement(1))
        ledger.finish_trial(lease, 0, attempt, completed(0), 0.9)
        ledger.request(lease.job_id, "cancel")
        ledger.finish_job(lease, JobState.CANCELLED, "on request")
        events = ledger.events(lease.job_id)
        assert [e.id for e in events] == list(range(1, len(events) + 1))
        assert [(e.kind, e.data.get("state")) for e in events] == [
            ("job_state", "queued"), ("job_state", "running"), ("trial_added", "waiting"), ("trial_state", "running"),
            ("measurement", None), ("trial_state", "completed"), ("incumbent", None), ("job_wanted", None),
            ("job_state", "cancelled"),
        ]  # fmt: skip
        assert sorted(e.at for e in events) == [e.at for e in events]
        assert ledger.events(lease.job_id, after=3, limit=2) == events[3:5]
        assert ledger.events(lease.job_id, after=99) == []

    def test_event_ids_are_dense_under_many_writers(self, ledger: Ledger, url: str) -> None:
        lease = owned_job(ledger)
        for number in range(6):
            running_trial(ledger, lease, number)
        seen: list[int] = []
        done = threading.Event()

        def train(number: int) -> None:
            mine = open_ledger(url)
            for epoch in range(1, 11):
                assert mine.add_measurement(lease, number, 1, measurement(epoch))
            mine.finish_trial(lease, number, 1, completed(number, 0.5, epochs=10), 0.5)
            mine.close()

        def watch() -> None:
            while not (done.is_set() and len(seen) >= len(ledger.events(lease.job_id, limit=10_000))):
                seen.extend(e.id for e in ledger.events(lease.job_id, after=seen[-1] if seen else 0))

        def ask() -> None:
            for wanted in ("pause", "run") * 5:
                ledger.request(lease.job_id, wanted)

        with ThreadPoolExecutor(8) as pool:
            watching = pool.submit(watch)
            for work in [pool.submit(train, n) for n in range(6)] + [pool.submit(ask)]:
                work.result()
            done.set()
            watching.result()
        assert seen == list(range(1, len(seen) + 1)), "a reader that follows the ids misses nothing"
        assert len(ledger.measurements(lease.job_id)) == 60
        assert ledger.job(lease.job_id).best_trial == 0

    def test_the_outbox_holds_all_that_the_tracker_needs(self, ledger: Ledger) -> None:
        lease = owned_job(ledger, name="shirts")
        attempt = running_trial(ledger, lease)
        ledger.add_measurement(lease, 0, attempt, measurement(1, train_loss=math.nan))
        ledger.end_attempt_lost(lease, 0, attempt)
        ledger.finish_trial(lease, 0, ledger.start_attempt(lease, 0), completed(0), 0.9)
        ledger.add_trial(lease, **trial_fields(1))
        final = Finalist(job_id=lease.job_id, rank=1, trial_number=0, seed=0, state="running")
        ledger.set_finalist(lease, final)
        ledger.set_finalist(
            lease, Finalist(job_id=lease.job_id, rank=1, trial_number=0, seed=0, state="completed", test_score=0.8)
        )
        ledger.finish_job(lease, JobState.SUCCEEDED, final_score=0.8, stopped_because="trials")
        rows = ledger.outbox(lease.job_id)
        told = {r.kind: r.payload for r in rows}
        assert [r.kind for r in rows] == [
            "job_started", "trial_started", "measurement", "trial_ended", "finalist_ended", "job_ended"
        ], "a second attempt starts no second run, and what never ran is not told"  # fmt: skip
        spec = ledger.job(lease.job_id).spec.to_json()
        assert told["job_started"] == {"job_id": lease.job_id, "name": "shirts", "dataset": "digits", "spec": spec}
        fields = trial_fields(0)
        del fields["behaviour"]
        assert told["trial_started"] == {**fields, "provenance": "controller"}
        assert told["measurement"] == {
            "number": 0, "attempt": 1, "epoch": 1, "score": 0.5, "train_loss": None, "seconds": 0.25
        }  # fmt: skip
        end = {"number": 0, "state": "completed", "reason": None, "search_score": 0.9, "epochs": 1}
        assert told["trial_ended"].items() >= end.items()
        assert told["trial_ended"]["seconds"] >= 0
        assert told["finalist_ended"].items() >= {"rank": 1, "seed": 0, "trial_number": 0, "test_score": 0.8}.items()
        assert told["job_ended"].items() >= {"state": "succeeded", "final_score": 0.8, "best_trial": 0}.items()
        assert told["job_ended"]["counts"]["cancelled"] == 1

    def test_acknowledged_rows_leave_and_ids_are_not_used_again(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        running_trial(ledger, lease)
        first = ledger.outbox(lease.job_id)
        assert ledger.outbox_jobs() == [lease.job_id]
        assert ledger.outbox(lease.job_id, limit=1) == first[:1]
        ledger.acknowledge([row.id for row in first])
        ledger.acknowledge([])
        assert (ledger.outbox(lease.job_id), ledger.outbox_jobs()) == ([], [])
        running_trial(ledger, lease, 1)
        assert min(row.id for row in ledger.outbox(lease.job_id)) > max(row.id for row in first)
        ledger.acknowledge([row.id for row in first])
        assert len(ledger.outbox(lease.job_id)) == 1

    def test_a_job_that_never_started_is_not_told(self, ledger: Ledger) -> None:
        job, _ = ledger.create_job(job_spec())
        ledger.request(job.id, "cancel")
        assert ledger.outbox_jobs() == []

    def test_runs_are_filed_under_keys(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        running_trial(ledger, lease, 3)
        filed = {"experiment": "5", "job": "r0", "trial/3": "r1", "finalist/1/0": "r2"}
        for key, run in [("trial/3", "old"), *filed.items()]:
            ledger.set_run(lease.job_id, key, run)
        assert ledger.runs(lease.job_id) == filed
        job = ledger.job(lease.job_id)
        assert (job.mlflow_run_id, job.mlflow_experiment_id) == ("r0", "5")
        assert ledger.trial(lease.job_id, 3).mlflow_run_id == "r1"

    def test_a_finalist_that_ended_stays(self, ledger: Ledger) -> None:
        lease = owned_job(ledger)
        running_trial(ledger, lease)

        def finalist(state: str, seed: int = 0, score: float | None = None) -> Finalist:
            return Finalist(
                job_id=lease.job_id, rank=1, trial_number=0, seed=seed, test_score=score, epochs=2, seconds=1.5,
                state=state,  # type: ignore[arg-type]
            )  # fmt: skip

        for state in ("waiting", "running", "running"):
            ledger.set_finalist(lease, finalist(state))
        ledger.set_finalist(lease, finalist("completed", score=0.5))
        ledger.set_finalist(lease, finalist("failed", seed=1))
        for again in (finalist("running"), finalist("completed", score=0.6), finalist("failed", seed=1)):
            with pytest.raises(Conflict):
                ledger.set_finalist(lease, again)
        for wrong in (finalist("completed"), finalist("running", score=0.5), finalist("completed", score=math.inf)):
            with pytest.raises(ValueError, match=r"test.score"):
                ledger.set_finalist(lease, wrong)
        assert ledger.finalists(lease.job_id) == [finalist("completed", score=0.5), finalist("failed", seed=1)]


class LedgerConformance(JobConformance, RequestConformance, LeaseConformance, TrialConformance, EventConformance):
    """All of it."""
