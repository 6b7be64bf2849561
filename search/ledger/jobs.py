"""The methods for the API: jobs are created, listed, watched, paused and cancelled."""

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from archsmith.errors import AlreadyExists, Conflict, NotFound
from search.ledger.datasets import hold_dataset
from search.ledger.ending import end_job, move_job
from search.ledger.engine import Database
from search.ledger.log import note
from search.ledger.rows import event_of, finalist_of, job_of, job_row
from search.ledger.tables import Now, beliefs, count_column, events, finalists, idempotency_keys, jobs
from search.ledger.values import ControllerState, Event, Finalist, Job, Wanted, read_cursor
from search.spec import JobSpec
from search.trial import JobState, TrialState

_ALLOWED: dict[Wanted, tuple[JobState, ...]] = {
    "cancel": (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED),
    "pause": (JobState.QUEUED, JobState.RUNNING),
    "run": (JobState.PAUSED,),
}
_BEING: dict[Wanted, str] = {"cancel": "cancelled", "pause": "paused", "run": "resumed"}


class Jobs:
    """Mixed into `Ledger`."""

    _database: Database

    def create_job(
        self, spec: JobSpec, *, key: str | None = None, check: Callable[[], None] = lambda: None
    ) -> tuple[Job, bool]:
        """Store a job in state queued -> (job, created).

        key: the caller's idempotency key; the same key with the same spec returns that job and False.
        check: called while nobody takes the job's data set away (`dataset_held`); what it raises leaves nothing stored.
        Raises AlreadyExists when the key was used with another spec.
        """
        document = spec.to_json()
        job_id = str(uuid.uuid4())
        with self._database.write() as connection:
            hold_dataset(connection, spec.dataset)
            check()
            connection.execute(
                sa.insert(jobs).values(
                    id=job_id, name=spec.name, spec=document, created_at=Now(),
                    state=JobState.QUEUED, wanted="run", phase="prepare",
                )
            )  # fmt: skip
            if key is not None:
                owner = _claim_key(connection, key, job_id, document)
                if owner != job_id:
                    connection.execute(sa.delete(jobs).where(jobs.c.id == job_id))
                    return job_of(job_row(connection, owner)), False
            note(connection, job_id, "job_state", {"state": JobState.QUEUED, "reason": None})
            return job_of(job_row(connection, job_id)), True

    def job(self, job_id: str) -> Job:
        """Raises NotFound."""
        with self._database.read() as connection:
            return job_of(job_row(connection, job_id))

    def jobs(self, *, limit: int = 50, after: str | None = None, state: JobState | None = None) -> list[Job]:
        """The newest jobs first. after: `Job.cursor` of the last one seen. Raises InvalidInput for any other text."""
        query = sa.select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
        if after is not None:
            created_at, job_id = read_cursor(after)
            place = sa.tuple_(sa.literal(created_at, jobs.c.created_at.type), sa.literal(job_id))
            query = query.where(sa.tuple_(jobs.c.created_at, jobs.c.id) < place)
        if state is not None:
            query = query.where(jobs.c.state == state)
        with self._database.read() as connection:
            return [job_of(row) for row in connection.execute(query).mappings()]

    def request(self, job_id: str, wanted: Wanted) -> Job:
        """Ask a job to pause, to run again, or to be cancelled.

        A queued or paused job changes at once, a running one when its owner renews the lease. Repeating a request to a
        running job changes nothing. Raises NotFound, and Conflict with the states in which the request is allowed.
        """
        with self._database.write() as connection:
            row = job_row(connection, job_id, lock=True)
            state = JobState(row["state"])
            if state is JobState.RUNNING:
                _ask_running(connection, row, wanted)
            elif state not in _ALLOWED[wanted]:
                raise _conflict(state, wanted)
            elif wanted == "cancel":
                end_job(connection, row, JobState.CANCELLED, reason="cancelled on request", wanted="cancel")
            else:
                target = JobState.PAUSED if wanted == "pause" else JobState.QUEUED
                move_job(connection, row, target, wanted=wanted)
            return job_of(job_row(connection, job_id))

    def census(self) -> tuple[dict[JobState, int], dict[TrialState, int]]:
        """How many jobs there are in each state, and trials of all jobs, every state present."""
        by_state = sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)
        sums = sa.select(*(sa.func.coalesce(sa.func.sum(jobs.c[count_column(state)]), 0) for state in TrialState))
        with self._database.read() as connection:
            found = {JobState(state): count for state, count in connection.execute(by_state)}
            trials = connection.execute(sums).one()
        return {state: found.get(state, 0) for state in JobState}, dict(zip(TrialState, map(int, trials), strict=True))

    def remove_job(self, job_id: str) -> None:
        """Remove an ended job with all that belongs to it; its idempotency keys may be used again.

        Raises NotFound; Conflict for a job that has not ended, or that one that has not ended starts from.
        """
        with self._database.write() as connection:
            _check_removable(connection, job_row(connection, job_id, lock=True))
            connection.execute(sa.delete(jobs).where(jobs.c.id == job_id))

    def check_removable(self, job_id: str) -> None:
        """Raises what `remove_job` would raise now."""
        with self._database.read() as connection:
            _check_removable(connection, job_row(connection, job_id))

    def controller_state(self, job_id: str) -> ControllerState | None:
        """The controller's state after the last outcome that it was told; None before the first."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(beliefs).where(beliefs.c.job_id == job_id)).mappings().one_or_none()
        return None if row is None else ControllerState(told=row["told"], state=row["state"])

    def events(self, job_id: str, *, after: int = 0, limit: int = 100) -> list[Event]:
        """Events with id > after in order; ids are 1, 2, 3, ... without gaps. Raises NotFound."""
        query = sa.select(events).where(events.c.job_id == job_id, events.c.id > after)
        return [event_of(row) for row in self._of_job(job_id, query.order_by(events.c.id).limit(limit))]

    def finalists(self, job_id: str) -> list[Finalist]:
        """In order of rank and seed. Raises NotFound."""
        query = sa.select(finalists).where(finalists.c.job_id == job_id)
        return [finalist_of(row) for row in self._of_job(job_id, query.order_by(finalists.c.rank, finalists.c.seed))]

    def ping(self) -> None:
        """Raises Unavailable when the database does not answer."""
        with self._database.read() as connection:
            connection.execute(sa.select(1))

    def _of_job(self, job_id: str, query: sa.Select[*tuple[Any, ...]]) -> list[sa.RowMapping]:
        """Rows of a job; whether the job exists is only checked where there are none. Raises NotFound."""
        with self._database.read() as connection:
            rows = list(connection.execute(query).mappings())
            if not rows:
                found = connection.execute(sa.select(jobs.c.id).where(jobs.c.id == job_id)).one_or_none()
                if found is None:
                    raise NotFound("job", job_id)
            return rows


def _claim_key(connection: sa.Connection, key: str, job_id: str, document: dict[str, Any]) -> str:
    """Bind an idempotency key to a job -> id of the job that has it, this or an earlier one. Raises AlreadyExists."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    # On PostgreSQL the insert waits for another one of the same key to commit, then sees its row.
    bound = connection.execute(
        insert(idempotency_keys)
        .values(key=key, spec_sha256=digest, job_id=job_id, created_at=Now())
        .on_conflict_do_nothing()
        .returning(idempotency_keys.c.key)
    )
    if bound.one_or_none() is not None:
        return job_id
    row = connection.execute(sa.select(idempotency_keys).where(idempotency_keys.c.key == key)).mappings().one()
    if row["spec_sha256"] != digest:
        raise AlreadyExists("this idempotency key was used with another job; use a new key for this one")
    return str(row["job_id"])


