"""What Tune's calls do to the ledger in a planned job."""

from dataclasses import replace

import pytest

from search.ledger import Ledger
from search.planning.rule import make_plan
from search.planning.values import PlanInputs
from search.spec import TrialSpec
from search.trial import TrialState
from tests.unit.workers.cluster.table import EPOCH, LIMIT_S, Table


def planned(table: Table, *, steps: int, limit_s: float = LIMIT_S) -> None:
    """The searcher of a planned job: a rung has 35 steps, as many as a pass."""
    given = PlanInputs(
        seconds=600, slots=2, samples=1149, val_samples=288, final_samples=1437, input_shape=(1, 8, 8), classes=10,
        step_s=0.006, score_s=0.01,
    )  # fmt: skip
    plan = replace(make_plan(given), rungs=tuple(range(35, steps + 1, 35)), pass_steps=35)
    spec = replace(table.context.spec, trial=TrialSpec(timeout_s=limit_s, scheduler="asha"))
    table.context = replace(table.context, plan=plan, spec=spec)
    table.searcher = table.new_searcher()


@pytest.mark.heavy
def test_a_planned_trial_ends_by_what_it_has_learned_before_its_time_is_over(
    ledger: Ledger, clock: list[float]
) -> None:
    table = Table(ledger, epochs=6)
    planned(table, steps=6 * 35)
    assert table.suggest("a") == (0, 1)
    table.searcher.on_trial_start("a")
    assert table.searcher.goes_on("a", {**EPOCH, "seconds": 20.0})
    table.searcher.on_trial_result("a", {**EPOCH, "seconds": 20.0})
    clock[0] += 45.0
    late = {**EPOCH, "epoch": 2, "seconds": 25.0}
    assert not table.searcher.goes_on("a", late)
    table.searcher.on_trial_complete("a", late)
    state, reason = table.state(0)
    assert state is TrialState.PRUNED
    assert reason == "epoch 2: the next one takes about 25 s, and 15 s are left"


@pytest.mark.heavy
def test_the_time_limit_of_a_planned_trial_leaves_its_last_score(ledger: Ledger) -> None:
    table = Table(ledger, epochs=6)
    planned(table, steps=6 * 35)
    for name in ("a", "b"):
        table.suggest(name)
        table.searcher.on_trial_start(name)
    table.searcher.goes_on("a", EPOCH)
    table.searcher.on_trial_result("a", EPOCH)
    for name in ("a", "b"):
        table.searcher.on_trial_complete(name, {"failure": "timeout", "reason": "timeout: ran longer than its limit"})
    assert table.state(0) == (TrialState.PRUNED, "timeout: ran longer than its limit")
    assert table.state(1) == (TrialState.FAILED, "timeout: ran longer than its limit"), "it has no score"


@pytest.mark.heavy
def test_trials_that_the_end_of_a_planned_search_cuts_off_count_with_their_last_score(ledger: Ledger) -> None:
    table = Table(ledger, epochs=6)
    planned(table, steps=6 * 35)
    for name in ("a", "b"):
        table.suggest(name)
        table.searcher.on_trial_start(name)
    table.searcher.goes_on("a", EPOCH)
    table.searcher.on_trial_result("a", EPOCH)
    table.searcher.cut("the search ended: budget_seconds")
    assert table.state(0) == (TrialState.PRUNED, "the search ended: budget_seconds")
    assert table.searcher.open_attempts() == [(1, 1)], "it has no score"
