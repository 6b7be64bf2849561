"""The grid: an even spread over the answers from the first trial to the last."""

import pytest

from search.controllers.grid import GridController
from search.testing.toys import fork
from space.decision import Choices, Decision, Option
from tests.unit.search.controllers.hill import SIX, run_trials


@pytest.mark.parametrize("seed", range(5))
def test_a_grid_gives_every_answer_alike(seed: int) -> None:
    asked = run_trials(GridController(SIX, seed=seed), SIX, 61)[1:]  # without the baseline
    for name in asked[0]:
        answers = [choices[name] for choices in asked]
        assert all(14 <= answers.count(option) <= 26 for option in (1, 2, 3)), name


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(3))
def test_a_grid_is_through_after_two_and_a_half_times_the_space(seed: int) -> None:
    controller = GridController(SIX, seed=seed)
    points = set()
    for place in range(int(2.62 * 729) + 1):
        choose = controller.point(place)
        points.add(SIX.sample(choose).hash)
    assert len(points) == 729


def test_a_grid_takes_conditional_walks_by_their_chance() -> None:
    controller = GridController(fork(), seed=1)
    kinds = [climb_point(controller, place)["op"] for place in range(100)]
    assert 48 <= kinds.count("pool") <= 52


def climb_point(controller: GridController, place: int) -> Choices:
    met: Choices = {}
    choose = controller.point(place)

    def note(decision: Decision) -> Option:
        met[decision.name] = choose(decision)
        return met[decision.name]

    controller.space.sample(note)
    return met
