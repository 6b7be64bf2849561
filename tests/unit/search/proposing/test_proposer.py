"""What all controllers share, where the conformance suite does not reach."""

from collections.abc import Mapping

import numpy as np
import pytest

from archsmith.errors import SpaceExhausted
from search.controllers.random import RandomController
from search.controllers.tpe import TpeController
from search.proposing.proposer import NEIGHBOURS, REPAIRS, Proposer
from search.proposing.repair import repair
from search.proposing.walks import Draw, Picker, Walk, draw_walk, follow, uniform
from search.testing.toys import AtMost, Toy, chain, fork, line
from search.trial import Outcome, TrialState
from space.analysis import analyse
from space.decision import Choose
from space.size import SizeEstimate
from space.space import Space
from tests.effort import share
from tests.spaces import Counted


class Stubborn(RandomController):
    """Always proposes the same architecture."""

    patience = 5

    def picker(self, rng: np.random.Generator) -> Picker:
        return follow(lambda decision: decision.options[-1])


def test_a_strategy_that_repeats_itself_gets_neighbours() -> None:
    toy = chain(3)
    controller = Stubborn(toy, seed=1)
    controller.ask(0)  # the baseline
    repeated = controller.ask(1).choices
    for number in range(2, 40):
        choices = controller.ask(number).choices
        common = choices.keys() & repeated.keys()
        assert sum(choices[name] != repeated[name] for name in common) <= 6, "most of ten answers are kept"


class AtLeast:
    """Keeps the widest and deepest: one walk in 250 of `chain`, 567 points."""

    text = "params > 9000"

    def holds(self, measures: Mapping[str, float]) -> bool:
        return measures["params"] > 9000

    def violation(self, measures: Mapping[str, float]) -> float:
        return max(0, 9001 - measures["params"]) / 9000


@pytest.mark.heavy
def test_a_constraint_that_few_walks_keep() -> None:
    toy = chain(3)
    rng = np.random.default_rng(0)
    walks = (toy.sample(Walk(picker=uniform(rng)).choose) for _ in range(1000))
    assert sum(AtLeast().holds(analyse(architecture).measures) for architecture in walks) < 10
    # 500 uniform draws fail 13 times in 100; 30 asks without neighbours would end with 1 % of the seeds.
    controller = RandomController(toy, constraints=[AtLeast()], seed=2)
    proposals = [controller.ask(number) for number in range(30)]
    assert len({proposal.architecture.hash for proposal in proposals}) == 30
    assert all(AtLeast().holds(analyse(proposal.architecture).measures) for proposal in proposals)


def ladder(layers: int, *, constraint: str) -> Space:
    """Stages of one convolution; that all kernels are 7, as 4^layers walks are not, shows in the receptive field."""
    stage = {"kernel": [1, 3, 5, 7], "activation": ["relu", "silu"], "width": 8}
    document = {"schema": 1, "stages": [stage] * layers, "constraints": [constraint]}
    return Space.parse(document, input_shape=(1, 28, 28), classes=3)


@pytest.mark.heavy
@pytest.mark.sweep
@pytest.mark.parametrize("controller", [RandomController, TpeController])
def test_one_walk_in_65536_is_feasible(controller: type[Proposer]) -> None:
    """Some 100 steps of repair, each 1 ms, find the first, where uniform draws would need 65,536 on average."""
    space = ladder(8, constraint="receptive_field >= 49")
    walks = Counted(space)
    proposer = controller(walks, seed=3)
    asks = share(8, least=2)
    for number in range(asks):
        before = walks.count
        proposal = proposer.ask(number)
        assert space.feasible(analyse(proposal.architecture))
        assert walks.count - before <= 1 + proposer.patience + NEIGHBOURS + REPAIRS
    assert len(proposer._tried) == asks


@pytest.mark.heavy
def test_an_infeasible_space_says_how_near_it_came() -> None:
    with pytest.raises(SpaceExhausted, match=r"misses the bound of 'receptive_field >= 38' by 2\.63%"):
        RandomController(ladder(6, constraint="receptive_field >= 38")).ask(0)


def test_repair_reaches_a_feasible_architecture_and_keeps_to_its_steps() -> None:
    space = ladder(6, constraint="receptive_field >= 37")
    rng = np.random.default_rng(1)
    start = draw_walk(space, space.constraints, uniform(rng))
    assert start is not None

    def draw_from(choose: Choose) -> Draw | None:
        return draw_walk(space, space.constraints, follow(choose))

    repairs = [list(repair(start, draw_from, rng, steps=n)) for n in (0, 7, 80)]
    assert [len(draws) for draws in repairs] == [0, 7, 80]
    assert start.violation > 0 == min(draw.violation for draw in repairs[-1])


class Endless(Toy):
    """Its walks cannot be counted."""

    def size(self, limit: int) -> SizeEstimate:
        return SizeEstimate(exact=False, log10=12.0, count=None)


def test_a_large_space_gives_up_after_its_draws() -> None:
    toy = fork()
    endless = Endless("endless", toy._grow, toy.reward)
    controller = RandomController(endless, constraints=[AtMost(measure="params", limit=0)])
    with pytest.raises(
        SpaceExhausted, match=r"600 draws and 300 repairs after 0 trials.* misses the bound of 'params <= 0' by"
    ):
        controller.ask(0)


def test_a_number_is_asked_once() -> None:
    controller = RandomController(line(3))
    controller.ask(0)
    with pytest.raises(ValueError, match="trial 0 was asked before"):
        controller.ask(0)


def test_only_trial_0_is_the_baseline() -> None:
    toy = chain(3)
    hashes = {RandomController(toy, seed=seed).ask(7).architecture.hash for seed in range(5)}
    assert len(hashes) == 5


def test_an_exhausted_space_stays_exhausted() -> None:
    controller = RandomController(line(2))
    controller.ask(0)
    controller.ask(1)
    controller.tell(Outcome(number=1, state=TrialState.CANCELLED, reason="asked for"))
    for number in (2, 3):
        with pytest.raises(SpaceExhausted):
            controller.ask(number)


def test_a_strategy_is_a_picker_and_nothing_else() -> None:
    assert Proposer.__abstractmethods__ == {"picker"}
