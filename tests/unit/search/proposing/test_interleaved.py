"""Random trials within a search: which they are, that they are uniform and teach, and that a replay repeats them."""

from collections import Counter
from typing import ClassVar

import pytest

from archsmith.errors import SpaceExhausted, UnknownTrial
from search.controllers.random import RandomController
from search.factory import make_controller
from search.proposing.controller import Controller, Proposal
from search.proposing.in_order import DeterministicOrder
from search.proposing.interleaved import EVERY, Interleaved, is_random
from search.proposing.proposer import OpenProposal
from search.spec import ControllerSpec
from search.testing.loop import Told, search
from search.testing.toys import Faulty, Toy, chain, line
from search.trial import RANDOM, Outcome, TrialState

TOY = chain(2)
NAMES = ("auto", "grid", "local_search", "reinforce", "tpe")


def make(name: str, *, toy: Toy = TOY, seed: int = 3) -> Interleaved:
    inner = make_controller(ControllerSpec(name=name), space=toy, seed=seed)
    return Interleaved(inner, toy, seed=seed)


def run(controller: Controller, trials: int, *, workers: int = 1, toy: Toy = TOY) -> list[Told]:
    told = search(controller, Faulty(toy=toy, noise=0.01, failing=0.2), trials=trials, workers=workers)
    return sorted(told, key=lambda entry: entry.proposal.number)


def test_one_trial_in_five_is_random_and_its_number_alone_says_which() -> None:
    assert [number for number in range(20) if is_random(number)] == [2, 7, 12, 17]
    assert [number for number in range(20) if is_random(number, enqueued=3)] == [5, 10, 15]
    assert EVERY == 5


@pytest.mark.heavy
@pytest.mark.parametrize("name", NAMES)
def test_any_controller_takes_them_as_its_own(name: str) -> None:
    told = run(make(name), 13, workers=3)
    found = [entry.proposal for entry in told]
    assert len({proposal.architecture.hash for proposal in found}) == 13
    assert [proposal.number for proposal in found if proposal.provenance == RANDOM] == [2, 7, 12]
    assert found[0].provenance == "baseline"


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["local_search", "reinforce", "tpe"])
def test_a_new_driver_goes_on_alike(name: str) -> None:
    whole = run(make(name), 16)
    again = make(name)
    for entry in whole[:8]:
        again.restore(entry.proposal, entry.outcome)
    for entry in whole[8:]:
        assert again.ask(entry.proposal.number) == entry.proposal
        again.tell(entry.outcome)


def test_they_are_open_in_the_controller_and_told_to_it() -> None:
    class Learning(RandomController):
        known: ClassVar[list[tuple[int, str, float | None]]] = []

        def opened(self, trial: OpenProposal) -> None:
            self.known.append((trial.proposal.number, trial.proposal.provenance, None))

        def closed(self, trial: OpenProposal, outcome: Outcome) -> None:
            self.known.append((trial.proposal.number, trial.proposal.provenance, outcome.value))

    controller = Interleaved(Learning(TOY), TOY)
    for number in range(3):
        controller.ask(number)
    controller.tell(Outcome(number=2, state=TrialState.COMPLETED, value=0.9, epochs=1))
    assert Learning.known[2:] == [(2, RANDOM, None), (2, RANDOM, 0.9)]


def test_their_behaviour_is_that_of_a_uniform_policy_where_the_controller_weighs_by_it() -> None:
    weighing, other = make("reinforce"), make("evolution")
    drawn = [[controller.ask(number) for number in range(3)][2] for controller in (weighing, other)]
    assert drawn[0].architecture.hash == drawn[1].architecture.hash, "they do not depend on the controller"
    assert set(drawn[0].behaviour.values()) <= {1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6}
    assert min(drawn[0].behaviour.values()) < 1.0
    assert drawn[1].behaviour == {}


def test_they_are_uniform() -> None:
    """The first random trial of 150 seeds, on a line of 6 points of which the baseline is taken."""
    toy = line(6)
    baseline = RandomController(toy).ask(0)
    counted: Counter[str] = Counter()
    for seed in range(150):
        controller = Interleaved(RandomController(toy, seed=seed), toy, seed=seed)
        controller.restore(baseline, None)
        counted[controller.ask(2).architecture.hash] += 1
    assert baseline.architecture.hash not in counted
    assert len(counted) == 5
    assert all(15 <= count <= 48 for count in counted.values()), counted


def test_where_no_draw_is_new_the_controller_is_asked_to_the_last_architecture() -> None:
    toy = line(4)
    controller = make("grid", toy=toy)
    found: list[Proposal] = [controller.ask(number) for number in range(4)]
    assert len({proposal.architecture.hash for proposal in found}) == 4
    with pytest.raises(SpaceExhausted):
        controller.ask(4)
    with pytest.raises(SpaceExhausted):
        controller.ask(7)  # a random one


def test_the_users_own_come_first() -> None:
    controller = make("evolution")
    ahead = RandomController(TOY, seed=9)
    own = [ahead.ask(number).choices for number in (1, 2, 3)]
    controller.enqueue(own)
    found = [controller.ask(number).provenance for number in range(6)]
    assert found == ["baseline", "user", "user", "user", "controller", RANDOM]


def test_an_outcome_that_belongs_to_no_ask_is_refused() -> None:
    with pytest.raises(UnknownTrial):
        make("evolution").tell(Outcome(number=2, state=TrialState.FAILED, reason="crashed"))


@pytest.mark.heavy
def test_a_reproducible_search_draws_the_same_with_any_number_of_workers() -> None:
    one, eight = (run(DeterministicOrder(make("tpe")), 20, workers=workers) for workers in (1, 8))
    assert [entry.proposal for entry in one] == [entry.proposal for entry in eight]
