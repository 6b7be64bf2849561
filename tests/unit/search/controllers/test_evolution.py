"""Regularized evolution: who lives, and what a child inherits."""

from search.controllers.evolution import EvolutionController
from search.testing.loop import search
from search.testing.toys import Faulty, chain
from tests.unit.search.controllers.hill import SIX, differing, tell


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