def _ask_running(connection: sa.Connection, row: sa.RowMapping, wanted: Wanted) -> None:
    before: Wanted = row["wanted"]
    if wanted == before and wanted != "run":
        return
    if before == "cancel" or wanted == before:
        raise _conflict(JobState.RUNNING, wanted, being=before)
    note(
        connection, row["id"], "job_wanted", {"wanted": wanted},
        values={"wanted": wanted, "version": jobs.c.version + 1},
    )  # fmt: skip


def _conflict(state: JobState, wanted: Wanted, *, being: Wanted = "run") -> Conflict:
    present = f"running and about to be {_BEING[being]}" if being != "run" else str(state)
    already = {"cancel": JobState.CANCELLED, "pause": JobState.PAUSED, "run": JobState.RUNNING}[wanted]
    if state is already and being == "run":
        present = f"already {state}"
    rule = f"only a job that is {' or '.join(_ALLOWED[wanted])} can be {_BEING[wanted]}"
    return Conflict(f"the job is {present}; {rule}", state=state, allowed=_ALLOWED[wanted])


def _check_removable(connection: sa.Connection, row: sa.RowMapping) -> None:
    """Raises Conflict for a job that has not ended, or that one that has not ended starts from."""
    state, ended = JobState(row["state"]), [one for one in JobState if one.terminal]
    if not state.terminal:
        raise Conflict(f"the job is {state}; cancel it first", state=state, allowed=ended)
    for other in connection.execute(sa.select(jobs).where(jobs.c.state.not_in(ended))).mappings():
        spec = JobSpec.from_json(other["spec"])
        of = None if spec.compress is None else spec.compress.of
        if row["id"] in (*spec.warm_start.jobs, spec.init_from, of):
            detail = f"job {other['id']}, which is {other['state']}, starts from this one; wait for it"
            raise Conflict(detail, state=state, allowed=ended)
