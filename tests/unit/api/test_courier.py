"""What ended jobs could not tell MLflow is delivered later, by one child at a time."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from api import dispatcher as module
from api import process
from api.dispatcher import Dispatcher
from search.ledger import Ledger
from search.trial import JobState
from tests import factories
from tests.ledgers import new_ledger
from workers.settings import Settings


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = new_ledger(f"sqlite:///{tmp_path / 'archsmith.db'}")
    yield ledger
    ledger.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Arguments of every courier; each is a program that waits."""
    sent: list[list[str]] = []
    spawn = process.spawn

    def noted(arguments: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        sent.append(list(arguments[1:]))
        return spawn([sys.executable, "-c", "import time; time.sleep(60)"], **options)

    monkeypatch.setattr(process, "spawn", noted)
    return sent


def _dispatcher(ledger: Ledger, tmp_path: Path, url: str = "http://127.0.0.1:9") -> Dispatcher:
    settings = Settings(state=tmp_path, database_url=f"sqlite:///{tmp_path / 'archsmith.db'}", mlflow_url=url)
    return Dispatcher(ledger, settings)


def _ended_job(ledger: Ledger) -> str:
    lease = factories.owned_job(ledger)
    ledger.finish_job(lease, JobState.SUCCEEDED)
    return lease.job_id


@pytest.mark.heavy
def test_one_courier_at_a_time(
    ledger: Ledger, tmp_path: Path, sent: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _ended_job(ledger)
    dispatcher = _dispatcher(ledger, tmp_path)
    dispatcher.round()
    assert sent == [], "its driver may still be about it"
    monkeypatch.setattr(module, "SETTLED_S", -1.0)
    monkeypatch.setattr(module, "COURIER_S", 0.0)
    dispatcher._courier_due = 0.0
    dispatcher.round()
    dispatcher.round()
    assert sent == [["-m", "workers.tracking", job_id]]
    assert dispatcher._courier is not None
    dispatcher._courier.kill()
    while not process.ended(dispatcher._courier):
        pass
    dispatcher.round()
    assert len(sent) == 2, "what it did not deliver is tried again"
    dispatcher.close(grace_s=5)


def test_nothing_is_sent_where_nobody_listens(
    ledger: Ledger, tmp_path: Path, sent: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_S", -1.0)
    _ended_job(ledger)
    _dispatcher(ledger, tmp_path, url="").round()
    assert sent == []
