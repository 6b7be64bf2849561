"""What is special to NSGA-II: who may be a parent, what children inherit, and that fronts are found."""

import numpy as np
import pytest

from search.controllers.nsga2 import Nsga2Controller
from search.factory import make_controller
from search.pareto import hypervolume
from search.proposing.controller import Controller, Proposal
from search.spec import ControllerSpec
from search.testing.toys import chain, fork
from search.trial import Outcome, TrialState
from space.analysis import analyse


def front_of(name: str, seed: int, trials: int = 100) -> float:
    """Hypervolume of reward and params after a search on the toy of depth three."""
    toy = chain(3)
    controller: Controller = make_controller(ControllerSpec(name=name), space=toy, seed=seed, objectives=2)
    points = []
    for number in range(trials):
        proposal = controller.ask(number)
        values = (toy.reward(proposal.choices), -float(np.log(analyse(proposal.architecture).params)))
        points.append(values)
        controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=sum(values), values=values, epochs=1))
    return hypervolume(np.array(points), np.array([0.4, -9.0]))


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["nsga2", pytest.param("tpe", marks=pytest.mark.slow)])
def test_a_larger_front_is_found_than_at_random(name: str) -> None:
    found = [front_of(name, seed) for seed in range(3)]
    assert np.mean(found) > 1.02 * np.mean([front_of("random", seed) for seed in range(3)])


def test_parents_are_the_best_that_completed() -> None:
    toy = fork()
    controller = Nsga2Controller(toy, seed=1, objectives=2, population=4)
    for number, values in enumerate([(1.0, 0.0), (0.0, 1.0), (0.6, 0.6), (0.5, 0.5), (0.2, 0.2)]):
        controller.ask(number)
        controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=sum(values), values=values, epochs=1))
    controller.ask(5)
    controller.tell(Outcome(number=5, state=TrialState.PRUNED, value=9.0, values=(9.0, 9.0), epochs=1))
    assert controller.state() == {"told": 6, "population": [0, 1, 2, 3]}


def test_draws_are_random_until_as_many_ended_as_live() -> None:
    controller = Nsga2Controller(chain(2), seed=1, population=5)
    for number in range(5):
        controller.ask(number)
        assert controller._study is None
        controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=0.1 * number, epochs=1))
    controller.ask(5)
    assert controller._study is not None


def test_conditional_answers_are_inherited() -> None:
    """Half of the parents met the second layer, always with one width; most children with that layer have it too."""
    toy = chain(2)
    controller = Nsga2Controller(toy, seed=3, population=6)
    walks = list(toy.choices())
    deep = [walk for walk in walks if walk["depth"] == 2 and walk["layers.1.width"] == 16]
    parents = [walk for walk in walks if walk["depth"] == 1][::12] + deep[::150][:3]
    for number, walk in enumerate(parents):
        architecture = toy.sample(lambda decision, walk=walk: walk[decision.name])  # type: ignore[misc]
        proposal = Proposal(number=number, architecture=architecture, choices=walk)
        controller.restore(proposal, Outcome(number=number, state=TrialState.COMPLETED, value=1.0, epochs=1))
    children = [controller.ask(number).choices for number in range(len(parents), len(parents) + 40)]
    widths = [child["layers.1.width"] for child in children if child["depth"] == 2]
    assert len(widths) > 5
    assert np.mean([width == 16 for width in widths]) > 0.5  # at random: 0.25
