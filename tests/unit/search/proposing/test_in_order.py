"""A reproducible search: the same asks with any number of workers, any order of outcomes, and after a crash."""

import pytest

from archsmith.errors import UnknownTrial
from search.factory import make_controller
from search.proposing.controller import Controller, Proposal
from search.proposing.in_order import LAG, DeterministicOrder
from search.spec import ControllerSpec
from search.testing.loop import evaluate, search
from search.testing.toys import Faulty, chain
from search.trial import Outcome, TrialState

TOY = chain(2)
NAMES = ("random", "tpe", "reinforce")


def make(name: str) -> Controller:
    return make_controller(ControllerSpec(name=name), space=TOY, seed=3)


def hashes(proposals: list[Proposal]) -> list[str]:
    return [p.architecture.hash for p in sorted(proposals, key=lambda p: p.number)]


@pytest.mark.heavy
@pytest.mark.parametrize("name", NAMES)
def test_the_same_architectures_with_1_2_and_8_workers(name: str) -> None:
    runs = [
        search(DeterministicOrder(make(name)), Faulty(toy=TOY, noise=0.01, failing=0.2), trials=30, workers=w)
        for w in (1, 2, 8)
    ]
    first, *others = [hashes([told.proposal for told in run]) for run in runs]
    assert len(first) == 30
    assert others == [first, first]


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["tpe", "reinforce"])
@pytest.mark.parametrize("crash_at", [3, 14])
def test_a_crash_changes_nothing(name: str, crash_at: int) -> None:
    whole = {
        t.proposal.number: t
        for t in search(DeterministicOrder(make(name)), Faulty(toy=TOY, noise=0.01, failing=0.2), trials=24, workers=2)
    }
    again = DeterministicOrder(make(name))
    for number in range(crash_at):  # the last one was lost with the machine: it has no outcome yet
        again.restore(whole[number].proposal, whole[number].outcome if number < crash_at - 1 else None)
    again.tell(whole[crash_at - 1].outcome)
    for number in range(crash_at, 24):
        proposal = again.ask(number)
        assert proposal.architecture.hash == whole[number].proposal.architecture.hash
        again.tell(evaluate(Faulty(toy=TOY, noise=0.01, failing=0.2), proposal).outcome(proposal.number, 1))


def test_it_waits_for_the_outcomes_it_needs() -> None:
    controller = DeterministicOrder(make("random"))
    for number in range(LAG):
        assert controller.ready(number)
        controller.ask(number)
    assert not controller.ready(LAG)
    with pytest.raises(ValueError, match="cannot be asked before all trials up to 0 have ended"):
        controller.ask(LAG)
    end = Outcome(number=1, state=TrialState.FAILED, reason="crashed")
    controller.tell(end)
    assert not controller.ready(LAG), "trial 0 is still open"
    controller.tell(Outcome(number=0, state=TrialState.COMPLETED, value=0.5, epochs=1))
    assert controller.ready(LAG)
    with pytest.raises(UnknownTrial):
        controller.tell(end)
