"""Which trials a driver draws at random in a planned job."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.ledger import Ledger
from search.spec import Budget, ControllerSpec
from space import presets
from tests import factories
from tests.ledgers import new_ledger
from tests.unit.workers.report.test_contents import PLAN
from workers.driver import Driver
from workers.settings import Settings

DIGITS: Any = SimpleNamespace(info=SimpleNamespace(input_shape=(1, 8, 8)), task="image", classes=10)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = new_ledger(f"sqlite:///{tmp_path / 'archsmith.db'}")
    yield ledger
    ledger.close()


@pytest.mark.parametrize(
    ("changes", "drawn"),
    [
        ({}, [2, 7]),
        ({"reproducible": True}, [2]),
        ({"comparison": "full"}, []),
        ({"controller": ControllerSpec(name="random")}, []),
    ],
)
def test_a_planned_job_draws_some_of_its_trials(
    ledger: Ledger, tmp_path: Path, changes: dict[str, Any], drawn: list[int]
) -> None:
    job: dict[str, Any] = {"space": presets.load("tiny"), "budget": Budget(seconds=120.0)}
    lease = factories.owned_job(ledger, **{**job, "controller": ControllerSpec(name="evolution"), **changes})
    driver = Driver(Settings(state=tmp_path, database_url="", exports=False), ledger, lease)
    driver._take(replace(driver.context, plan=PLAN))
    controller = driver._restored(DIGITS).controller
    found = [controller.ask(number) for number in range(8) if controller.ready(number)]
    assert [proposal.number for proposal in found if proposal.provenance == "random"] == drawn
