"""Jobs as people meet them: created once, paged, and moved along the law."""

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from archsmith.errors import AlreadyExists, Conflict, InvalidInput, LeaseLost, NotFound
from search.ledger import DatasetRow, Finalist, Lease, Ledger, Wanted
from search.ledger.ending import move_job
from search.ledger.tables import jobs
from search.spec import Budget, ControllerSpec, FinalistSpec, Flat, ObjectiveSpec, StopSpec, WarmStart
from search.trial import JOB_MOVES, JobState, TrialState
from tests.conformance.ledger_base import WithLedger, job_in, owner_writes
from tests.factories import job_spec, owned_job, running_trial, trial_fields

NOBODY = "00000000-0000-0000-0000-000000000000"


class JobConformance(WithLedger):
    def test_a_job_comes_back_as_it_was_given(self, ledger: Ledger) -> None:
        spec = job_spec(
            name="größer ✓", seed=7, reproducible=True, space={"b": [1, {"z": None}], "a": "é"},
            controller=ControllerSpec(name="reinforce", options={"entropy": 0.01}),
            objective=ObjectiveSpec(constraints=("params <= 5e5",)),
            budget=Budget(trials=3, seconds=1.5), finalists=FinalistSpec(epochs=None),
            stop=StopSpec(target=0.9, flat=Flat(trials=4, by=0.01)), enqueue=({"a": 1, "b": "c"},),
            warm_start=WarmStart(jobs=("one", "two")),
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

    def test_no_job_is_made_while_its_data_set_is_held(self, ledger: Ledger) -> None:
        spec, order = job_spec(), list[str]()
        maker = threading.Thread(target=lambda: ledger.create_job(spec, check=lambda: order.append("made")))
        with ledger.dataset_held(spec.dataset) as jobs_on:
            maker.start()
            maker.join(0.1)
            assert jobs_on([JobState.QUEUED]) == []
            order.append("taken")
        maker.join(10)
        assert order == ["taken", "made"]
        with ledger.dataset_held(spec.dataset) as jobs_on:
            assert [state for _, state in jobs_on([JobState.QUEUED])] == [JobState.QUEUED]

    def test_a_check_that_fails_leaves_no_job(self, ledger: Ledger) -> None:
        def gone() -> None:
            raise NotFound("data set", "digits")

        with pytest.raises(NotFound):
            ledger.create_job(job_spec(), key="k", check=gone)
        assert ledger.jobs() == []
        assert ledger.create_job(job_spec(), key="k")[1]

    def test_datasets(self, ledger: Ledger) -> None:
        row = DatasetRow(name="fashion", format="idx", report={"classes": 10}, bytes=2**40)
        ledger.add_dataset(row)
        ledger.add_dataset(DatasetRow(name="apples", format="npz", report={}, bytes=0))
        assert ledger.dataset("fashion") == row
        assert [d.name for d in ledger.datasets()] == ["apples", "fashion"]
        with pytest.raises(AlreadyExists):
            ledger.add_dataset(DatasetRow(name="fashion", format="npz", report={}, bytes=1))
        assert ledger.dataset("fashion") == row
        ledger.put_dataset(DatasetRow(name="fashion", format="npz", report={}, bytes=1))
        assert (ledger.dataset("fashion").format, len(ledger.datasets())) == ("npz", 2)
        ledger.remove_dataset("fashion")
        ledger.remove_dataset("fashion")
        assert [d.name for d in ledger.datasets()] == ["apples"]

    def test_jobs_on_a_data_set(self, ledger: Ledger) -> None:
        spec = job_spec()
        first, second = (ledger.create_job(spec)[0].id for _ in range(2))
        ledger.create_job(replace(spec, dataset=f"{spec.dataset}-2"))
        ledger.request(first, "cancel")
        found = ledger.jobs_on_dataset(spec.dataset, [JobState.QUEUED, JobState.CANCELLED])
        assert found == [(second, JobState.QUEUED), (first, JobState.CANCELLED)]
        assert ledger.jobs_on_dataset(spec.dataset, [JobState.RUNNING]) == []


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
            with pytest.raises(ValueError, match=r"reason|terminal state|finite"):
                ledger.finish_job(lease, state, reason, final_score=score)
        assert ledger.job(lease.job_id).state is JobState.RUNNING
