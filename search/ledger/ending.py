"""How a job leaves the running state: its open trials and finalists end, or wait, with it."""

from typing import Any

import sqlalchemy as sa

from archsmith.errors import Conflict
from search.ledger.log import note, publish
from search.ledger.moves import end_attempt, move_trial
from search.ledger.tables import Now, count_column, finalists, jobs, trials
from search.ledger.values import Json
from search.trial import JOB_MOVES, JobState, TrialState


def move_job(
    connection: sa.Connection, row: sa.RowMapping, to: JobState, *, reason: str | None = None, **values: Any
) -> None:
    """Compare-and-set of a job's state, with its event. row: the job as this transaction sees it.

    Raises Conflict when `JOB_MOVES` forbids the move.
    """
    seen = JobState(row["state"])
    if to not in JOB_MOVES[seen]:
        raise Conflict(f"job {row['id']} is {seen}; it cannot become {to}", state=seen, allowed=_sources(to))
    if to is not JobState.RUNNING:
        values = {"waiting_for": None, **values, "owner": None, "lease_until": None}
    if to.terminal:
        values |= {"finished_at": Now()}
    moved = connection.execute(
        sa.update(jobs)
        .where(jobs.c.id == row["id"], jobs.c.state == seen)
        .values(state=to, reason=reason, version=jobs.c.version + 1, **values)
    )
    if moved.rowcount != 1:
        raise Conflict(f"job {row['id']} is no longer {seen}", state=seen)
    waits = {"waiting_for": values["waiting_for"]} if values.get("waiting_for") else {}
    note(connection, row["id"], "job_state", {"state": to, "reason": reason, **waits})


def _sources(to: JobState) -> list[str]:
    return [state for state, targets in JOB_MOVES.items() if to in targets]


def end_job(
    connection: sa.Connection, row: sa.RowMapping, to: JobState, *, reason: str | None = None, **values: Any
) -> None:
    """Move a job to a terminal state; its open trials are cancelled and its open finalists fail. Raises Conflict."""
    if to not in JOB_MOVES[JobState(row["state"])]:
        move_job(connection, row, to, reason=reason)  # raises before anything is changed
    why = f"the job was {to}" if to is JobState.CANCELLED else f"the job {to}"
    for number in _numbers(connection, row["id"], (TrialState.WAITING, TrialState.RUNNING, TrialState.LOST)):
        move_trial(connection, row["id"], number, TrialState.CANCELLED, reason=why)
    connection.execute(
        sa.update(finalists)
        .where(finalists.c.job_id == row["id"], finalists.c.state.in_(("waiting", "running")))
        .values(state="failed", reason=why)
    )
    move_job(connection, row, to, reason=reason, **values)
    if row["started_at"] is not None:
        publish(connection, row["id"], "job_ended", _summary(connection, row["id"]))


def suspend_job(connection: sa.Connection, row: sa.RowMapping, to: JobState, *, waiting_for: str | None = None) -> None:
    """Move a running job to paused or queued; its running trials and finalists wait for their next attempt."""
    for number in _numbers(connection, row["id"], (TrialState.RUNNING,)):
        end_attempt(connection, row["id"], number, "interrupted")
        move_trial(connection, row["id"], number, TrialState.WAITING)
    running = (finalists.c.job_id == row["id"]) & (finalists.c.state == "running")
    connection.execute(sa.update(finalists).where(running).values(state="waiting"))
    move_job(connection, row, to, waiting_for=waiting_for)


def _numbers(connection: sa.Connection, job_id: str, states: tuple[TrialState, ...]) -> list[int]:
    query = sa.select(trials.c.number).where(trials.c.job_id == job_id, trials.c.state.in_(states))
    return list(connection.execute(query.order_by(trials.c.number)).scalars())


def _summary(connection: sa.Connection, job_id: str) -> Json:
    row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).mappings().one()
    plain = ("state", "reason", "stopped_because", "final_score", "best_trial", "best_score", "seconds_used")
    return {
        "job_id": job_id,
        **{name: row[name] for name in (*plain, "bundle_sha256", "bundle_bytes")},
        "counts": {str(state): row[count_column(state)] for state in TrialState},
    }
