"""A state folder and its ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.ledger import Ledger
from tests.ledgers import new_ledger
from workers.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path, database_url=f"sqlite:///{tmp_path / 'archsmith.db'}")


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    ledger = new_ledger(settings.database_url)
    yield ledger
    ledger.close()
