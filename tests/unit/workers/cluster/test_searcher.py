"""What Tune's calls do to the ledger, without Tune."""

import itertools
import math
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from archsmith.errors import Unavailable
from search.controllers.random import RandomController
from search.ledger import Ledger
from search.objective import Objective
from search.spec import Budget, Flat, ObjectiveSpec, StopSpec
from search.stopping.early_stopping import Curves
from search.trial import Outcome, TrialState
from tests import factories
from tests.unit.workers.cluster.table import EPOCH, FAILURE, LIMIT_S, Table, Trial
from workers.cluster import connection
from workers.cluster.scheduler import EarlyStoppingScheduler
from workers.cluster.trial import TrialTask


@pytest.mark.heavy
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
    assert table.context.stop.reason == "budget_trials"
    assert table.forgotten == [0, 1, 2]


def test_a_changed_budget_is_followed(ledger: Ledger) -> None:
    table = Table(ledger, trials=1)
    table.suggest("a")
    table.context.stop.follow(Budget(trials=2))
    assert table.suggest("b") == (1, 1)
    table.context.stop.follow(Budget(trials=1))
    table.searcher.on_trial_complete("a", EPOCH)
    table.searcher.on_trial_complete("b", EPOCH)
    assert not table.searcher.has_room(Budget(trials=2))
    assert table.searcher.has_room(Budget(trials=3))
    assert table.searcher.suggest("c") == "FINISHED"


def test_a_lost_trial_is_handed_out_before_new_ones(ledger: Ledger, clock: list[float]) -> None:
    table = Table(ledger)
    table.suggest("a")
    table.searcher.on_trial_start("a")
    clock[0] += LIMIT_S / 2
    table.searcher.on_trial_complete("a", error=True)
    assert table.state(0) == (TrialState.LOST, None)
    assert table.suggest("b") == (0, 2)
    assert table.forgotten == [], "its checkpoint is still needed"


