"""Data sets that jobs may name."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from archsmith.errors import AlreadyExists, NotFound
from search.ledger.engine import Database
from search.ledger.tables import datasets, jobs
from search.ledger.values import DatasetRow
from search.trial import JobState

JobsOn = Callable[[Sequence[JobState]], list[tuple[str, JobState]]]
"""(id, state) of the jobs in these states that name a data set, the newest first."""


class Datasets:
    """Mixed into `Ledger`."""

    _database: Database

    def add_dataset(self, row: DatasetRow) -> None:
        """Raises AlreadyExists when the name is taken."""
        values = {c.name: getattr(row, c.name) for c in datasets.c}
        try:
            with self._database.write() as connection:
                connection.execute(sa.insert(datasets).values(values))
        except IntegrityError:
            raise AlreadyExists(f"there is already a data set {row.name!r}") from None

    def put_dataset(self, row: DatasetRow) -> None:
        """Like `add_dataset`, in place of the row of that name where there is one."""
        values = {c.name: getattr(row, c.name) for c in datasets.c}
        with self._database.write() as connection:
            connection.execute(sa.delete(datasets).where(datasets.c.name == row.name))
            connection.execute(sa.insert(datasets).values(values))

    def remove_dataset(self, name: str) -> None:
        """Nothing happens where there is no such row."""
        with self._database.write() as connection:
            connection.execute(sa.delete(datasets).where(datasets.c.name == name))

    def jobs_on_dataset(self, name: str, states: Sequence[JobState]) -> list[tuple[str, JobState]]:
        """(id, state) of the jobs in these states that name the data set, the newest first."""
        with self._database.read() as connection:
            return _jobs_on(connection, name, states)

    @contextmanager
    def dataset_held(self, name: str) -> Iterator[JobsOn]:
        """Within the block no job on the data set of that name is made, nor does an ended one go on. Yields them.

        So who finds none that needs the data set may take it away in the block, which should be short.
        """
        with self._database.write() as connection:
            hold_dataset(connection, name)
            yield lambda states: _jobs_on(connection, name, states)

    def datasets(self) -> list[DatasetRow]:
        """In order of name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(datasets).order_by(datasets.c.name)).mappings()
            return [DatasetRow(**row) for row in rows]

    def dataset(self, name: str) -> DatasetRow:
        """Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(datasets).where(datasets.c.name == name)).mappings().one_or_none()
        if row is None:
            raise NotFound("data set", name)
        return DatasetRow(**row)


def hold_dataset(connection: sa.Connection, name: str) -> None:
    """Until the end of this transaction no other one passes here with the same name. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        number = sa.func.hashtextextended(f"data set {name}", sa.cast(0, sa.BigInteger))
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def _jobs_on(connection: sa.Connection, name: str, states: Sequence[JobState]) -> list[tuple[str, JobState]]:
    query = (
        sa.select(jobs.c.id, jobs.c.state)
        .where(jobs.c.spec["dataset"].as_string() == name, jobs.c.state.in_(states))
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    )
    return [(row.id, JobState(row.state)) for row in connection.execute(query)]
