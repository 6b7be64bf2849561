"""Finalists: the full trainings after the search, written by the job's owner."""

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
        """Store a finalist, or its progress; (rank, seed) identifies it. A completed or failed one is not changed.

        Raises Conflict for a finalist that has ended, LeaseLost, ValueError.
        """
        if finalist.job_id != lease.job_id:
            raise ValueError(f"the finalist belongs to job {finalist.job_id}, the lease to job {lease.job_id}")
        if (finalist.state == "completed") != (finalist.test_score is not None):
            raise ValueError(
                f"only a completed finalist has a test score, got {finalist.test_score} for a {finalist.state} one"
            )
        if finalist.test_score is not None and not math.isfinite(finalist.test_score):
            raise ValueError(f"test_score must be finite, got {finalist.test_score}")
        values = {c.name: getattr(finalist, c.name) for c in finalists.c}
        insert = sqlite.insert if self._database.sqlite else postgresql.insert
        keys = ["job_id", "rank", "seed"]
        with self._database.write() as connection:
            job = guard(connection, lease)
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
                raise Conflict(f"finalist {finalist.rank} (seed {finalist.seed}) has already ended", allowed=_OPEN)
            data = {k: v for k, v in values.items() if k != "job_id"}
            note(connection, lease.job_id, "finalist", data)
            if finalist.state not in _OPEN:
                publish(connection, lease.job_id, "finalist_ended", {**data, "round": job["rounds"]})
