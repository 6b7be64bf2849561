"""Law 7 of controllers, for each of them: the user's own architectures, and trials of earlier jobs."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from archsmith.errors import Conflict, UnknownTrial
from search.factory import CONTROLLERS, make_controller
from search.proposing.constraints import Constraint
from search.proposing.controller import Controller
from search.proposing.in_order import DeterministicOrder
from search.proposing.walks import SearchSpace
from search.spec import ControllerSpec
from search.testing.loop import search
from search.testing.toys import AtMost, Faulty, chain, line
from space.analysis import analyse
from space.decision import Choices
from tests.conformance.controllers import (
    Ended,
    Make,
    any_end,
    completed,
    drain,
    hashes,
    history_to_json,
    onward,
    restore_from_json,
)
from tests.conformance.priors import prior, priors, walk

pytestmark = pytest.mark.heavy

OPTIONS = {"gp": {"history": 15}}
"""For speed."""


@pytest.fixture(params=sorted(set(CONTROLLERS) - {"auto"}))  # which is policy_model
def make(request: pytest.FixtureRequest) -> Make:
    spec = ControllerSpec(name=request.param, options=OPTIONS.get(request.param, {}))

    def make(space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 3) -> Controller:
        return make_controller(spec, space=space, constraints=constraints, seed=seed)

    return make


def test_the_users_own_come_after_the_baseline(make: Make) -> None:
    toy = chain(2)
    wanted = [walk(toy, seed) for seed in (1, 2, 3)]
    controller = make(toy)
    controller.enqueue([wanted[0], wanted[1], wanted[0], wanted[2]])
    proposals = [controller.ask(number) for number in range(6)]
    assert [proposals[n].choices for n in (1, 2, 4)] == wanted
    assert [proposal.provenance for proposal in proposals] == [
        "baseline",
        "user",
        "user",
        "controller",
        "user",
        "controller",
    ]
    assert len(set(hashes(proposals))) == 6


def test_an_infeasible_one_of_the_users_is_not_proposed(make: Make) -> None:
    toy = line(5)
    limit = AtMost(measure="params", limit=analyse(toy.sample(lambda d: d.options[1])).params)
    controller = make(toy, constraints=[limit])
    controller.enqueue([{"width": 5}])
    proposals = [controller.ask(number) for number in range(2)]
    assert [(proposal.choices["width"], proposal.provenance) for proposal in proposals] == [
        (1, "baseline"),
        (2, "controller"),
    ]


def test_settled_trials_are_not_proposed_and_others_may_be(make: Make) -> None:
    toy = line(6)
    every: list[Choices] = [{"width": width} for width in range(1, 7)]
    controller = make(toy)
    controller.recall([prior(toy, choices, settled=True) for choices in every[2:]])
    assert [proposal.choices["width"] for proposal in drain(controller, 6)] == [1, 2]
    controller = make(toy)
    controller.recall([prior(toy, choices, comparable=False) for choices in every])
    assert sorted(int(proposal.choices["width"]) for proposal in drain(controller, 6)) == [1, 2, 3, 4, 5, 6]


def test_the_baseline_comes_first_even_where_its_score_is_known(make: Make) -> None:
    toy = line(6)
    controller = make(toy)
    controller.recall([prior(toy, {"width": 1}, settled=True)])
    assert (controller.ask(0).choices["width"], controller.ask(1).choices["width"] != 1) == (1, True)


def test_prior_trials_cannot_be_told_and_are_no_incumbent(make: Make) -> None:
    toy = chain(2)
    controller = make(toy)
    controller.recall(priors(toy, 12))
    with pytest.raises(UnknownTrial):
        controller.tell(completed(-1, 0.5))
    for number in range(8):
        controller.ask(number)
        controller.tell(completed(number, 0.01 * number))
    assert controller.incumbent() is None or controller.incumbent() >= 0  # type: ignore[operator]


@pytest.mark.parametrize("comparable", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_with_prior_trials_too_history_alone_decides(make: Make, comparable: bool) -> None:
    """The first trial of all is told last, so that z-scores are scaled late; a restored one scales them early."""
    toy = chain(2)
    known, own = priors(toy, 15, comparable=comparable), [walk(toy, 7)]
    controller = make(toy, seed=11)
    controller.enqueue(own)
    controller.recall(known)
    proposals = [controller.ask(number) for number in range(24)]
    ends = [any_end(toy, proposal) for proposal in proposals]
    for outcome in reversed(ends):
        if outcome.number != 20:
            controller.tell(outcome)
    history: list[Ended] = list(zip(proposals, ends, strict=True))
    history[20] = (proposals[20], None)
    restored = make(toy, seed=11)
    restored.enqueue(own)
    restored.recall(known)
    restore_from_json(restored, history_to_json(history))
    assert onward(controller, toy, first=24) == onward(restored, toy, first=24)


@pytest.mark.slow
@pytest.mark.parametrize("comparable", [True, False])
def test_prior_trials_do_no_harm(make: Make, comparable: bool) -> None:
    """The mean value of 12 trials, over two seeds: what was known makes it better, or at least hardly worse."""
    toy = chain(2)
    spread = float(np.std(list(toy.table.values())))
    found: dict[bool, list[float]] = {True: [], False: []}
    for seed, warm in itertools.product(range(2), (True, False)):
        controller = make(toy, seed=seed)
        controller.recall(priors(toy, 40, comparable=comparable) if warm else [])
        history = search(controller, Faulty(toy=toy, seed=seed), trials=12)
        found[warm] += [told.outcome.value or 0.0 for told in history]
    assert np.mean(found[True]) > np.mean(found[False]) - 0.35 * spread


def test_prior_trials_of_another_space_are_refused(make: Make) -> None:
    with pytest.raises(Conflict, match="drawn from another space"):
        make(chain(2)).recall([prior(line(3), {"width": 2})])


def test_held_back_tells_change_nothing_about_it() -> None:
    toy = chain(2)
    controller = DeterministicOrder(make_controller(ControllerSpec(name="evolution"), space=toy, seed=1))
    controller.enqueue([walk(toy, 1)])
    controller.recall(priors(toy, 10, comparable=False))
    assert [controller.ask(number).provenance for number in range(3)] == ["baseline", "user", "controller"]
