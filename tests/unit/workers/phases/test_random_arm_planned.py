"""The random arm of a planned job with a full comparison keeps its share of the time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search.ledger import Ledger
from search.trial import RANDOM_ARM_FROM
from space import presets
from space.space import Space
from tests import factories
from tests.ledgers import new_ledger
from tests.unit.workers.planning.test_planner import Table
from workers.phases.random_arm import RandomArm


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = new_ledger(f"sqlite:///{tmp_path / 'archsmith.db'}")
    yield ledger
    ledger.close()


def not_called(*_: Any) -> Any:
    raise AssertionError("nothing is trained")


def test_an_arm_without_time_for_its_first_trials_is_left_out_with_a_warning(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = presets.load("tiny")
    table = Table(ledger, monkeypatch, space=document, comparison="full")
    made, plan = table.begin()
    epochs = made.context.spec.budget.trial_epochs
    attempt = factories.running_trial(ledger, table.lease, 0)
    outcome = factories.completed(0, epochs=epochs)
    ledger.finish_trial(table.lease, 0, attempt, outcome, score=outcome.value)
    table.clock.now = plan.arm_ends_s - plan.least_arm_s + 1.0
    arm = RandomArm(made.context, make_task=not_called, on_end=not_called)
    arm.run(Space.parse(document, input_shape=(1, 8, 8), classes=10), (), data=None, start=None)
    [warned] = [event.data for event in ledger.events(table.lease.job_id) if event.kind == "warning"]
    assert warned["number"] == RANDOM_ARM_FROM
    assert warned["detail"].startswith("no random arm: ")
