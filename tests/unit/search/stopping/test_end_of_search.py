"""Why a search ends, of made-up ends and on a simulated clock."""

import itertools

import pytest

from search.factory import make_controller
from search.objective import Objective
from search.spec import Budget, ControllerSpec, Flat, StopSpec
from search.stopping.end_of_search import ended, full
from search.testing.loop import search
from search.testing.toys import Faulty, chain
from search.trial import Outcome, TrialState


def completed(number: int, value: float, epochs: int = 4) -> Outcome:
    return Outcome(number=number, state=TrialState.COMPLETED, value=value, epochs=epochs)


def pruned(number: int, value: float, epochs: int = 1) -> Outcome:
    return Outcome(number=number, state=TrialState.PRUNED, value=value, epochs=epochs)


def failed(number: int, state: TrialState = TrialState.FAILED, epochs: int = 0) -> Outcome:
    return Outcome(number=number, state=state, epochs=epochs, reason="as told")


def test_the_target_is_reached_by_a_completed_trial_only() -> None:
    stop = StopSpec(target=0.9)
    assert ended(stop, [completed(0, 0.89), pruned(1, 0.95), failed(2)]) is None
    assert ended(stop, [completed(0, 0.9)]) == "target_reached"
    assert ended(stop, []) is None


def test_of_several_objectives_the_target_is_the_score() -> None:
    objective = Objective(minimize=("params",))
    good = Outcome(number=0, state=TrialState.COMPLETED, value=-1.0, values=(0.9, -1e6), epochs=4)
    small = Outcome(number=1, state=TrialState.COMPLETED, value=0.2, values=(0.5, -10.0), epochs=4)
    assert ended(StopSpec(target=0.9), [good, small], objective) == "target_reached"
    assert ended(StopSpec(target=0.91), [good, small], objective) is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0.5, 0.6, 0.6, 0.6], "improvement_flat"),
        ([0.5, 0.6, 0.61, 0.6], "improvement_flat"),
        ([0.5, 0.6, 0.62, 0.6], None),
        ([0.5, 0.6, 0.65], None),
        ([0.6, 0.5], None),
    ],
)
def test_flat_is_when_the_last_ones_brought_no_more_than_so_much(values: list[float], reason: str | None) -> None:
    stop = StopSpec(flat=Flat(trials=2, by=0.011))
    told = [completed(number, value) for number, value in enumerate(values)]
    assert ended(stop, told) == reason
    for order in itertools.permutations(told):
        assert ended(stop, order) == ended(stop, told), "the last ones go by number"


def test_failed_pruned_and_infeasible_trials_bring_nothing() -> None:
    stop = StopSpec(flat=Flat(trials=2))
    first = completed(0, 0.5)
    assert ended(stop, [first, failed(1), pruned(2, 0.9)]) == "improvement_flat"
    assert ended(stop, [first, failed(1), failed(2, TrialState.INFEASIBLE)]) == "improvement_flat"
    assert ended(stop, [failed(0), failed(1), failed(2)]) is None, "nothing to improve on yet"


def test_room_for_trials_counts_what_is_open() -> None:
    budget = Budget(trials=3)
    told = [completed(0, 0.5)]
    assert full(budget, told, 1) is None
    assert full(budget, told, 2) == "budget_trials"
    infeasible = [failed(number, TrialState.INFEASIBLE) for number in (1, 2)]
    assert full(budget, [*told, *infeasible], 0) == "budget_trials", "a space where nothing fits must end as well"


def test_no_trial_begins_that_might_go_over_all_epochs() -> None:
    budget = Budget(trials=100, epochs=4, total_epochs=13)
    assert full(budget, [], 2) is None
    assert full(budget, [], 3) == "budget_epochs"
    assert full(budget, [pruned(0, 0.5, 1), failed(1, epochs=2)], 1) is None, "what was not used is left for others"
    assert full(budget, [completed(0, 0.5), completed(1, 0.5)], 1) == "budget_epochs"


def test_epochs_of_a_planned_job_count_as_passes() -> None:
    budget, passes = Budget(trials=100, epochs=2, total_epochs=3), [0.0, 0.1, 1.0].__getitem__
    told = [pruned(number, 0.5, 1) for number in range(10)]
    assert full(budget, told, 1, passes=passes) is None
    assert full(budget, told, 2, passes=passes) == "budget_epochs"


@pytest.mark.heavy
@pytest.mark.parametrize("workers", [1, 4])
def test_on_a_simulated_clock(workers: int) -> None:
    toy = chain(2)
    stop = StopSpec(target=toy.optimum - 0.1)
    controller = make_controller(ControllerSpec(name="random"), space=toy, seed=0)
    history = search(controller, Faulty(toy=toy), trials=500, workers=workers, stop=stop)
    reached = [told.outcome.value >= toy.optimum - 0.1 for told in history if told.outcome.value is not None]
    assert reached.index(True) == len(history) - 1 < 499
