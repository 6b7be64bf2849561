"""What a controller with a surrogate does with the costs of trainings."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from search.controllers.auto import auto
from search.controllers.predictor import PredictorController
from search.planning.step_cost import StepCost, work_of
from search.proposing.controller import Proposal
from search.surrogate.controller import SurrogateController
from search.surrogate.costs import TrainingCosts, share_of
from search.testing.toys import Toy, chain
from search.trial import Outcome, TrialState

Make = Callable[..., SurrogateController]
FREE = TrainingCosts(model=StepCost.unknown())


def cost(proposal: Proposal) -> float:
    return float(FREE.seconds([work_of(proposal.architecture)])[0])


def search(make: Make, toy: Toy, costs: TrainingCosts | None, trials: int = 12) -> list[Proposal]:
    controller, found = make(toy, seed=1), list[Proposal]()
    if costs is not None:
        controller.costs = lambda: costs
    for number in range(trials):
        found.append(controller.ask(number))
        value = toy.reward(found[-1].choices)
        controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=value, epochs=3))
    return found


def hashes(proposals: list[Proposal]) -> list[str]:
    return [proposal.architecture.hash for proposal in proposals]


@pytest.mark.heavy
@pytest.mark.parametrize("make", [pytest.param(PredictorController, marks=pytest.mark.slow), auto])
def test_what_takes_more_than_its_share_is_not_proposed(make: Make) -> None:
    toy = chain(3)
    plain = search(make, toy, None)
    limit = float(np.median([cost(proposal) for proposal in plain]))
    assert hashes(search(make, toy, FREE)) == hashes(plain), "costs alone change nothing"
    within = search(make, toy, replace(FREE, limit_s=limit))
    assert max(cost(proposal) for proposal in within[1:]) <= limit, "all but the baseline"


@pytest.mark.heavy
@pytest.mark.parametrize("make", [pytest.param(PredictorController, marks=pytest.mark.slow), auto])
def test_where_nothing_else_is_left_the_share_does_not_count(make: Make) -> None:
    assert len(set(hashes(search(make, chain(2), replace(FREE, limit_s=0.0))))) == 12


@pytest.mark.heavy
def test_a_power_prefers_what_is_quick() -> None:
    toy = chain(3)
    means = [
        np.mean([cost(proposal) for proposal in search(PredictorController, toy, replace(FREE, power=power))[6:]])
        for power in (0.0, 3.0)
    ]
    assert means[1] < means[0]


def test_the_share_is_a_quarter_and_an_eighth_of_what_is_left_and_no_less_than_the_average() -> None:
    assert share_of(left_s=1_000.0, quarter_s=100.0, average_s=10.0) == 100.0
    assert share_of(left_s=400.0, quarter_s=100.0, average_s=10.0) == 50.0
    assert share_of(left_s=40.0, quarter_s=100.0, average_s=10.0) == 10.0


def test_seconds_are_those_of_all_steps_and_what_is_beside_them() -> None:
    costs = TrainingCosts(model=StepCost.unknown(), steps=10.0, beside_s=0.5, limit_s=20.0, power=0.5)
    works = [(1.0, 0.0, 0.0, 0.0), (4.0, 0.0, 0.0, 0.0)]
    assert list(costs.seconds(works)) == pytest.approx([10.5, 40.5])
    assert costs.allows(works) == [True, False]
    assert costs.allows(works[1:]) == [True], "nothing else is left"
    assert list(costs.penalty(works)) == pytest.approx(0.5 * np.log([10.5, 40.5]), abs=1e-8)


def test_the_share_is_shown() -> None:
    controller = PredictorController(chain(2), seed=1)
    assert "costs" not in controller.state()
    controller.costs = lambda: replace(FREE, limit_s=12.0)
    assert controller.state()["costs"] == {"most_s": 12.0, "power": 0.0}
