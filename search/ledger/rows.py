"""From rows of the tables to the values of `search/ledger/values.py`."""

import math

import sqlalchemy as sa

from archsmith.errors import NotFound
from search.ledger.tables import attempts, count_column, events, finalists, jobs, outbox, trials
from search.ledger.values import Attempt, Event, Finalist, Job, OutboxRow, StoredMeasurement, Trial, facts
from search.spec import JobSpec
from search.trial import JobState, Measurement, TrialState

_JOB_PLAIN = (
    "id", "name", "wanted", "reason", "created_at", "started_at", "finished_at", "seconds_used", "best_trial",
    "best_score", "final_score", "waiting_for", "stopped_because", "mlflow_run_id", "mlflow_experiment_id", "phase",
    "phases", "bundle_sha256", "bundle_bytes", "interim_bundle", "finishing", "rounds", "version",
)  # fmt: skip
_TRIAL_PLAIN = tuple(c.name for c in trials.c if c.name != "state")


def job_of(row: sa.RowMapping) -> Job:
    return Job(
        spec=JobSpec.from_json(row["spec"]),
        state=JobState(row["state"]),
        counts={state: row[count_column(state)] for state in TrialState},
        **{name: row[name] for name in _JOB_PLAIN},
    )


def job_row(connection: sa.Connection, job_id: str, *, lock: bool = False) -> sa.RowMapping:
    """The job's row, locked for this transaction if asked for. Raises NotFound."""
    query = sa.select(jobs).where(jobs.c.id == job_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise NotFound("job", job_id)
    return row


def trial_of(row: sa.RowMapping, measured: tuple[Measurement, ...] = ()) -> Trial:
    plain = {name: row[name] for name in _TRIAL_PLAIN}
    return Trial(state=TrialState(row["state"]), measurements=measured, **plain)


def facts_of(row: sa.RowMapping) -> dict[str, float]:
    """See `Trial.facts`."""
    return facts(row["search_score"], row["params"], row["macs"], row["measures"])


def measurement_of(row: sa.RowMapping) -> StoredMeasurement:
    loss = row["train_loss"]
    return StoredMeasurement(
        job_id=row["job_id"],
        number=row["number"],
        attempt=row["attempt"],
        at=row["at"],
        measurement=Measurement(
            epoch=row["epoch"],
            score=row["score"],
            train_loss=math.nan if loss is None else loss,
            seconds=row["seconds"],
            measures=row["measures"],
        ),
    )


def attempt_of(row: sa.RowMapping) -> Attempt:
    return Attempt(**{c.name: row[c.name] for c in attempts.c})


def finalist_of(row: sa.RowMapping) -> Finalist:
    return Finalist(**{c.name: row[c.name] for c in finalists.c})


def event_of(row: sa.RowMapping) -> Event:
    return Event(**{c.name: row[c.name] for c in events.c})


def outbox_of(row: sa.RowMapping) -> OutboxRow:
    return OutboxRow(**{c.name: row[c.name] for c in outbox.c})
