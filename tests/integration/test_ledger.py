"""The ledger on both databases: the one suite, and what is particular to each."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from archsmith.errors import ConfigurationError, Unavailable
from search.ledger import Ledger, open_ledger
from search.ledger.migrate import config
from search.ledger.tables import metadata
from tests.conformance.ledger import LedgerConformance
from tests.factories import completed, job_spec, measurement, owned_job, running_trial
from tests.invariants import audit


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


class TestSqlite(LedgerConformance):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


@pytest.mark.integration
class TestPostgresql(LedgerConformance):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def empty_url(request: pytest.FixtureRequest) -> str:
    """A database that no archsmith has seen."""
    name = "sqlite_url" if request.param == "sqlite" else "empty_postgres_url"
    return str(request.getfixturevalue(name))


def test_the_revisions_make_the_tables_of_the_code(empty_url: str) -> None:
    ledger = open_ledger(empty_url)
    with ledger._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, metadata) == []
    ledger.close()


def test_a_state_from_before_measures_is_brought_up_to_date(empty_url: str) -> None:
    ledger = open_ledger(empty_url)
    lease = owned_job(ledger)
    running_trial(ledger, lease)
    ledger.add_measurement(lease, 0, 1, measurement())
    ledger.finish_trial(lease, 0, 1, completed(0), 0.9)
    before = ledger.trial(lease.job_id, 0)
    with ledger._database.write() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.downgrade(made, "0001")
    ledger.close()
    ledger = open_ledger(empty_url)
    assert ledger.trial(lease.job_id, 0) == before
    assert before.measures == {}
    audit(ledger)
    ledger.close()


def test_a_newer_state_is_refused(empty_url: str) -> None:
    ledger = open_ledger(empty_url)
    job, _ = ledger.create_job(job_spec())
    with ledger._database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9abc'"))
    with pytest.raises(ConfigurationError, match=r"written by a newer archsmith \(revision 9abc\); upgrade"):
        open_ledger(empty_url)
    assert ledger.job(job.id) == job
    ledger.close()


def test_many_processes_may_open_a_new_state_at_once(empty_url: str) -> None:
    code = "import sys; from search.ledger import open_ledger; ledger = open_ledger(sys.argv[1]); ledger.close()"
    argv = [sys.executable, "-W", "error", "-c", code, empty_url]
    processes = [subprocess.Popen(argv, stderr=subprocess.PIPE) for _ in range(3)]
    results = [(p.communicate(timeout=120)[1], p.returncode) for p in processes]
    assert results == [(b"", 0)] * 3
    ledger = open_ledger(empty_url)
    assert ledger.jobs() == []
    ledger.close()


@pytest.mark.parametrize("_round", range(3))
def test_many_threads_may_open_a_new_state_at_once(empty_url: str, _round: int) -> None:
    start = threading.Barrier(8)

    def opened(_: int) -> Ledger:
        start.wait()
        return open_ledger(empty_url)

    with ThreadPoolExecutor(8) as pool:
        for ledger in pool.map(opened, range(8)):
            ledger.ping()
            ledger.close()


@pytest.fixture
def sqlite_ledger(sqlite_url: str) -> Iterator[Ledger]:
    ledger = open_ledger(sqlite_url)
    yield ledger
    audit(ledger)
    ledger.close()


def test_sqlite_is_set_up_for_many_readers_and_one_writer(sqlite_ledger: Ledger) -> None:
    for access in (sqlite_ledger._database.read, sqlite_ledger._database.write):
        with access() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30_000}


def test_sixteen_writers_never_see_a_locked_database(sqlite_ledger: Ledger, sqlite_url: str) -> None:
    def write(index: int) -> None:
        mine = sqlite_ledger if index % 2 else open_ledger(sqlite_url)
        for _ in range(15):
            job, _created = mine.create_job(job_spec(name=str(index)))
            mine.request(job.id, "cancel")
        if mine is not sqlite_ledger:
            mine.close()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(16)))
    assert len(sqlite_ledger.jobs(limit=1000)) == 240


def test_a_lock_from_outside_is_waited_for(sqlite_ledger: Ledger, tmp_path: Path) -> None:
    outside = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None, check_same_thread=False)
    outside.execute("BEGIN EXCLUSIVE")
    threading.Timer(0.7, outside.commit).start()
    began = time.monotonic()
    sqlite_ledger.create_job(job_spec())
    assert time.monotonic() - began > 0.5
    outside.close()


def test_a_lock_that_stays_is_unavailable(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.ledger.engine.BUSY_S", 0.2)
    ledger = open_ledger(sqlite_url)
    outside = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    outside.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable):
        ledger.create_job(job_spec())
    assert ledger.jobs() == [], "readers go on"
    outside.rollback()
    outside.close()
    ledger.create_job(job_spec())
    ledger.close()


@pytest.mark.parametrize(
    "url", ["mysql://host/db", "nonsense", "sqlite://", "sqlite:///:memory:", "sqlite:////proc/nowhere/ledger.db", ""]
)
def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_ledger(url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is a text file, nothing that SQLite wrote" * 100)
    with pytest.raises(ConfigurationError, match="not an archsmith database"):
        open_ledger(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"this is")


def test_a_server_that_is_away_is_unavailable() -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable) as away:
        open_ledger("postgresql://someone:secret@127.0.0.1:9/nothing")
    assert time.monotonic() - began < 5
    assert "secret" not in str(away.value)


@pytest.mark.integration
def test_a_dropped_connection_heals(postgres_url: str) -> None:
    ledger = open_ledger(postgres_url)
    job, _ = ledger.create_job(job_spec())
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert ledger.job(job.id) == job
    ledger.close()


@pytest.mark.integration
def test_a_connection_that_dies_inside_a_write_is_unavailable(postgres_url: str) -> None:
    ledger = open_ledger(postgres_url)
    with pytest.raises(Unavailable), ledger._database.write() as connection:  # noqa: PT012 - it must die in between
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        time.sleep(0.1)
        connection.exec_driver_sql("SELECT 1")
    ledger.ping()
    ledger.close()
