"""Data sets that jobs may name."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from archsmith.errors import AlreadyExists, NotFound
from search.ledger.engine import Database
from search.ledger.tables import datasets, jobs
from search.ledger.values import DatasetRow
from search.trial import JobState


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
        query = (
            sa.select(jobs.c.id, jobs.c.state)
            .where(jobs.c.spec["dataset"].as_string() == name, jobs.c.state.in_(states))
            .order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
        )
        with self._database.read() as connection:
            return [(row.id, JobState(row.state)) for row in connection.execute(query)]

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
