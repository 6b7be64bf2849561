"""Finalists: the retrainings of the best, written by the job's owner."""

import math

from sqlalchemy.dialects import postgresql, sqlite

from archsmith.errors import Conflict
from search.ledger.engine import Database
from search.ledger.log import guard, note, publish
from search.ledger.tables import finalists
from search.ledger.values import Finalist, Lease

_OPEN = ("waiting", "running")


class Finals:
    """Mixed into `Ledger`."""

    _database: Database

    def set_finalist(self, lease: Lease, finalist: Finalist) -> None:
        """Store a finalist, or how far it is now; (rank, seed) names it. A completed or failed one stays as it is.

        Raises Conflict for a finalist that has ended, LeaseLost, ValueError.
        """
        if finalist.job_id != lease.job_id:
            raise ValueError(f"the finalist is of job {finalist.job_id}, the lease of {lease.job_id}")
        if (finalist.state == "completed") != (finalist.test_score is not None):
            raise ValueError(f"a {finalist.state} finalist does not go with a test score of {finalist.test_score}")
        if finalist.test_score is not None and not math.isfinite(finalist.test_score):
            raise ValueError(f"test_score must be finite, got {finalist.test_score}")
        values = {c.name: getattr(finalist, c.name) for c in finalists.c}
        insert = sqlite.insert if self._database.sqlite else postgresql.insert
        keys = ["job_id", "rank", "seed"]
        with self._database.write() as connection:
            guard(connection, lease)
            written = connection.execute(
                insert(finalists)
                .values(values)
                .on_conflict_do_update(
                    index_elements=keys,
                    set_={k: v for k, v in values.items() if k not in keys},
                    where=finalists.c.state.in_(_OPEN),
                )
                .returning(finalists.c.rank)
            )
            if written.one_or_none() is None:
                raise Conflict(f"finalist {finalist.rank} (seed {finalist.seed}) has ended already", allowed=_OPEN)
            told = {k: v for k, v in values.items() if k != "job_id"}
            note(connection, lease.job_id, "finalist", told)
            if finalist.state not in _OPEN:
                publish(connection, lease.job_id, "finalist_ended", told)
