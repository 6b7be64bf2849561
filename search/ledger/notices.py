"""What no row of a table holds, only a job's events: what its owner tells its users, and how often it was put back."""

import sqlalchemy as sa

from search.ledger.engine import Database
from search.ledger.log import guard, note
from search.ledger.tables import events
from search.ledger.values import Json, Lease
from search.trial import TrialState

ENDED = ("completed", "failed", *(state for state in TrialState if state.terminal))
"""States of a trial or a final training that has ended."""


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

    def times_put_back(self, job_id: str, waiting_for: str) -> int:
        """How often in a row the job went back into the queue to wait for that, without a trial or final training that
        ended between."""
        query = sa.select(events.c.kind, events.c.data).where(
            events.c.job_id == job_id, events.c.kind.in_(("job_state", "trial_state", "finalist"))
        )
        count = 0
        with self._database.read() as connection:
            for kind, data in connection.execute(query.order_by(events.c.id.desc())):
                if kind != "job_state" and data["state"] in ENDED:
                    break
                count += kind == "job_state" and data.get("waiting_for") == waiting_for
        return count
