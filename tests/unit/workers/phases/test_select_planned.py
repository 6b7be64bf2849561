"""A planned job chooses among its finalists by trainings of their own only where time is left for it."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.ledger import Ledger
from search.planning.rule import make_plan
from search.planning.values import PlanInputs
from search.spec import Budget
from tests import factories
from tests.unit.workers.finalists.test_plan import searched
from workers.finalists.plan import Final
from workers.finalists.selection import REPETITION, Selection
from workers.finalists.training import FinalistTask
from workers.job.context import JobContext
from workers.phases import finish as module
from workers.phases import select_winner
from workers.phases.finish import Finish
from workers.settings import Settings
from workers.train.numerics import Numerics
from workers.train.recipe import Recipe

INPUTS = PlanInputs(
    seconds=600.0, slots=2, samples=1149, val_samples=288, final_samples=1437, input_shape=(1, 8, 8), classes=10,
    step_s=0.006, score_s=0.01,
)  # fmt: skip
PLAN = make_plan(INPUTS)


class Table:
    """A job with two close finalists whose selections give these scores, at `now` seconds of its time."""

    def __init__(self, settings: Settings, ledger: Ledger, patch: pytest.MonkeyPatch, **changes: Any) -> None:
        self.lease = factories.owned_job(ledger, budget=Budget(seconds=600.0), **changes)
        ledger.set_plan(self.lease, {**PLAN.to_json(), "why": "the start", "inputs": INPUTS.to_json()})
        self.now, self.asked = PLAN.arm_ends_s, list[list[FinalistTask]]()
        clock: Any = SimpleNamespace(seconds=lambda: self.now)
        self.context = replace(JobContext.of(settings, ledger, self.lease), plan=PLAN, clock=clock)
        patch.setattr(module, "final_recipe", self._recipe)
        patch.setattr(module, "search_data", lambda _: Data())
        patch.setattr(module, "select", self._select)

    def _recipe(self, spec: Any, numerics: Any, dataset: Any, plan: Any, *, seed: int) -> Recipe:
        return Recipe(epochs=1, rungs=(plan.final_steps,), seed=seed)

    def _select(self, context: Any, tasks: Any, data: Any, *, over: Any) -> dict[int, Selection]:
        self.asked.append(list(tasks))
        for task, score in zip(tasks, (0.8, 0.9), strict=True):
            path = select_winner._file(context, task)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(asdict(Selection(score=score, seconds=1.0, epochs=1))))
        return select_winner.stored(context, tasks)

    def selected(self) -> dict[int, float | None]:
        trials = [trial for trial in searched() if trial.value is not None][:2]
        finals = [
            Final(rank=rank, role="finalist", trial=replace(trial, value=0.9, epochs=4), seeds=3)
            for rank, trial in enumerate(trials, start=1)
        ]
        dataset: Any = SimpleNamespace(task="image", problem="classification")
        numerics = Numerics(precision="fp32", layout="nchw", source="fixed")
        found = Finish(self.context)._selected(finals, numerics, dataset)
        return {rank: selection.score for rank, selection in found.items()}


@dataclass(frozen=True)
class Data:
    """Stands for the data of the trainings."""

    donor: None = None


def test_it_is_chosen_in_spare_time_and_the_next_driver_keeps_to_it(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(settings, ledger, monkeypatch)
    assert table.selected() == {1: 0.8, 2: 0.9}
    [tasks] = table.asked
    assert [(task.rank, task.seed, task.recipe.rungs) for task in tasks] == [
        (rank, REPETITION, (round(PLAN.final_steps / 3),)) for rank in (1, 2)
    ]
    table.now = PLAN.finals_end_s
    assert table.selected() == {1: 0.8, 2: 0.9}
    assert len(table.asked) == 1


def test_nothing_is_chosen_without_time_or_once_full_trainings_have_begun(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(settings, ledger, monkeypatch)
    table.now = PLAN.finals_end_s - 1.0
    assert table.selected() == {}
    table.now = PLAN.arm_ends_s
    table.context.stop.finish(100.0)
    assert table.selected() == {}
    assert not table.asked


def test_a_reproducible_job_leaves_it_out_since_its_clock_decides_nothing(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(settings, ledger, monkeypatch, reproducible=True)
    assert table.selected() == {}
    assert not table.asked


def test_a_continued_job_does_not_take_the_choice_of_before(tmp_path: Path) -> None:
    context: Any = SimpleNamespace(folder=tmp_path)
    one = FinalistTask(rank=1, number=5, seed=REPETITION, architecture={}, recipe=Recipe(epochs=1, rungs=(90,)))
    longer, other = replace(one, recipe=Recipe(epochs=1, rungs=(99,))), replace(one, number=6)
    names = {select_winner._file(context, task).name for task in (one, longer, other)}
    assert names == {"selection-1-5-90.json", "selection-1-5-99.json", "selection-1-6-90.json"}
