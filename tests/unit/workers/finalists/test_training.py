"""Which trials are retrained, and for how long."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from search.ledger import Trial
from search.objective import Objective
from search.spec import Budget, FinalistSpec, JobSpec
from search.trial import TrialState
from workers.finalists.training import choose
from workers.train.prepare import final_epochs


def trial(number: int, value: float | None, *, epochs: int = 8, state: str = "completed", params: int = 100) -> Trial:
    fields: dict[str, Any] = {
        "job_id": "j", "number": number, "state": TrialState(state), "reason": None, "architecture": {}, "hash": "h",
        "choices": {}, "behaviour": {}, "params": params, "macs": 1, "search_score": value, "value": value,
        "measures": {}, "epochs": epochs, "attempts": 1, "seconds": 1.0, "created_at": datetime.now(UTC),
        "started_at": None, "finished_at": None, "mlflow_run_id": None, "provenance": "controller",
    }  # fmt: skip
    return Trial(**fields)


def numbers(trials: list[Trial], top: int) -> list[int]:
    return [t.number for t in choose(trials, top)]


def test_the_best_are_chosen_and_ties_go_to_the_smaller_model() -> None:
    assert numbers([trial(0, 0.7), trial(1, 0.9, params=200), trial(2, 0.9), trial(3, 0.8)], 3) == [2, 1, 3]


def test_pruned_ones_only_fill_up_those_that_came_further_first() -> None:
    trials = [
        trial(0, 0.95, epochs=1, state="pruned"),
        trial(1, 0.80, epochs=3, state="pruned"),
        trial(2, 0.70),
        trial(3, None, state="failed"),
    ]
    assert numbers(trials, 2) == [2, 1]
    assert numbers(trials, 5) == [2, 1, 0]
    assert numbers([trials[3]], 3) == []


def test_several_objectives_spread_the_finalists_over_the_front() -> None:
    objective = Objective(minimize=("latency_ms",))
    ends = [(0.90, 9.0), (0.89, 8.9), (0.50, 1.0), (0.70, 5.0), (0.60, 8.0), (0.95, 2.0)]
    trials = [
        replace(trial(number, score - latency / 100, state="pruned" if number == 5 else "completed"),
                search_score=score, measures={"latency_ms": latency})
        for number, (score, latency) in enumerate(ends)
    ]  # fmt: skip
    assert [t.number for t in choose(trials, 3, objective)] == [0, 3, 2], "in order of their scores"
    assert [t.number for t in choose(trials, 1, objective)] == [0], "the winner"
    assert [t.number for t in choose(trials, 6, objective)] == [0, 1, 3, 2, 4, 5], "others fill up, the pruned last"
    assert choose(trials[5:], 2, objective) == trials[5:]


def test_final_trainings_are_longer_than_those_of_the_search() -> None:
    def spec(**changes: Any) -> JobSpec:
        return JobSpec(dataset="digits", space={}, **changes)

    assert final_epochs(spec(budget=Budget(epochs=8))) == 24
    assert final_epochs(spec(budget=Budget(epochs=2))) == 12
    assert final_epochs(spec(finalists=FinalistSpec(epochs=5))) == 5
