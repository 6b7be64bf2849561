"""A job's plan: each version is an event of the job, the newest is the one that holds."""

import sqlalchemy as sa

from search.ledger.engine import Database
from search.ledger.log import guard, note
from search.ledger.tables import events
from search.ledger.values import Json, Lease

KIND = "plan"


class Plans:
    """Mixed into `Ledger`."""

    _database: Database

    def set_plan(self, lease: Lease, plan: Json) -> None:
        """Raises LeaseLost."""
        with self._database.write() as connection:
            guard(connection, lease)
            note(connection, lease.job_id, KIND, plan)

    def plan(self, job_id: str) -> Json | None:
        """The newest; None before there is one."""
        with self._database.read() as connection:
            return newest_plan(connection, job_id)


def newest_plan(connection: sa.Connection, job_id: str) -> Json | None:
    query = sa.select(events.c.data).where(events.c.job_id == job_id, events.c.kind == KIND)
    found = connection.execute(query.order_by(events.c.id.desc()).limit(1)).scalar_one_or_none()
    return None if found is None else dict(found)
