"""Bring a database to the newest schema, once, even when several services open it at the same time."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from archsmith.errors import ConfigurationError
from search.ledger.engine import Database

_FOLDER = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x61726368  # any number that is no other advisory lock of the database


def config() -> Config:
    """Alembic's configuration, made in code so that an installed package needs no file for it."""
    made = Config()
    made.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def migrate(database: Database) -> None:
    """Upgrade to head. Raises ConfigurationError when a newer archsmith wrote the database, Unavailable."""
    script = ScriptDirectory.from_config(config())
    with database.read() as connection:
        if _revision(connection) == script.get_current_head():
            return
    with database.write() as connection:  # on SQLite this is the lock already
        if not database.sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        present = _revision(connection)
        if present is not None and present not in {r.revision for r in script.walk_revisions()}:
            raise ConfigurationError(
                f"the state was written by a newer archsmith (revision {present}); "
                "upgrade archsmith or choose another state folder"
            )
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, "head")


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
