"""What Tune's calls do to the ledger, without Tune."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from ray.tune.schedulers import TrialScheduler

from search.factory import make_controller
from search.fidelity import Curves
from search.ledger import Ledger, open_ledger
from search.spec import Budget, ControllerSpec, TrialSpec
from search.trial import Outcome, TrialState
from space import presets
from space.space import Space
from tests import factories
from workers import searcher as module
from workers.control import Control
from workers.driver import Driver
from workers.scheduler import EarlyStoppingScheduler
from workers.searcher import LedgerSearcher
from workers.settings import Settings
from workers.trial import TrialTask

LIMIT_S = 60.0
EPOCH = {"epoch": 1, "score": 0.5, "train_loss": 1.0, "seconds": 0.1}
FAILURE = {"failure": "crashed", "reason": "crashed: RuntimeError: so it is"}


class Table:
    """A searcher with a ledger, two slots and a clock that stands."""

    def __init__(self, ledger: Ledger, *, trials: int = 4, epochs: int = 1, scheduler: str = "none") -> None:
        document = presets.load("tiny")
        budget, trial = Budget(trials=trials, epochs=epochs), TrialSpec(timeout_s=LIMIT_S, scheduler=scheduler)
        self.ledger = ledger
        self.lease = factories.owned_job(ledger, space=document, budget=budget, trial=trial)
        self.control = Control()
        self.forgotten: list[int] = []
        self.searcher = self.new_searcher()

    def new_searcher(self, *, next_number: int = 0, curves: Curves | None = None) -> LedgerSearcher:
        """As a new driver makes it; a random controller needs no history."""
        spec = self.ledger.job(self.lease.job_id).spec
        space = Space.parse(spec.space, input_shape=(1, 8, 8), classes=10)
        return LedgerSearcher(
            ledger=self.ledger,
            lease=self.lease,
            spec=spec,
            controller=make_controller(ControllerSpec(name="random"), space=space, constraints=(), seed=next_number),
            control=self.control,
            slots=2,
            make_task=lambda proposal, attempt: TrialTask(
                job_id=self.lease.job_id,
                number=proposal.number,
                attempt=attempt,
                architecture={},
                recipe={"epochs": spec.budget.epochs},
                timeout_s=LIMIT_S,
                checkpoint="",
            ),
            pending=[],
            next_number=next_number,
            counted=0,
            curves=curves,
            forget=self.forgotten.append,
        )

    def suggest(self, name: str) -> tuple[int, int]:
        """(number, attempt) of what Tune is given."""
        task = TrialTask.loads(self.searcher.suggest(name)["trial"])
        return task.number, task.attempt

    def state(self, number: int) -> tuple[TrialState, str | None]:
        trial = self.ledger.trial(self.lease.job_id, number)
        return trial.state, trial.reason


class Trial(NamedTuple):
    """As much of Tune's as the scheduler looks at."""

    trial_id: str


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'archsmith.db'}")
    yield ledger
    ledger.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_no_more_than_the_slots_and_the_budget(ledger: Ledger) -> None:
    table = Table(ledger, trials=3)
    assert [table.suggest("a"), table.suggest("b")] == [(0, 1), (1, 1)]
    assert table.searcher.suggest("c") is None, "both slots are taken"
    table.searcher.on_trial_complete("a", EPOCH)
    assert table.suggest("c") == (2, 1)
    table.searcher.on_trial_complete("b", EPOCH)
    assert table.searcher.suggest("d") is None, "the one in flight may yet be lost and asked for again"
    table.searcher.on_trial_complete("c", EPOCH)
    assert table.searcher.suggest("d") == "FINISHED"
    assert table.control.reason == "budget_trials"
    assert table.forgotten == [0, 1, 2]


def test_a_lost_trial_is_handed_out_before_new_ones(ledger: Ledger, clock: list[float]) -> None:
    table = Table(ledger)
    table.suggest("a")
    table.searcher.on_trial_start("a")
    clock[0] += LIMIT_S / 2
    table.searcher.on_trial_complete("a", error=True)
    assert table.state(0) == (TrialState.LOST, None)
    assert table.suggest("b") == (0, 2)
    assert table.forgotten == [], "its checkpoint is still needed"


