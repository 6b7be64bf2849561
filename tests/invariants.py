"""What must hold of a ledger's rows at any moment, whatever happened before. Tests end with it."""

from itertools import groupby

import sqlalchemy as sa

from search.ledger import Ledger
from search.ledger.tables import attempts, count_column, events, jobs, measurements, trials
from search.trial import RANDOM_ARM, JobState, TrialState


def audit(ledger: Ledger) -> None:
    """Raises AssertionError with the first broken invariant."""
    with ledger._database.read() as connection:
        rows = list(connection.execute(sa.select(jobs)).mappings())
        for row in rows:
            _job(connection, row)


def _job(connection: sa.Connection, row: sa.RowMapping) -> None:
    job_id = row["id"]
    mine = list(connection.execute(sa.select(trials).where(trials.c.job_id == job_id)).mappings())
    searched = [t for t in mine if t["provenance"] != RANDOM_ARM]
    for state in TrialState:
        counted = sum(t["state"] == state and t["provenance"] != "prior" for t in searched)
        assert row[count_column(state)] == counted, f"count of {state}"
    ids = connection.execute(sa.select(events.c.id).where(events.c.job_id == job_id).order_by(events.c.id)).scalars()
    assert list(ids) == list(range(1, row["last_event"] + 1)), "event ids are dense"
    now = JobState(row["state"])
    assert (row["owner"] is not None) == (now is JobState.RUNNING), "running = owned"
    assert (row["lease_until"] is not None) == (now is JobState.RUNNING), "running = leased"
    assert (row["finished_at"] is not None) == now.terminal, "finished = terminal"
    if now is not JobState.RUNNING:
        assert not row["trials_running"], "no trial runs outside a running job"
    if now.terminal:
        assert not row["trials_waiting"] + row["trials_lost"], "a job's end closes its trials"
    done = [t for t in searched if t["state"] == TrialState.COMPLETED]
    best = max(done, key=lambda t: (t["value"], -t["number"]), default=None)
    assert row["best_trial"] == (best and best["number"]), "the incumbent is the best completed trial"
    assert row["best_score"] == (best and best["search_score"])
    _attempts(connection, job_id, {t["number"]: t for t in mine})


def _attempts(connection: sa.Connection, job_id: str, mine: dict[int, sa.RowMapping]) -> None:
    query = sa.select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.number, attempts.c.attempt)
    by_trial = {n: list(rows) for n, rows in groupby(connection.execute(query).mappings(), lambda a: a["number"])}
    for number, trial in mine.items():
        own = by_trial.get(number, [])
        assert [a["attempt"] for a in own] == list(range(1, trial["attempts"] + 1)), "attempts are numbered from 1"
        running = [a["attempt"] for a in own if a["state"] == "running"]
        expected = [trial["attempts"]] if trial["state"] == TrialState.RUNNING else []
        assert running == expected, "a trial runs in its last attempt only"
        assert sum(a["state"] in ("ok", "error") for a in own) <= 1, "one attempt counts"
        assert (trial["finished_at"] is not None) == TrialState(trial["state"]).terminal
    for row in connection.execute(sa.select(measurements).where(measurements.c.job_id == job_id)).mappings():
        assert 1 <= row["attempt"] <= mine[row["number"]]["attempts"], "a measurement belongs to an attempt"
