"""A ledger, and a clock that stands, for searchers without Tune."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.ledger import Ledger
from tests.ledgers import new_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = new_ledger(f"sqlite:///{tmp_path / 'archsmith.db'}")
    yield ledger
    ledger.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("workers.cluster.searcher.time.monotonic", lambda: now[0])
    return now
