"""What Tune's calls do to the ledger, without Tune."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.factory import make_controller
from search.ledger import Ledger, open_ledger
from search.spec import Budget, ControllerSpec, Flat, StopSpec, TrialSpec
from search.trial import TrialState
from space import presets
from space.space import Space
from tests import factories
from workers import searcher as module
from workers.control import Control
from workers.searcher import LedgerSearcher
from workers.trial import TrialTask

LIMIT_S = 60.0
EPOCH = {"epoch": 1, "score": 0.5, "train_loss": 1.0, "seconds": 0.1}
FAILURE = {"failure": "crashed", "reason": "crashed: RuntimeError: so it is"}


class Table:
    """A searcher with a ledger, two slots and a clock that stands."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        trials: int = 4,
        epochs: int = 1,
        total: int | None = None,
        stop: StopSpec | None = None,
    ) -> None:
        document = presets.load("tiny")
        budget = Budget(trials=trials, epochs=epochs, total_epochs=total)
        trial = TrialSpec(timeout_s=LIMIT_S)
        self.ledger = ledger
        self.lease = factories.owned_job(ledger, space=document, budget=budget, trial=trial, stop=stop or StopSpec())
        self.control = Control()
        self.forgotten: list[int] = []
        space = Space.parse(document, input_shape=(1, 8, 8), classes=10)
        self.searcher = LedgerSearcher(
            ledger=ledger,
            lease=self.lease,
            spec=ledger.job(self.lease.job_id).spec,
            controller=make_controller(ControllerSpec(name="random"), space=space, constraints=(), seed=0),
            control=self.control,
            slots=2,
            make_task=lambda proposal, attempt: TrialTask(
                job_id=self.lease.job_id,
                number=proposal.number,
                attempt=attempt,
                architecture={},
                recipe={"epochs": epochs},
                timeout_s=LIMIT_S,
                checkpoint="",
            ),
            pending=[],
            next_number=0,
            told=[],
            forget=self.forgotten.append,
        )

    def suggest(self, name: str) -> tuple[int, int]:
        """(number, attempt) of what Tune is given."""
        task = TrialTask.loads(self.searcher.suggest(name)["trial"])
        return task.number, task.attempt

    def state(self, number: int) -> tuple[TrialState, str | None]:
        trial = self.ledger.trial(self.lease.job_id, number)
        return trial.state, trial.reason


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


def test_nothing_new_once_the_search_is_to_end(ledger: Ledger) -> None:
    table = Table(ledger)
    table.suggest("a")
    table.control.leave("pause")
    assert table.searcher.suggest("b") == "FINISHED"
    assert table.searcher.open_attempts() == [(0, 1)]


def test_the_target_ends_the_search_at_once(ledger: Ledger) -> None:
    table = Table(ledger, stop=StopSpec(target=0.5))
    table.suggest("a")
    table.suggest("b")
    assert table.control.reason is None
    table.searcher.on_trial_complete("a", EPOCH)
    assert table.control.reason == "target_reached"
    assert table.searcher.suggest("c") == "FINISHED"
    assert table.searcher.open_attempts() == [(1, 1)]


def test_a_flat_search_ends(ledger: Ledger) -> None:
    table = Table(ledger, trials=10, stop=StopSpec(flat=Flat(trials=1)))
    for name, score in (("a", 0.5), ("b", 0.6), ("c", 0.6)):
        assert table.control.reason is None
        table.suggest(name)
        table.searcher.on_trial_complete(name, {**EPOCH, "score": score})
    assert table.control.reason == "improvement_flat"


def test_the_epochs_of_all_trials_are_a_ceiling_and_failed_ones_use_them(ledger: Ledger) -> None:
    table = Table(ledger, trials=10, epochs=2, total=5)
    table.suggest("a")
    table.suggest("b")
    table.searcher.on_trial_result("a", EPOCH)
    table.searcher.on_trial_complete("a", FAILURE)
    assert ledger.trial(table.lease.job_id, 0).epochs == 1
    assert table.suggest("c") == (2, 1)
    table.searcher.on_trial_complete("b", {**EPOCH, "epoch": 2})
    assert table.searcher.suggest("d") is None, "one epoch is left, and one trial may yet be lost"
    table.searcher.on_trial_complete("c", {**EPOCH, "epoch": 2})
    assert table.searcher.suggest("d") == "FINISHED"
    assert table.control.reason == "budget_epochs"


def test_a_restarted_searcher_decides_as_the_one_before(ledger: Ledger) -> None:
    table = Table(ledger, stop=StopSpec(target=0.9))
    told = factories.completed(0, 0.95)
    searcher = LedgerSearcher(
        ledger=ledger,
        lease=table.lease,
        spec=ledger.job(table.lease.job_id).spec,
        controller=table.searcher._controller,
        control=table.control,
        slots=2,
        make_task=table.searcher._make_task,
        pending=[],
        next_number=1,
        told=[told],
    )
    assert searcher.suggest("a") == "FINISHED"
    assert table.control.reason == "target_reached"
