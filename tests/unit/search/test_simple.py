"""Grid, local search and evolution: what is their own, beside the law that all controllers are held to."""

import pytest

from search.controllers.evolution import EvolutionController
from search.controllers.grid import GridController
from search.controllers.local_search import LocalSearchController
from search.proposing.proposer import Proposer
from search.proposing.walks import every_walk
from search.testing.loop import search
from search.testing.toys import Faulty, Toy, chain, fork
from search.trial import Outcome, TrialState
from space.decision import Choices, Decision, Option

SIX = Toy(
    "six",
    lambda ask: [("conv2d", {"out": ask(f"layers.{i}.width", (1, 2, 3), True), "kernel": 1}) for i in range(6)],
    lambda choices: sum(float(width) for width in choices.values()),
)


def tell(controller: Proposer, number: int, value: float) -> None:
    controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=value, epochs=1))


def climb(controller: Proposer, toy: Toy, trials: int) -> list[Choices]:
    """The choices of the trials, each told before the next is asked."""
    asked = []
    for number in range(trials):
        asked.append(controller.ask(number).choices)
        tell(controller, number, toy.reward(asked[-1]))
    return asked


def differing(one: Choices, other: Choices) -> list[str]:
    return [name for name in one if one[name] != other.get(name)]


@pytest.mark.parametrize("seed", range(5))
def test_a_grid_gives_every_answer_alike(seed: int) -> None:
    asked = climb(GridController(SIX, seed=seed), SIX, 61)[1:]  # without the baseline
    for name in asked[0]:
        answers = [choices[name] for choices in asked]
        assert all(14 <= answers.count(option) <= 26 for option in (1, 2, 3)), name


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


@pytest.mark.parametrize("seed", range(4))
def test_local_search_goes_up_to_the_top(seed: int) -> None:
    # One hill: from anywhere each step up is one answer, 12 neighbours at most around each of 12 steps.
    asked = climb(LocalSearchController(SIX, seed=seed, starts=3), SIX, 75)
    values = [SIX.reward(choices) for choices in asked]
    assert max(values) == 18
    best = max(range(3), key=lambda n: values[n])
    for number in range(3, values.index(18) + 1):
        changed = differing(asked[number], asked[best])
        assert len(changed) == 1
        assert abs(float(asked[number][changed[0]]) - float(asked[best][changed[0]])) == 1
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


def test_evolution_breeds_from_the_last_only() -> None:
    controller = EvolutionController(SIX, seed=2, population=5, sample=5)
    asked = []
    for number in range(40):
        asked.append(controller.ask(number).choices)
        tell(controller, number, 100.0 - number)  # the first is the best for ever, and dies like the others
        if number >= 6:
            eldest = asked[number - 5]
            assert len(differing(asked[number], eldest)) in (1, 2)


def test_evolution_mutates_one_answer_of_the_best_drawn() -> None:
    toy = chain(3)
    controller = EvolutionController(toy, seed=3, population=8, sample=8)
    history = search(controller, Faulty(toy=toy, seed=3), trials=40)
    for number in range(9, 40):
        alive = history[number - 8 : number]
        parent = max(alive, key=lambda told: (told.outcome.value, told.proposal.number)).proposal.choices
        child = history[number].proposal.choices
        shared = parent.keys() & child.keys()
        assert sum(parent[name] != child[name] for name in shared) <= 2


def test_all_walks_are_known_without_building() -> None:
    toy = chain(2)
    assert [walk.choices for walk, _ in every_walk(toy)] == list(toy.choices())
