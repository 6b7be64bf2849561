"""An application on a new ledger, and a client for it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import create_app
from api.http.middleware import Edge
from search.validate import Pool
from tests.ledgers import new_ledger
from tests.unit.api.support import Service, local
from workers.datasets import DataStore
from workers.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    roots = tmp_path / "data"
    roots.mkdir()
    return Settings(
        state=tmp_path,
        database_url=f"sqlite:///{tmp_path / 'archsmith.db'}",
        mlflow_public_url="http://127.0.0.1:5000/",
        data_roots=(roots,),
        max_upload_bytes=200_000,
    )


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data sets with the digits, made once: unpacking them takes seconds, copying does not."""
    root = tmp_path_factory.mktemp("datasets")
    DataStore(root).describe("digits")
    return root


@pytest.fixture
def service(settings: Settings, digits: Path) -> Iterator[Service]:
    shutil.copytree(digits, settings.datasets)
    ledger = new_ledger(settings.database_url)
    app = create_app(settings, ledger, edge=Edge(pool=Pool(cpus=2, gpus=0)))
    with local(app) as client:
        yield Service(client=client, ledger=ledger, settings=settings)
    ledger.close()
