"""Data sets that jobs may name."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from archsmith.errors import AlreadyExists, NotFound
from search.ledger.engine import Database
from search.ledger.tables import datasets
from search.ledger.values import DatasetRow


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