def test_a_process_that_died_with_the_cluster_is_no_loss_of_its_trial(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(ledger)
    table.suggest("a")
    monkeypatch.setattr(connection, "away", lambda: "the cluster's raylet does not answer")
    table.searcher.on_trial_complete("a", error=True)
    assert table.state(0) == (TrialState.RUNNING, None)
    assert table.searcher.suggest("b") == "FINISHED", "nothing is asked for that the next driver would ask again"
    assert table.context.stop.suspending


def test_waiting_for_a_slot_does_not_count_towards_the_limit(ledger: Ledger, clock: list[float]) -> None:
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


@pytest.mark.heavy
@pytest.mark.parametrize("scheduler", ["asha", "hyperband"])
def test_a_new_driver_knows_the_rungs_of_the_old_one(ledger: Ledger, scheduler: str) -> None:
    table = Table(ledger, trials=40, epochs=9, scheduler=scheduler)
    for number in range(31):
        table.suggest("a")
        table.searcher.on_trial_complete("a", {**EPOCH, "score": 0.5 + number / 100, "done": True})
    fresh = table.new_searcher(curves=table.measured(), next_number=31)
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
    table.searcher._controller.tell = told.append  # type: ignore[method-assign,assignment]
    table.suggest("a")
    table.searcher.on_trial_result("a", EPOCH)
    table.searcher.on_trial_complete("a", {**EPOCH, "epoch": 2, "score": 0.6, "done": True})
    assert [(one.state, one.value, one.curve) for one in told] == [(TrialState.PRUNED, 0.6, (0.5, 0.6))]


@pytest.mark.heavy
def test_rungs_compare_all_objectives_and_so_does_a_new_driver(ledger: Ledger) -> None:
    """The slow and good, the fast and bad: a middling trial that nobody dominates goes on, a dominated one does not."""
    table = Table(ledger, trials=40, epochs=9, scheduler="asha", objective=ObjectiveSpec(minimize=("latency_ms",)))

    def epoch(score: float, latency: float) -> dict[str, Any]:
        return {**EPOCH, "score": score, "measures": [("latency_ms", latency)]}

    for number in range(12):
        table.suggest("a")
        end = epoch(0.5 + number % 6 / 100, 1.0 + number % 6 + number // 6)
        table.searcher.on_trial_complete("a", {**end, "done": True})
    fresh = table.new_searcher(curves=table.measured(), next_number=12)
    for searcher in (table.searcher, fresh):
        searcher.suggest("b")
        assert searcher.goes_on("b", epoch(0.6, 0.9)), "the best there is"
        searcher.on_trial_complete("b", {**epoch(0.6, 0.9), "done": True})
        searcher.suggest("b")
        assert not searcher.goes_on("b", epoch(0.54, 8.0)), "by its score alone it would be among the best third"
        searcher.on_trial_complete("b", {**epoch(0.54, 8.0), "done": True})
        fresh._next = searcher._next


def test_the_first_measurement_of_an_epoch_stands(ledger: Ledger) -> None:
    """A resumed attempt that repeats an epoch may measure it otherwise; the curve and the value stay one."""
    table = Table(ledger, epochs=3, objective=ObjectiveSpec(minimize=("latency_ms",)))
    table.suggest("a")
    table.searcher.on_trial_result("a", {**EPOCH, "measures": [("latency_ms", 2.0)]})
    table.searcher.on_trial_complete("a", error=True)
    table.suggest("b")
    table.searcher.on_trial_complete("b", {**EPOCH, "score": 0.4, "measures": [("latency_ms", 3.0)], "done": True})
    trial = ledger.trial(table.lease.job_id, 0)
    assert (trial.state, trial.attempts, trial.search_score) == (TrialState.PRUNED, 2, 0.5)
    assert trial.measures == {"latency_ms": 2.0}
    assert [one.measures for one in trial.measurements] == [{"latency_ms": 2.0}]


def test_no_new_trial_once_the_search_must_stop(ledger: Ledger) -> None:
    table = Table(ledger)
    table.suggest("a")
    table.context.stop.suspend("pause")
    assert table.searcher.suggest("b") == "FINISHED"
    assert table.searcher.open_attempts() == [(0, 1)]


def test_measures_become_the_vector_and_are_kept(ledger: Ledger) -> None:
    table = Table(ledger, objective=ObjectiveSpec(minimize=("latency_ms", "params")))
    told: list[Outcome] = []
    table.searcher._controller.tell = told.append  # type: ignore[method-assign,assignment]
    table.suggest("a")
    params = float(ledger.trial(table.lease.job_id, 0).params)
    table.searcher.on_trial_complete("a", {**EPOCH, "measures": [("latency_ms", 2.0), ("params", params)]})
    trial = ledger.trial(table.lease.job_id, 0)
    assert (trial.state, trial.measures) == (TrialState.COMPLETED, {"latency_ms": 2.0})
    [outcome] = told
    assert outcome.values == (0.5, -2.0, -params)
    assert outcome.value == trial.value == pytest.approx(0.5 - 0.07 * math.log(2.0 * params))
    assert Objective.of(ledger.job(table.lease.job_id).spec.objective).values(trial.facts) == outcome.values


def test_the_target_ends_the_search_at_once(ledger: Ledger) -> None:
    table = Table(ledger, stop=StopSpec(target=0.5))
    table.suggest("a")
    table.suggest("b")
    assert table.context.stop.reason is None
    table.searcher.on_trial_complete("a", EPOCH)
    assert table.context.stop.reason == "target_reached"
    assert table.searcher.suggest("c") == "FINISHED"
    assert table.searcher.open_attempts() == [(1, 1)]


@pytest.mark.parametrize("last_first", [False, True])
def test_a_reproducible_search_ends_by_what_the_next_ask_may_know(ledger: Ledger, last_first: bool) -> None:
    """Trial 1 reaches the target: trials 2 to 4 may have been asked by then, so they always are."""
    table = Table(ledger, trials=20, stop=StopSpec(target=0.9), reproducible=True)
    scores, numbers = {1: 0.95}, []
    open_: list[tuple[str, int]] = []
    for name in itertools.count():
        answer = table.searcher.suggest(str(name))
        if answer == "FINISHED":
            break
        if answer is not None:
            numbers.append(TrialTask.loads(answer["trial"]).number)
            open_.append((str(name), numbers[-1]))
        if answer is None or len(open_) == 2:
            trial, number = open_.pop(-1 if last_first else 0)
            table.searcher.on_trial_complete(trial, {**EPOCH, "score": scores.get(number, 0.5)})
    assert numbers == [0, 1, 2, 3, 4]
    assert table.context.stop.reason == "target_reached"


def test_a_flat_search_ends(ledger: Ledger) -> None:
    table = Table(ledger, trials=10, stop=StopSpec(flat=Flat(trials=1)))
    for name, score in (("a", 0.5), ("b", 0.6), ("c", 0.6)):
        assert table.context.stop.reason is None
        table.suggest(name)
        table.searcher.on_trial_complete(name, {**EPOCH, "score": score})
    assert table.context.stop.reason == "improvement_flat"


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
    assert table.context.stop.reason == "budget_epochs"


def test_a_restarted_searcher_decides_as_the_one_before(ledger: Ledger) -> None:
    table = Table(ledger, stop=StopSpec(target=0.9))
    outcome = factories.completed(0, 0.95)
    searcher = table.new_searcher(next_number=1, outcomes=[outcome])
    assert searcher.suggest("a") == "FINISHED"
    assert table.context.stop.reason == "target_reached"


def test_the_controller_s_trouble_is_one_warning(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(ledger)
    monkeypatch.setattr(RandomController, "trouble", "the numbers fail")
    table.searcher.suggest("a")
    table.searcher.suggest("b")
    warnings = [event.data for event in ledger.events(table.lease.job_id) if event.kind == "warning"]
    assert warnings == [{"number": 0, "detail": "the numbers fail"}]


def test_the_controllers_state_is_stored_after_each_trial(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(ledger)
    monkeypatch.setattr(RandomController, "state", lambda _: {"uniform": True})
    table.suggest("a")
    assert ledger.controller_state(table.lease.job_id) is None
    table.searcher.on_trial_complete("a", EPOCH)
    believed = ledger.controller_state(table.lease.job_id)
    assert believed is not None
    assert (believed.told, believed.state) == (1, {"uniform": True})


def test_an_end_that_the_ledger_did_not_take_ends_the_driver_and_not_the_trial(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tune swallows the error and reports the trial a second time, as failed."""
    table = Table(ledger)
    table.suggest("a")

    def away(*_: object) -> None:
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "finish_trial", away)
        with pytest.raises(Unavailable):
            table.searcher.on_trial_complete("a", EPOCH)
    table.searcher.on_trial_complete("a", error=True)
    assert table.state(0) == (TrialState.RUNNING, None), "the next driver takes it up"
    for ask in (table.searcher.check, lambda: table.searcher.suggest("b")):
        with pytest.raises(Unavailable):
            ask()
