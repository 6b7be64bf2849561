"""What the tracker has yet to deliver, and the ids of the runs that it has made."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from archsmith.errors import NotFound
from search.ledger.engine import Database
from search.ledger.rows import outbox_of
from search.ledger.tables import jobs, outbox, runs, trials
from search.ledger.values import OutboxRow


class Outbox:
    """Mixed into `Ledger`. Delivery is at least once: rows are removed when acknowledged, so a crash repeats some."""

    _database: Database

    def outbox(self, job_id: str, limit: int = 100) -> list[OutboxRow]:
        """The oldest undelivered rows of a job, in order."""
        query = sa.select(outbox).where(outbox.c.job_id == job_id).order_by(outbox.c.id).limit(limit)
        with self._database.read() as connection:
            return [outbox_of(row) for row in connection.execute(query).mappings()]

    def acknowledge(self, ids: Collection[int]) -> None:
        """Remove delivered rows. Unknown ids are ignored; ids are never used again."""
        if ids:
            with self._database.write() as connection:
                connection.execute(sa.delete(outbox).where(outbox.c.id.in_(ids)))

    def outbox_jobs(self) -> list[str]:
        """Ids of the jobs that have undelivered rows, oldest row first."""
        query = sa.select(outbox.c.job_id).group_by(outbox.c.job_id).order_by(sa.func.min(outbox.c.id))
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def set_run(self, job_id: str, key: str, run_id: str) -> None:
        """Store a run's id under "job", "trial/3" or "finalist/1/0", the experiment's under "experiment".

        Jobs and trials have theirs as a field. Needs no lease: the tracker may still deliver after the job has ended.
        Raises NotFound.
        """
        insert = sqlite.insert if self._database.sqlite else postgresql.insert
        stored = insert(runs).values(job_id=job_id, key=key, run_id=run_id)
        column = {"job": "mlflow_run_id", "experiment": "mlflow_experiment_id"}.get(key)
        shown = {column: run_id} if column else {}
        with self._database.write() as connection:
            job = sa.update(jobs).where(jobs.c.id == job_id).values(version=jobs.c.version + 1, **shown)
            if connection.execute(job).rowcount != 1:
                raise NotFound("job", job_id)
            connection.execute(stored.on_conflict_do_update(index_elements=["job_id", "key"], set_={"run_id": run_id}))
            kind, _, number = key.partition("/")
            if kind == "trial":
                of_trial = (trials.c.job_id == job_id) & (trials.c.number == int(number))
                connection.execute(sa.update(trials).where(of_trial).values(mlflow_run_id=run_id))

    def runs(self, job_id: str) -> dict[str, str]:
        """Key -> run id, of one job."""
        query = sa.select(runs.c.key, runs.c.run_id).where(runs.c.job_id == job_id)
        with self._database.read() as connection:
            return {row["key"]: row["run_id"] for row in connection.execute(query).mappings()}
