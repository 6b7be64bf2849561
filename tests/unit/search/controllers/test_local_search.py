"""Local search: up to the top of a hill, and on from there."""

import pytest

from search.controllers.local_search import LocalSearchController
from tests.unit.search.controllers.hill import SIX, differing, run_trials, tell


@pytest.mark.parametrize("seed", range(4))
def test_local_search_goes_up_to_the_top(seed: int) -> None:
    # One hill: from anywhere each step up is one answer, 12 neighbours at most around each of 12 steps.
    asked = run_trials(LocalSearchController(SIX, seed=seed, starts=3), SIX, 75)
    values = [SIX.reward(choices) for choices in asked]
    assert max(values) == 18
    best = max(range(3), key=lambda n: values[n])
    for number in range(3, values.index(18) + 1):
        changed = differing(asked[number], asked[best])
        assert len(changed) == 1
        assert abs(int(asked[number][changed[0]]) - int(asked[best][changed[0]])) == 1
        best = number if values[number] > values[best] else best


def test_local_search_begins_anew_where_no_neighbour_is_better() -> None:
    controller = LocalSearchController(SIX, seed=1)
    corner = controller.ask(0).choices
    tell(controller, 0, 1.0)
    for number in range(1, 7):
        assert len(differing(controller.ask(number).choices, corner)) == 1
        tell(controller, number, 0.5)
    assert len(differing(controller.ask(7).choices, corner)) > 1


def test_a_late_result_wakes_a_climb() -> None:
    controller = LocalSearchController(SIX, seed=1)
    asked = [controller.ask(0).choices]
    tell(controller, 0, 0.5)
    asked += [controller.ask(number).choices for number in range(1, 7)]
    for number in (7, 8):  # the corner's six neighbours are open: other starts
        assert len(differing(controller.ask(number).choices, asked[0])) > 1
    tell(controller, 3, 0.9)
    assert len(differing(controller.ask(9).choices, asked[3])) == 1
