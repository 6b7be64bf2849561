"""The tables as the code sees them. The schema itself is made by the revisions in `migrations/`; a test compares both.

Times are whole microseconds since 1970 UTC (BIGINT): exact in both databases, ordered, without time zones, and usable
in arithmetic. They come from the database's clock (`Now`), so that machines with different clocks agree on leases.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.types import TypeDecorator

from search.ledger.values import from_micros, to_micros
from search.trial import TrialState

metadata = sa.MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s"})


class Instant(TypeDecorator[datetime]):
    """Aware datetime <-> microseconds since 1970 UTC."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - its contract
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else from_micros(value)


class Now(ColumnElement[int]):
    """The database's clock at this statement, microseconds since 1970 UTC (SQLite counts milliseconds)."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(Now, "sqlite")
def _now_sqlite(_element: Now, _compiler: Any, **_kw: Any) -> str:
    # unixepoch('subsec') needs SQLite 3.42; Debian 12 has 3.40. 2440587.5 is 1970-01-01 as a Julian day.
    return "(CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)"


@compiles(Now, "postgresql")
def _now_postgresql(_element: Now, _compiler: Any, **_kw: Any) -> str:
    # clock_timestamp, not now(): a transaction may have waited for a lock since it began.
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"


def _job_id() -> sa.Column[str]:
    return sa.Column("job_id", sa.String(36), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)


def count_column(state: TrialState) -> str:
    """Name of the column of `jobs` that counts the trials in a state."""
    return f"trials_{state}"


jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("spec", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("wanted", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("seconds_used", sa.Double, nullable=False, server_default="0"),
    sa.Column("phase", sa.String(32), nullable=False),
    sa.Column("phases", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("waiting_for", sa.Text),
    sa.Column("stopped_because", sa.Text),
    sa.Column("best_trial", sa.Integer),
    sa.Column("best_value", sa.Double),
    sa.Column("best_score", sa.Double),
    sa.Column("final_score", sa.Double),
    sa.Column("bundle_sha256", sa.String(64)),
    sa.Column("bundle_bytes", sa.BigInteger),
    sa.Column("held", sa.JSON(none_as_null=True), key="interim_bundle"),
    sa.Column("finishing", sa.JSON(none_as_null=True)),
    sa.Column("rounds", sa.Integer, nullable=False, server_default="0"),
    sa.Column("mlflow_run_id", sa.String(64)),
    sa.Column("mlflow_experiment_id", sa.String(64)),
    sa.Column("owner", sa.Text),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("lease_until", Instant),
    sa.Column("last_event", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
    *(sa.Column(count_column(s), sa.Integer, nullable=False, server_default="0") for s in TrialState),
)
sa.Index("ix_jobs_created_at_id", jobs.c.created_at, jobs.c.id)
sa.Index("ix_jobs_state_created_at_id", jobs.c.state, jobs.c.created_at, jobs.c.id)

trials = sa.Table(
    "trials",
    metadata,
    _job_id(),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("architecture", sa.JSON, nullable=False),
    sa.Column("hash", sa.String(128), nullable=False),
    sa.Column("choices", sa.JSON, nullable=False),
    sa.Column("behaviour", sa.JSON, nullable=False),
    sa.Column("params", sa.BigInteger, nullable=False),
    sa.Column("macs", sa.BigInteger, nullable=False),
    sa.Column("search_score", sa.Double),
    sa.Column("value", sa.Double),
    sa.Column("measures", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("epochs", sa.Integer, nullable=False, server_default="0"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("seconds", sa.Double, nullable=False, server_default="0"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("mlflow_run_id", sa.String(64)),
    sa.Column("provenance", sa.String(32), nullable=False),
)
sa.Index("ix_trials_job_id_hash", trials.c.job_id, trials.c.hash)
sa.Index("ix_trials_job_id_state_number", trials.c.job_id, trials.c.state, trials.c.number)


def _of_trial() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["job_id", "number"], ["trials.job_id", "trials.number"], ondelete="CASCADE")


attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("job_id", sa.String(36), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    _of_trial(),
)

measurements = sa.Table(
    "measurements",
    metadata,
    sa.Column("job_id", sa.String(36), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("measures", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("train_loss", sa.Double),  # NULL = not finite; SQLite has no NaN
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("at", Instant, nullable=False),
    _of_trial(),
)

finalists = sa.Table(
    "finalists",
    metadata,
    _job_id(),
    sa.Column("rank", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seed", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("trial_number", sa.Integer, nullable=False),
    sa.Column("role", sa.String(16), nullable=False, server_default="finalist"),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("test_score", sa.Double),
    sa.Column("epochs", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("reason", sa.Text),
)

beliefs = sa.Table(
    "beliefs",
    metadata,
    _job_id(),
    sa.Column("told", sa.Integer, nullable=False),
    sa.Column("state", sa.JSON, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    _job_id(),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)

outbox = sa.Table(
    "outbox",
    metadata,
    # SQLite numbers only INTEGER primary keys itself; AUTOINCREMENT keeps it from reusing an acknowledged id.
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.String(36), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sqlite_autoincrement=True,
)
sa.Index("ix_outbox_job_id_id", outbox.c.job_id, outbox.c.id)

runs = sa.Table(
    "runs",
    metadata,
    _job_id(),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("run_id", sa.String(64), nullable=False),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("spec_sha256", sa.String(64), nullable=False),
    sa.Column("job_id", sa.String(36), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("format", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("report", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)
