"""State changes of one trial. The caller has locked the job's row (`log.guard`), so what is read here stays true."""

from typing import Any

import sqlalchemy as sa

from archsmith.errors import Conflict, LeaseLost, NotFound
from search.ledger.log import note, one_line, publish
from search.ledger.tables import Now, attempts, trials
from search.ledger.values import AttemptState
from search.trial import RANDOM_ARM, TRIAL_MOVES, TrialState

_ATTEMPT_END: dict[TrialState, AttemptState] = {
    TrialState.COMPLETED: "ok",
    TrialState.PRUNED: "ok",
    TrialState.INFEASIBLE: "ok",
    TrialState.FAILED: "error",
    TrialState.CANCELLED: "interrupted",
}


def trial_row(connection: sa.Connection, job_id: str, number: int, attempt: int | None = None) -> sa.RowMapping:
    """The trial's row. Raises NotFound, and LeaseLost unless `attempt` is None or is the one that runs now."""
    query = sa.select(trials).where(trials.c.job_id == job_id, trials.c.number == number)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound("trial", number)
    if attempt is None or (row["attempts"] == attempt and row["state"] == TrialState.RUNNING):
        return row
    if row["attempts"] == attempt and TrialState(row["state"]).terminal:
        raise Conflict(f"trial {number} is already {row['state']}", state=row["state"])
    raise LeaseLost(
        f"attempt {attempt} of trial {number} was superseded: it is {row['state']}, {row['attempts']} attempts"
    )


def move_trial(
    connection: sa.Connection,
    job_id: str,
    number: int,
    to: TrialState,
    *,
    attempt: int | None = None,
    reason: str | None = None,
    **values: Any,
) -> sa.RowMapping:
    """Compare-and-set of a trial's state with its event, its counts, and at an end its attempt and outbox row.

    Returns the new row. Raises Conflict when `TRIAL_MOVES` forbids the move, LeaseLost for a superseded attempt.
    """
    row = trial_row(connection, job_id, number, attempt)
    seen = TrialState(row["state"])
    if to not in TRIAL_MOVES[seen]:
        allowed = [state for state, targets in TRIAL_MOVES.items() if to in targets]
        raise Conflict(f"trial {number} is {seen}; it cannot become {to}", state=seen, allowed=allowed)
    if to.terminal:
        values["finished_at"] = Now()
        if seen is TrialState.RUNNING:
            end_attempt(connection, job_id, number, _ATTEMPT_END[to])
    changed = connection.execute(
        sa.update(trials)
        .where(trials.c.job_id == job_id, trials.c.number == number)
        .where(trials.c.state == seen, trials.c.attempts == row["attempts"])
        .values(state=to, reason=one_line(reason), **values)
        .returning(*trials.c)
    ).mappings()
    new = changed.one()
    counted = new["provenance"] != RANDOM_ARM
    note(
        connection, job_id, "trial_state", _end_data(new),
        left=seen if counted else None, entered=to if counted else None,
    )  # fmt: skip
    if to.terminal:
        announce_end(connection, new)
    return new


def _end_data(row: sa.RowMapping) -> dict[str, Any]:
    keys = ("number", "state", "attempts", "reason", "search_score", "measures", "epochs", "seconds")
    return {key: row[key] for key in keys}


def announce_start(connection: sa.Connection, row: sa.RowMapping) -> None:
    """Outbox row of a trial's first attempt."""
    keys = ("number", "hash", "choices", "architecture", "params", "macs", "provenance")
    publish(connection, row["job_id"], "trial_started", {key: row[key] for key in keys})


def announce_end(connection: sa.Connection, row: sa.RowMapping) -> None:
    """Outbox row of a trial's end. One without an attempt gets a start as well, unless it was cancelled."""
    if row["attempts"] == 0:
        if row["state"] == TrialState.CANCELLED:
            return
        announce_start(connection, row)
    about = {key: row[key] for key in ("params", "macs", "provenance")}
    publish(connection, row["job_id"], "trial_ended", {**_end_data(row), **about})


def end_attempt(connection: sa.Connection, job_id: str, number: int, state: AttemptState) -> None:
    """Close the running attempt of a trial, if there is one, and add its wall clock to the trial."""
    closed = connection.execute(
        sa.update(attempts)
        .where(attempts.c.job_id == job_id, attempts.c.number == number, attempts.c.state == "running")
        .values(state=state, finished_at=Now())
        .returning(attempts.c.started_at, attempts.c.finished_at)
    ).mappings()
    row = closed.one_or_none()
    if row is None:
        return
    spent = max(0.0, (row["finished_at"] - row["started_at"]).total_seconds())
    connection.execute(
        sa.update(trials)
        .where(trials.c.job_id == job_id, trials.c.number == number)
        .values(seconds=trials.c.seconds + spent)
    )
