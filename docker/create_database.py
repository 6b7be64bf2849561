"""create_database.py NAME: makes a PostgreSQL database unless it is there, on the server that PGHOST names."""

import sys
import time

import psycopg
from psycopg import sql


def create(name: str, *, patience_s: float = 60.0) -> None:
    """Waits for a server that still starts. Raises psycopg.OperationalError when it does not answer in time."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with psycopg.connect(dbname="postgres", autocommit=True, connect_timeout=5) as connection:
                if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


if __name__ == "__main__":
    create(sys.argv[1])
