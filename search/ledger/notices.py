"""The method for what a job's owner tells its users and no row of a table holds."""

import sqlalchemy as sa

from search.ledger.engine import Database
from search.ledger.log import guard, note
from search.ledger.tables import events
from search.ledger.values import Json, Lease


class Notices:
    """Mixed into `Ledger`."""

    _database: Database

    def notify(self, lease: Lease, kind: str, data: Json) -> None:
        """Write an event, unless the job has one of this kind with the same data: a new driver may say it again.

        Raises LeaseLost.
        """
        with self._database.write() as connection:
            guard(connection, lease)
            query = sa.select(events.c.data).where(events.c.job_id == lease.job_id, events.c.kind == kind)
            if data not in connection.execute(query).scalars().all():
                note(connection, lease.job_id, kind, data)
