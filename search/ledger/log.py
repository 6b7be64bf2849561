"""Writing what happened: event rows and outbox rows, always inside the transaction of the change itself.

Every writer of a job first updates the job's row, so on PostgreSQL the row lock makes writers of one job take turns:
event ids are dense and in order of commit, and what a writer has read of the job's trials stays true until it commits.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from archsmith.errors import LeaseLost, NotFound
from search.ledger.tables import Now, count_column, events, jobs, outbox
from search.ledger.values import Json, Lease
from search.trial import JobState, TrialState


def guard(connection: sa.Connection, lease: Lease) -> sa.RowMapping:
    """Lock the job for this transaction if the lease still holds it, and return its row. Raises LeaseLost, NotFound."""
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
    """Why the lease does not hold: the sentence for the log of the one who lost it."""
    query = sa.select(jobs.c.state, jobs.c.owner, jobs.c.fence).where(jobs.c.id == lease.job_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return NotFound("job", lease.job_id)
    return LeaseLost(
        f"{lease.owner} holds job {lease.job_id} no more (fence {lease.fence}): "
        f"it is {row['state']}, owner {row['owner'] or 'nobody'}, fence {row['fence']}",
        given_back=row["fence"] == lease.fence,  # nobody claimed it since
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
    """Write the next event of a job; the same statement sets columns of the job and moves a trial between counts."""
    changes: dict[str, Any] = {"last_event": jobs.c.last_event + 1, **(values or {})}
    if left is not None:
        changes[count_column(left)] = jobs.c[count_column(left)] - 1
    if entered is not None:
        changes[count_column(entered)] = jobs.c[count_column(entered)] + 1
    update = sa.update(jobs).where(jobs.c.id == job_id).values(changes).returning(jobs.c.last_event)
    number = connection.execute(update).scalar_one()
    connection.execute(sa.insert(events).values(job_id=job_id, id=number, kind=kind, at=Now(), data=data))


def publish(connection: sa.Connection, job_id: str, kind: str, payload: Json) -> None:
    """Write an outbox row: enough for the tracker to log without reading anything else."""
    connection.execute(sa.insert(outbox).values(job_id=job_id, kind=kind, payload=payload, at=Now()))


def one_line(text: str | None) -> str | None:
    """A reason as it may be stored: one line, at most 500 characters, nothing that UTF-8 or PostgreSQL refuses."""
    if text is None:
        return None
    return " ".join(text.replace("\x00", " ").encode("utf-8", "replace").decode().split())[:500]
