"""The methods for the dispatcher and for a job's owner: leases, and what the owner writes about the job as a whole.

A lease is set by the claim itself, by the database's clock, so no job can be claimed without one. Every claim raises
the fence; a write with an older fence changes no row and raises LeaseLost.
"""

import math
from typing import Unpack, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from search.ledger.ending import end_job, suspend_job
from search.ledger.engine import Database
from search.ledger.log import guard, lost, note, one_line, publish
from search.ledger.tables import Now, beliefs, jobs
from search.ledger.values import JobFields, Json, Lease, Wanted
from search.trial import JobState


class Leases:
    """Mixed into `Ledger`."""

    _database: Database

    def claim(self, owner: str, lease_s: float) -> Lease | None:
        """Take a running job whose lease has run out, else the oldest queued one; None when there is neither."""
        left = sa.and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until <= Now())
        new = jobs.c.state == JobState.QUEUED
        with self._database.write() as connection:
            row = _take(connection, left, owner, lease_s) or _take(connection, new, owner, lease_s)
            if row is None:
                return None
            lease = Lease(job_id=row["id"], owner=owner, fence=row["fence"])
            note(connection, row["id"], "job_state", {"state": JobState.RUNNING, "reason": None, "fence": lease.fence})
            if lease.fence == 1:
                started = {"job_id": row["id"], "name": row["name"], "spec": row["spec"]}
                publish(connection, row["id"], "job_started", {**started, "dataset": row["spec"]["dataset"]})
            return lease

    def expire(self, lease: Lease) -> None:
        """End a lease now, since its owner is dead. Nothing happens if the job has another owner by now."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(jobs)
                .where(jobs.c.id == lease.job_id, jobs.c.fence == lease.fence, jobs.c.owner == lease.owner)
                .where(jobs.c.state == JobState.RUNNING)
                .values(lease_until=Now())
            )

    def holds(self, lease: Lease) -> bool:
        """Whether the job is running under this very lease, run out or not."""
        held = sa.select(jobs.c.id).where(
            jobs.c.id == lease.job_id, jobs.c.fence == lease.fence, jobs.c.owner == lease.owner,
            jobs.c.state == JobState.RUNNING,
        )  # fmt: skip
        with self._database.read() as connection:
            return connection.execute(held).one_or_none() is not None

    def renew(self, lease: Lease, lease_s: float) -> Wanted:
        """Hold the job for lease_s seconds from now -> what the user wants it to do. Raises LeaseLost."""
        with self._database.write() as connection:
            wanted = connection.execute(
                sa.update(jobs)
                .where(jobs.c.id == lease.job_id, jobs.c.fence == lease.fence, jobs.c.owner == lease.owner)
                .where(jobs.c.state == JobState.RUNNING)
                .values(lease_until=_after(lease_s))
                .returning(jobs.c.wanted)
            ).scalar_one_or_none()
            if wanted is None:
                raise lost(connection, lease)
            return cast(Wanted, wanted)

    def update_job(self, lease: Lease, **fields: Unpack[JobFields]) -> None:
        """Set fields of the job; a change of phase or waiting_for writes an event. Raises LeaseLost."""
        _finite(fields.get("final_score"))
        with self._database.write() as connection:
            row = guard(connection, lease)
            changed = {k: v for k, v in fields.items() if k in ("phase", "waiting_for") and v != row[k]}
            if changed:
                note(connection, lease.job_id, "job_progress", changed, values=fields)
            elif fields:
                connection.execute(sa.update(jobs).where(jobs.c.id == lease.job_id).values(**fields))

    def end_search(self, lease: Lease, because: str, *, detail: str | None = None, seconds_used: float = 0.0) -> None:
        """The search is over; finalists and bundle follow. detail: one more sentence. Raises LeaseLost."""
        with self._database.write() as connection:
            guard(connection, lease)
            fields = {"stopped_because": because, "seconds_used": seconds_used}
            data = {"stopped_because": because, "detail": one_line(detail)}
            note(connection, lease.job_id, "search_ended", data, values=fields)

    def set_controller_state(self, lease: Lease, told: int, state: Json) -> None:
        """The controller's state after `told` outcomes, for people; nothing is rebuilt from it. Raises LeaseLost."""
        insert = sqlite.insert if self._database.sqlite else postgresql.insert
        values = {"told": told, "state": state}
        with self._database.write() as connection:
            guard(connection, lease)
            connection.execute(
                insert(beliefs)
                .values(job_id=lease.job_id, **values)
                .on_conflict_do_update(index_elements=["job_id"], set_=values)
            )

    def warn(self, lease: Lease, number: int, detail: str) -> None:
        """Write an event about something that went wrong without ending the search. number: of the trial concerned.

        Raises LeaseLost.
        """
        with self._database.write() as connection:
            guard(connection, lease)
            note(connection, lease.job_id, "warning", {"number": number, "detail": one_line(detail)})

    def finish_job(self, lease: Lease, state: JobState, reason: str | None = None, **fields: Unpack[JobFields]) -> None:
        """End the job; trials and finalists that are still open end with it. Raises LeaseLost, ValueError.

        reason: one line, needed unless the job succeeded.
        """
        if not state.terminal:
            raise ValueError(f"a job can only be finished in a terminal state, got {state}")
        if state is not JobState.SUCCEEDED and not reason:
            raise ValueError(f"a {state} job needs a reason")
        _finite(fields.get("final_score"))
        with self._database.write() as connection:
            row = guard(connection, lease)
            fields.pop("waiting_for", None)
            interim = {"interim_bundle": None} if fields.get("bundle_sha256") else {}
            end_job(connection, row, state, reason=one_line(reason), **fields, **interim)

    def pause_job(self, lease: Lease, *, waiting_for: str | None = None) -> JobState:
        """Give the job back in the state that its user wants -> its new state. Raises LeaseLost.

        Paused, cancelled, or else (the owner must stop, or the job was resumed) queued for the next owner.
        waiting_for: what a queued job waits for, one line.
        """
        with self._database.write() as connection:
            row = guard(connection, lease)
            if row["wanted"] == "cancel":
                end_job(connection, row, JobState.CANCELLED, reason="cancelled on request")
                return JobState.CANCELLED
            target = JobState.PAUSED if row["wanted"] == "pause" else JobState.QUEUED
            suspend_job(connection, row, target, waiting_for=waiting_for if target is JobState.QUEUED else None)
            return target


def _take(connection: sa.Connection, free: sa.ColumnElement[bool], owner: str, lease_s: float) -> sa.RowMapping | None:
    """Give the oldest free job to an owner, in one statement -> its row.

    The caller makes two queries instead of one with `or`: each of them uses the index on (state, created_at, id)
    without sorting, which one with `or` does not when ten thousand jobs are queued.
    """
    oldest = (
        sa.select(jobs.c.id)
        .where(free)
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # PostgreSQL; on SQLite the transaction holds the writer's lock
    )
    taken = connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == oldest.scalar_subquery())
        .values(
            state=JobState.RUNNING,
            owner=owner,
            fence=jobs.c.fence + 1,
            lease_until=_after(lease_s),
            waiting_for=None,
            started_at=sa.func.coalesce(jobs.c.started_at, Now()),
            version=jobs.c.version + 1,
        )
        .returning(*jobs.c)
    )
    return taken.mappings().one_or_none()


def _after(seconds: float) -> sa.ColumnElement[int]:
    return Now() + int(seconds * 1_000_000)


def _finite(score: float | None) -> None:
    if score is not None and not math.isfinite(score):
        raise ValueError(f"final_score must be finite, got {score}")
