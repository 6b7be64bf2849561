"""Trials that are open when a search is over: interrupted for a job that is suspended, else cancelled."""

from types import SimpleNamespace
from typing import Any

import pytest

from search.trial import Outcome, TrialState
from tests import factories
from workers.phases.open_trials import settle
from workers.stop_signal import StopSignal


class Searched:
    """The context, the searcher and the trials of a search with one trial that has ended and one that is open."""

    def __init__(self) -> None:
        self.interrupted: list[tuple[int, int]] = []
        self.finished: list[Outcome] = []
        self.stored: list[tuple[Any, ...]] = []
        self.stop = StopSignal()
        ledger = SimpleNamespace(
            interrupt=lambda lease, number, attempt: self.interrupted.append((number, attempt)),
            finish_trial=self._finish,
            trial=lambda job_id, number: SimpleNamespace(measurements=(factories.measurement(3, score=0.25),)),
        )
        spec = factories.job_spec()
        self.context: Any = SimpleNamespace(ledger=ledger, lease=None, stop=self.stop, spec=spec, job_id="")
        self.searcher: Any = SimpleNamespace(open_attempts=lambda: [(1, 2)])
        states = (TrialState.COMPLETED, TrialState.RUNNING)
        self.trials: list[Any] = [
            SimpleNamespace(number=number, state=state, epochs=3) for number, state in enumerate(states)
        ]

    def _finish(self, lease: Any, number: int, attempt: int | None, outcome: Outcome, *scored: Any) -> None:
        self.finished.append(outcome)
        self.stored.append(scored)

    def settle(self, *, scored: bool = False) -> bool:
        return settle(self.context, self.searcher, self.trials, why="the search ended: target", scored=scored)


def test_a_trial_that_was_measured_may_keep_its_score() -> None:
    searched = Searched()
    assert searched.settle(scored=True)
    [outcome] = searched.finished
    assert (outcome.state, outcome.value, outcome.epochs) == (TrialState.PRUNED, 0.25, 3)
    assert outcome.reason == "the search ended: target"
    assert searched.stored == [(0.25, {})]


def test_open_trials_of_a_search_that_is_over_are_cancelled() -> None:
    searched = Searched()
    searched.stop.end("target")
    assert searched.settle()
    [outcome] = searched.finished
    assert (outcome.number, outcome.state, outcome.epochs) == (1, TrialState.CANCELLED, 3)
    assert outcome.reason == "the search ended: target"
    assert searched.interrupted == []


@pytest.mark.parametrize("reason", ["pause", "cancel", "shutdown"])
def test_open_trials_of_a_suspended_job_are_interrupted(reason: str) -> None:
    searched = Searched()
    searched.stop.suspend(reason)
    assert not searched.settle()
    assert (searched.interrupted, searched.finished) == ([(1, 2)], [])
