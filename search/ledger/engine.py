"""Access to the database: one engine, reads in a snapshot, writes in a transaction that holds the writer's lock."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc

from archsmith.errors import ConfigurationError, Unavailable

BUSY_S = 30.0
"""How long a writer waits for another one before it raises Unavailable, seconds."""

_POSTGRESQL = {
    "application_name": "archsmith",
    "client_encoding": "utf8",  # a server set up under the C locale uses SQL_ASCII, and text would arrive as bytes
    "connect_timeout": "3",
    # A peer that disappeared is noticed after about 20 s instead of the kernel's two hours.
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}


class Database:
    """Thread-safe. `read()` and `write()` give a connection inside a transaction that commits at the end of the block.

    Both raise Unavailable when the database does not answer; then nothing of the block is stored.
    """

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self._engine = _sqlite(parsed) if self.sqlite else _postgresql(parsed)
        self._writers = self._engine.execution_options(archsmith_writes=True)
        # SQLite waits for the writer's lock by sleeping, which can starve one of many threads; this lock is fairer.
        self._turn = threading.Lock() if self.sqlite else None

    def prepare(self) -> None:
        """Check the connection. Raises Unavailable, ConfigurationError for a file that is not a database."""
        if self.sqlite:
            with _translated():
                _write_ahead(self._engine)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        with _translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        if self._turn is None:
            with _translated(), self._writers.begin() as connection:
                yield connection
            return
        if not self._turn.acquire(timeout=BUSY_S):
            raise Unavailable(f"the database was locked by other writers for {BUSY_S:.0f} seconds; try again")
        try:
            with _translated(), self._writers.begin() as connection:
                yield connection
        finally:
            self._turn.release()

    def close(self) -> None:
        self._engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError) as error:
        raise Unavailable(f"the database does not answer: {_first_line(error)}") from error
    except sqlite3.OperationalError as error:  # while a connection is prepared, where SQLAlchemy does not wrap it
        raise Unavailable(f"the database does not answer: {error}") from error
    except exc.TimeoutError as error:
        raise Unavailable("all connections to the database are in use; try again") from error
    except exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable(f"the database closed the connection: {_first_line(error)}") from error


def _first_line(error: exc.DBAPIError) -> str:
    return next(iter(str(error.orig).splitlines()), type(error.orig).__name__)[:200]


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        raise ConfigurationError(
            "ARCHSMITH_DATABASE_URL is not a database URL; use sqlite:///PATH or postgresql://…"
        ) from None
    backend = parsed.drivername.split("+")[0]
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigurationError(f"the database must be sqlite or postgresql, got {backend!r}")
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError(
            "an SQLite ledger needs a file, as in sqlite:///PATH: one in memory would be lost with the process"
        )
    return parsed.set(drivername="sqlite+pysqlite")


_dumps = partial(json.dumps, allow_nan=False, ensure_ascii=True, separators=(",", ":"))


def _postgresql(url: sa.URL) -> sa.Engine:
    given = dict(url.query)
    return sa.create_engine(
        url,
        connect_args={k: v for k, v in _POSTGRESQL.items() if k not in given},
        json_serializer=_dumps,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        pool_timeout=10,
    )


def _sqlite(url: sa.URL) -> sa.Engine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"the folder of the database cannot be created: {error}") from None
    engine = sa.create_engine(
        url,
        connect_args={"timeout": BUSY_S, "check_same_thread": False},
        json_serializer=_dumps,
        pool_size=5,
        max_overflow=60,
        pool_timeout=BUSY_S,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # otherwise the driver begins transactions itself, and late
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(
        "PRAGMA synchronous = NORMAL"
    )  # with WAL, a power cut may lose the last commits but not damage the file


def _begin(connection: sa.Connection) -> None:
    # A writer takes the lock at once: SQLite rejects a reader that becomes a writer later, without waiting.
    writes = connection.get_execution_options().get("archsmith_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _write_ahead(engine: sa.Engine) -> None:
    """Turn WAL on; it stays on in the file. Switching ignores the busy timeout, so it is retried while locked."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            with closing(engine.raw_connection()) as raw:
                cursor = raw.cursor()
                if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                    cursor.execute("PRAGMA journal_mode = WAL")
                return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise Unavailable(f"the database does not answer: {error}") from error
            time.sleep(0.02)
        except sqlite3.DatabaseError as error:
            raise ConfigurationError(f"{engine.url.database} is not an archsmith database: {error}") from None
