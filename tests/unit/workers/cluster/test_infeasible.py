"""Trials that end because of their architecture: it breaks a limit that is measured, or does not fit in memory."""

from search.ledger import Ledger
from search.spec import ObjectiveSpec
from search.trial import Outcome, TrialState
from tests.unit.workers.cluster.table import EPOCH, Table


def test_a_trial_that_breaks_a_limit_on_latency_ends_as_infeasible(ledger: Ledger) -> None:
    """After its first epoch, without a score; also where that epoch is its only one."""
    table = Table(ledger, trials=3, epochs=3, objective=ObjectiveSpec(constraints=("latency_ms <= 2.5",)))
    told: list[Outcome] = []
    table.searcher._controller.tell = told.append  # type: ignore[method-assign,assignment]
    slow, fast = ({**EPOCH, "measures": [("latency_ms", latency)]} for latency in (3.0, 2.0))
    table.suggest("a")
    assert not table.searcher.goes_on("a", slow)
    table.searcher.on_trial_complete("a", slow)
    table.suggest("b")
    assert table.searcher.goes_on("b", fast)
    table.searcher.on_trial_complete("b", {**fast, "epoch": 3, "done": True})
    first, second = ledger.history(table.lease.job_id)
    assert (first.state, first.search_score, first.epochs) == (TrialState.INFEASIBLE, None, 1)
    assert first.reason == "constraint: latency_ms is 3, which breaks 'latency_ms <= 2.5'"
    assert second.state is TrialState.COMPLETED
    assert [outcome.state for outcome in told] == [TrialState.INFEASIBLE, TrialState.COMPLETED]


def test_what_does_not_fit_in_memory_is_infeasible(ledger: Ledger) -> None:
    table = Table(ledger)
    table.suggest("a")
    failure = {"failure": "out_of_memory", "reason": "out_of_memory: 3 GiB were asked for", "done": True}
    table.searcher.on_trial_complete("a", failure)
    [trial] = ledger.history(table.lease.job_id)
    assert (trial.state, trial.reason) == (TrialState.INFEASIBLE, "out_of_memory: 3 GiB were asked for")