def test_waiting_for_a_place_is_no_part_of_the_limit(ledger: Ledger, clock: list[float]) -> None:
    table = Table(ledger)
    table.suggest("a")
    clock[0] += 10 * LIMIT_S  # another job has all processors
    table.searcher.on_trial_start("a")
    clock[0] += LIMIT_S / 2
    table.searcher.on_trial_complete("a", error=True)
    assert table.state(0) == (TrialState.LOST, None)


def test_a_process_that_ended_beyond_the_limit_is_the_trial_s_fault(ledger: Ledger, clock: list[float]) -> None:
    table = Table(ledger)
    table.suggest("a")
    table.searcher.on_trial_start("a")
    clock[0] += LIMIT_S
    table.searcher.on_trial_complete("a", error=True)
    assert table.state(0) == (TrialState.FAILED, "timeout: ran longer than its limit of 60 s")


def test_a_failure_counts_whichever_way_its_process_ends(ledger: Ledger) -> None:
    table = Table(ledger)
    table.suggest("a")
    table.suggest("b")
    table.searcher.on_trial_result("a", FAILURE)
    table.searcher.on_trial_complete("a", error=True)
    table.searcher.on_trial_complete("b", FAILURE)
    table.searcher.on_trial_complete("b", error=True)  # its process died afterwards
    assert table.state(0) == table.state(1) == (TrialState.FAILED, FAILURE["reason"])


def test_the_scheduler_s_stop_makes_a_pruned_trial(ledger: Ledger) -> None:
    table = Table(ledger, epochs=3)
    table.suggest("a")
    table.searcher.on_trial_complete("a", {**EPOCH, "done": True})
    trial = ledger.trial(table.lease.job_id, 0)
    assert (trial.state, trial.epochs, trial.search_score) == (TrialState.PRUNED, 1, 0.5)
    assert len(trial.measurements) == 1


@pytest.mark.parametrize("scheduler", ["asha", "hyperband"])
def test_a_new_driver_knows_the_rungs_of_the_old_one(ledger: Ledger, scheduler: str) -> None:
    table = Table(ledger, trials=40, epochs=9, scheduler=scheduler)
    for number in range(31):
        table.suggest("a")
        table.searcher.on_trial_complete("a", {**EPOCH, "score": 0.5 + number / 100, "done": True})
    driver = Driver(Settings(state=Path("unused"), database_url=""), ledger, table.lease)
    fresh = table.new_searcher(curves=driver._measured(), next_number=31)
    without = table.new_searcher(curves=Curves(), next_number=32)
    for searcher, goes_on in ((fresh, False), (without, True)):
        task = TrialTask.loads(searcher.suggest("b")["trial"])
        decision = EarlyStoppingScheduler(searcher).on_trial_result(None, Trial("b"), {**EPOCH, "score": 0.1})
        assert decision == (TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)
        searcher.on_trial_complete("b", {**EPOCH, "score": 0.1, "done": True})
        assert table.state(task.number)[0] is TrialState.PRUNED
    place = "number 32 of 32, the best 10 go on" if scheduler == "asha" else "go on in bracket 1 of 3"
    assert place in (table.state(31)[1] or "")


def test_a_pruned_trial_teaches_its_whole_curve(ledger: Ledger) -> None:
    table = Table(ledger, epochs=9)
    told: list[Outcome] = []
    table.searcher._controller.tell = told.append  # type: ignore[method-assign]
    table.suggest("a")
    table.searcher.on_trial_result("a", EPOCH)
    table.searcher.on_trial_complete("a", {**EPOCH, "epoch": 2, "score": 0.6, "done": True})
    assert [(one.state, one.value, one.curve) for one in told] == [(TrialState.PRUNED, 0.6, (0.5, 0.6))]


def test_nothing_new_once_the_search_is_to_end(ledger: Ledger) -> None:
    table = Table(ledger)
    table.suggest("a")
    table.control.leave("pause")
    assert table.searcher.suggest("b") == "FINISHED"
    assert table.searcher.open_attempts() == [(0, 1)]
