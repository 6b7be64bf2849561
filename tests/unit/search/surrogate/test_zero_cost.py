"""Guesses at untrained architectures: their sum, which are measured, and what the starts make of them."""

from statistics import NormalDist

import pytest

from search.controllers.auto import auto
from search.controllers.policy_model import PolicyModelController
from search.controllers.predictor import PredictorController
from search.surrogate.controller import SurrogateController
from search.surrogate.zero_cost import chosen, combined
from search.testing.toys import AtMost, chain
from search.trial import Outcome, TrialState
from space.space import replay


def score(place: float, count: int) -> float:
    return NormalDist().inv_cdf((place + 0.5) / count)


def test_the_sum_is_of_the_normal_scores_of_the_ranks() -> None:
    found = combined([{"a": 1.0, "b": 5.0, "c": 1e9}, {"a": -1.0, "b": -3.0, "c": -2.0}])
    assert found == pytest.approx(
        {"a": score(0, 3) + score(2, 3), "b": score(1, 3) + score(0, 3), "c": score(2, 3) + score(1, 3)}
    )


def test_what_has_no_number_is_last_and_equals_share_their_places() -> None:
    values = {"a": 2.0, "b": None, "c": float("nan"), "d": 1.0, "e": 2.0}
    scores = {"a": score(3.5, 5), "b": score(0.5, 5), "c": score(0.5, 5), "d": score(2, 5), "e": score(3.5, 5)}
    assert combined([values]) == pytest.approx(scores)


def test_a_column_that_failed_everywhere_says_nothing() -> None:
    values: dict[str, float | None] = {"a": 2.0, "b": 3.0, "c": 1.0}
    assert list(combined([values])) == ["a", "b", "c"]
    assert combined([values, dict.fromkeys(values)]) == pytest.approx(combined([values]))
    assert combined([]) == {}


def test_measured_are_large_ones_and_random_ones_in_turns() -> None:
    sizes = [3, 9, 1, 7, 5]
    assert chosen(sizes, 9) == [1, 0, 3, 4, 2]
    assert chosen(sizes, 3) == [1, 0, 3]
    assert chosen([], 3) == []


@pytest.mark.heavy
@pytest.mark.parametrize("make", [PredictorController, PolicyModelController])
def test_measured_guesses_come_first_and_then_the_largest(make: type[SurrogateController]) -> None:
    toy = chain(3)
    controller = make(toy, seed=1, warm="zero_cost", starts=8)
    asked = [controller.ask(0)]
    pool = {toy.sample(replay(candidate.choices)).hash: candidate for candidate in controller.pool}
    small = sorted(pool, key=lambda hash_: pool[hash_].size)
    small = [hash_ for hash_ in small if hash_ != asked[0].architecture.hash][:2]
    controller.guesses = {pool[small[0]].key: 1.0, pool[small[1]].key: 2.0}
    asked += [controller.ask(number) for number in range(1, 6)]
    assert [asked[number].architecture.hash for number in (1, 3)] == small[::-1]
    largest = make(toy, seed=1, warm="params", starts=8)
    assert asked[5].choices in [largest.ask(number).choices for number in (1, 3, 5)]


@pytest.mark.heavy
def test_nobody_measured_so_it_starts_by_parameters() -> None:
    toy = chain(3)
    starts = [
        [controller.ask(number).choices for number in range(6)]
        for controller in (PredictorController(toy, seed=1, warm=warm) for warm in ("params", "zero_cost", "none"))
    ]
    assert starts[0] == starts[1] != starts[2]


def test_guesses_cannot_make_a_start_infeasible() -> None:
    toy = chain(2)
    controller = PredictorController(toy, seed=1, warm="zero_cost", constraints=[AtMost(measure="params", limit=400)])
    assert any(candidate.violation for candidate in controller.pool)
    controller.guesses = {candidate.key: candidate.size for candidate in controller.pool}
    tried = {tuple(controller.ask(number).choices.items()) for number in range(6)}
    assert not tried & {candidate.key for candidate in controller.pool if candidate.violation}


@pytest.mark.heavy
def test_guesses_are_for_the_starts_alone() -> None:
    toy = chain(3)
    asks = []
    for sign in (1, -1):
        controller = PredictorController(toy, seed=1, warm="zero_cost", starts=2)  # the baseline and a random one
        controller.guesses = {candidate.key: sign * candidate.size for candidate in controller.pool}
        found = []
        for number in range(8):
            found.append(controller.ask(number).choices)
            value = toy.reward(found[-1])
            controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=value, epochs=1))
        asks.append(found)
    assert asks[0] == asks[1]


def test_auto_takes_no_options_and_starts_by_parameters() -> None:
    assert auto(chain(2)).initial_design == "params"
