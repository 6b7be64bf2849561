"""Event rows and outbox rows, always written inside the transaction of the change itself.

Every writer of a job first updates the job's row, so on PostgreSQL the row lock makes writers of one job take turns:
event ids have no gaps and are in order of commit, and what a writer has read of the job's trials stays true until it
commits.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from archsmith.errors import LeaseLost, NotFound
from search.ledger.tables import Now, count_column, events, jobs, outbox
from search.ledger.values import Json, Lease
from search.trial import JobState, TrialState


def guard(connection: sa.Connection, lease: Lease) -> sa.RowMapping:
    """Lock the job for this transaction if the lease still holds -> its row. Raises LeaseLost, NotFound."""
    held = connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == lease.job_id, jobs.c.fence == lease.fence, jobs.c.owner == lease.owner)
        .where(jobs.c.state == JobState.RUNNING)
        .values(version=jobs.c.version + 1)
        .returning(*jobs.c)
    ).mappings()
    row = held.one_or_none()
    if row is None:
        raise lost(connection, lease)
    return row


def lost(connection: sa.Connection, lease: Lease) -> LeaseLost | NotFound:
    """The error of a lease that no longer holds, with the reason for the log of its former owner."""
    query = sa.select(jobs.c.state, jobs.c.owner, jobs.c.fence).where(jobs.c.id == lease.job_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return NotFound("job", lease.job_id)
    return LeaseLost(
        f"{lease.owner} no longer holds job {lease.job_id} (fence {lease.fence}): "
        f"it is {row['state']}, owner {row['owner'] or 'none'}, fence {row['fence']}",
        given_back=row["fence"] == lease.fence,  # not claimed since
    )


def note(
    connection: sa.Connection,
    job_id: str,
    kind: str,
    data: Json,
    *,
    values: Mapping[str, Any] | None = None,
    left: TrialState | None = None,
    entered: TrialState | None = None,
) -> None:
    """Write the next event of a job; its number is taken in the statement that sets the job's columns and counts.

    values: columns of the job. left, entered: states whose trial counts fall and rise by one.
    """
    changes: dict[str, Any] = {"last_event": jobs.c.last_event + 1, **(values or {})}
    if left is not None:
        changes[count_column(left)] = jobs.c[count_column(left)] - 1
    if entered is not None:
        changes[count_column(entered)] = jobs.c[count_column(entered)] + 1
    update = sa.update(jobs).where(jobs.c.id == job_id).values(changes).returning(jobs.c.last_event)
    number = connection.execute(update).scalar_one()
    connection.execute(sa.insert(events).values(job_id=job_id, id=number, kind=kind, at=Now(), data=data))


def publish(connection: sa.Connection, job_id: str, kind: str, payload: Json) -> None:
    """Write an outbox row, with all that the tracker needs to log it."""
    connection.execute(sa.insert(outbox).values(job_id=job_id, kind=kind, payload=payload, at=Now()))


def one_line(text: str | None) -> str | None:
    """A reason as it is stored: one line of at most 500 characters, without what UTF-8 or PostgreSQL rejects."""
    if text is None:
        return None
    return " ".join(text.replace("\x00", " ").encode("utf-8", "replace").decode().split())[:500]
