"""The contract of `search/proposing/controller.py`, checked for every controller: on toys, real presets and in a fresh
process.

A controller joins by a subclass of `ControllerConformance` with one fixture, `spec`.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from archsmith.errors import Conflict, SpaceExhausted, UnknownTrial
from search.factory import make_controller
from search.proposing.constraints import Constraint
from search.proposing.controller import Controller, Proposal
from search.proposing.walks import SearchSpace, every_walk
from search.spec import ControllerSpec
from search.testing.loop import search
from search.testing.toys import AtMost, Faulty, Toy, chain, cliff, fork, line
from search.trial import Outcome, TrialState
from space.analysis import analyse
from space.architecture import Architecture
from space.presets import load
from space.space import Space
from tests.effort import share

if TYPE_CHECKING:
    from tests.conformance.fresh import Fresh

Ended = tuple[Proposal, Outcome | None]
Make = Callable[..., Controller]


def completed(number: int, value: float) -> Outcome:
    return Outcome(number=number, state=TrialState.COMPLETED, value=value, epochs=3)


def two_valued(toy: Toy, proposal: Proposal) -> Outcome:
    """Reward against size; every fifth trial fails, every fifth is pruned."""
    number, reward = proposal.number, toy.reward(proposal.choices)
    if number % 5 == 1:
        return Outcome(number=number, state=TrialState.FAILED, reason="crashed")
    params = analyse(proposal.architecture).params
    state = TrialState.PRUNED if number % 5 == 3 else TrialState.COMPLETED
    return Outcome(number=number, state=state, value=reward - params / 1e4, values=(reward, -params), epochs=2)


def any_end(toy: Toy, proposal: Proposal) -> Outcome:
    """An outcome of any kind, by the trial's number: 3 in 10 fail or are infeasible, 1 in 10 is cancelled."""
    number = proposal.number
    match number % 10:
        case 1 | 5:
            return Outcome(number=number, state=TrialState.FAILED, reason="crashed")
        case 3:
            return Outcome(number=number, state=TrialState.INFEASIBLE, reason="out of memory")
        case 7:
            return Outcome(number=number, state=TrialState.CANCELLED, reason="on request")
        case 9 | 2:
            value = toy.reward(proposal.choices) - 0.2
            return Outcome(number=number, state=TrialState.PRUNED, value=value, epochs=1 + number % 3)
        case _:
            return completed(number, toy.reward(proposal.choices))


def disorderly_history(controller: Controller, toy: Toy, *, trials: int, window: int, seed: int = 0) -> list[Ended]:
    """Up to `window` asks open at once, told in random order; the last ones stay open. In order of numbers."""
    rng = np.random.default_rng(seed)
    ends: dict[int, Ended] = {}
    waiting: list[Proposal] = []
    for number in range(trials):
        proposal = controller.ask(number)
        ends[number] = (proposal, None)
        waiting.append(proposal)
        while len(waiting) >= window:
            chosen = waiting.pop(int(rng.integers(len(waiting))))
            outcome = any_end(toy, chosen)
            controller.tell(outcome)
            ends[chosen.number] = (chosen, outcome)
    return list(ends.values())


def onward(controller: Controller, toy: Toy, *, first: int, asks: int = 10) -> list[list[Any]]:
    """The next asks, every second one told at once: hash and behaviour, to the last bit."""
    answers: list[list[Any]] = []
    for number in range(first, first + asks):
        proposal = controller.ask(number)
        answers.append([proposal.architecture.hash, sorted(proposal.behaviour.items())])
        if number % 2:
            controller.tell(any_end(toy, proposal))
    return answers


def history_to_json(history: Iterable[Ended]) -> str:
    """As a ledger might keep it: PostgreSQL's jsonb does not keep the order of keys."""
    rows = [
        {
            "number": proposal.number,
            "architecture": proposal.architecture.to_json(),
            "choices": proposal.choices,
            "behaviour": dict(proposal.behaviour),
            "provenance": proposal.provenance,
            "outcome": outcome and [str(outcome.state), outcome.value, outcome.epochs, outcome.reason],
        }
        for proposal, outcome in history
    ]
    return json.dumps(rows, sort_keys=True)


def restore_from_json(controller: Controller, text: str) -> None:
    for row in json.loads(text):
        proposal = Proposal(
            number=row["number"],
            architecture=Architecture.from_json(row["architecture"]),
            choices=row["choices"],
            behaviour=row["behaviour"],
            provenance=row["provenance"],
        )
        outcome = None
        if row["outcome"]:
            state, value, epochs, reason = row["outcome"]
            outcome = Outcome(number=row["number"], state=TrialState(state), value=value, epochs=epochs, reason=reason)
        controller.restore(proposal, outcome)


def hashes(proposals: Sequence[Proposal]) -> list[str]:
    return [proposal.architecture.hash for proposal in proposals]


def drain(controller: Controller, limit: int) -> list[Proposal]:
    """Ask, tell a medium value, and so on until SpaceExhausted."""
    proposals: list[Proposal] = []
    for number in range(limit + 1):
        try:
            proposals.append(controller.ask(number))
        except SpaceExhausted:
            return proposals
        controller.tell(completed(number, 0.5))
    pytest.fail(f"more than {limit} architectures")


class ControllerConformance:
    """See the module's text.

    asks: of the long search; fewer where an ask takes long, or where another controller is nearly the same.
    """

    asks: ClassVar[int] = 200

    @pytest.fixture
    def spec(self) -> ControllerSpec:
        raise NotImplementedError

    @pytest.fixture
    def make(self, spec: ControllerSpec) -> Make:
        def make(space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 3) -> Controller:
            return make_controller(spec, space=space, constraints=constraints, seed=seed)

        return make

    # 1. Proposals.

    def test_trial_0_is_the_baseline(self, make: Make) -> None:
        space = Space.parse(load("tiny"), input_shape=(1, 8, 8), classes=10)
        proposal = make(space).ask(0)
        assert proposal.choices == space.baseline()

    def test_an_infeasible_baseline_is_not_proposed(self, make: Make) -> None:
        toy = line(5)
        limit = Above(analyse(toy.sample(lambda d: d.options[0])).params)
        assert make(toy, constraints=[limit]).ask(0).choices["width"] != 1

    @pytest.mark.sweep
    @pytest.mark.parametrize("workers", [1, 8])
    def test_every_ask_proposes_a_new_architecture_of_the_space(self, make: Make, workers: int) -> None:
        toy, trials = chain(2), 40 if workers == 1 else share(self.asks, least=60)
        history = search(make(toy), Faulty(toy=toy, noise=0.02), trials=trials, workers=workers)
        proposed = hashes([told.proposal for told in history])
        assert len(set(proposed)) == len(proposed) == trials
        assert set(proposed) <= toy.table.keys()
        assert sorted(told.proposal.number for told in history) == list(range(trials))

    def test_choices_lead_to_the_architecture(self, make: Make) -> None:
        toy = chain(2)
        controller = make(toy)
        for number in range(30):
            proposal = controller.ask(number)
            assert toy.sample(lambda d: proposal.choices[d.name]) == proposal.architecture  # noqa: B023
            controller.tell(completed(number, toy.reward(proposal.choices)))

    def test_constraints_are_kept(self, make: Make) -> None:
        toy = chain(2)
        sizes = sorted(analyse(toy.sample(_random_choose(seed))).params for seed in range(60))
        limit = AtMost(measure="params", limit=sizes[12])  # about one walk in five
        history = search(make(toy, constraints=[limit]), Faulty(toy=toy), trials=40, workers=4)
        assert len(history) == 40
        assert all(limit.holds(analyse(told.proposal.architecture).measures) for told in history)

    def test_a_real_space_with_constraints_of_its_own(self, make: Make) -> None:
        document = {**load("tiny"), "constraints": ["params <= 4000"]}
        space = Space.parse(document, input_shape=(1, 8, 8), classes=10)
        controller = make(space)
        for number in range(15):
            proposal = controller.ask(number)
            assert space.feasible(analyse(proposal.architecture))
            controller.tell(completed(number, 0.1 * (number % 7)))

    # 2, 3. Open trials and their outcomes.

    def test_only_open_trials_can_be_told(self, make: Make) -> None:
        toy = chain(2)
        controller = make(toy)
        with pytest.raises(UnknownTrial, match="trial 0 was never asked"):
            controller.tell(completed(0, 0.5))
        controller.ask(0)
        controller.tell(completed(0, 0.5))
        with pytest.raises(UnknownTrial, match="trial 0 was told before"):
            controller.tell(completed(0, 0.5))

    def test_a_cancelled_trial_teaches_nothing_but_is_not_proposed_again(self, make: Make) -> None:
        toy = line(6)
        controller = make(toy)
        first = controller.ask(0)
        controller.tell(Outcome(number=0, state=TrialState.CANCELLED, reason="on request"))
        with pytest.raises(UnknownTrial):
            controller.tell(completed(0, 0.5))
        assert first.architecture.hash not in hashes([controller.ask(number) for number in range(1, 6)])

    def test_the_order_of_tells_does_not_matter(self, make: Make) -> None:
        toy = chain(2)
        answers = []
        for reverse in (False, True):
            controller = make(toy)
            proposals = [controller.ask(number) for number in range(40)]
            for proposal in reversed(proposals) if reverse else proposals:
                controller.tell(any_end(toy, proposal))
            answers.append(onward(controller, toy, first=40))
        assert answers[0] == answers[1]

    def test_every_third_trial_fails_or_is_nan(self, make: Make) -> None:
        toy = chain(2)
        history = search(make(toy), Faulty(toy=toy, failing=0.2, nan=0.1), trials=60, workers=3)
        failed = sum(told.outcome.state is TrialState.FAILED for told in history)
        assert len(set(hashes([told.proposal for told in history]))) == 60
        assert 5 < failed < 35

    @pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.INFEASIBLE, TrialState.PRUNED])
    def test_nothing_ever_completes(self, make: Make, state: TrialState) -> None:
        toy = chain(2)
        controller = make(toy)
        seen = set()
        for number in range(40):
            seen.add(controller.ask(number).architecture.hash)
            value, reason = (0.1, None) if state is TrialState.PRUNED else (None, "on purpose")
            controller.tell(Outcome(number=number, state=state, value=value, reason=reason, epochs=1))
        assert len(seen) == 40

    def test_values_of_any_size(self, make: Make) -> None:
        toy = chain(2)
        controller = make(toy)
        values = [0.0, 1e300, -1e300, 5e-324, 0.5, 0.5, -0.0, 1e12, 3.0]
        for number in range(36):
            controller.ask(number)
            controller.tell(completed(number, values[number % len(values)]))
        json.dumps(controller.state(), allow_nan=False)

    def test_several_objectives(self, spec: ControllerSpec) -> None:
        toy = chain(2)
        answers = []
        for reverse in (False, True):
            controller = make_controller(spec, space=toy, seed=3, objectives=2)
            proposals = [controller.ask(number) for number in range(30)]
            for proposal in reversed(proposals) if reverse else proposals:
                controller.tell(two_valued(toy, proposal))
            answers.append(hashes([controller.ask(number) for number in range(30, 34)]))
        assert answers[0] == answers[1]

    # 4. The end of a space.

    def test_a_space_of_one_point(self, make: Make) -> None:
        controller = make(line(1))
        controller.ask(0)
        for number in (1, 2):
            with pytest.raises(SpaceExhausted):
                controller.ask(number)
        controller.tell(completed(0, 0.5))
        with pytest.raises(SpaceExhausted):
            controller.ask(3)

    @pytest.mark.parametrize("toy", [line(7), fork(), cliff()], ids=lambda toy: toy.name)
    def test_every_architecture_is_reached_before_the_end(self, make: Make, toy: Toy) -> None:
        assert set(hashes(drain(make(toy), len(toy.table)))) == toy.table.keys()

    def test_every_feasible_architecture_is_reached_before_the_end(self, make: Make) -> None:
        toy = chain(2)
        architectures = [toy.sample(_random_choose(seed)) for seed in range(60)]
        limit = AtMost(measure="params", limit=sorted(analyse(a).params for a in architectures)[1])
        proposals = drain(make(toy, constraints=[limit]), 200)
        assert len(proposals) == sum(limit.holds(measures) for measures in _all_measures(toy))
        assert len(set(hashes(proposals))) == len(proposals) > 0

    def test_nothing_is_feasible(self, make: Make) -> None:
        with pytest.raises(SpaceExhausted, match="no new feasible architecture"):
            make(fork(), constraints=[AtMost(measure="params", limit=0)]).ask(0)

    # 5. History alone decides.

    def test_the_same_seed_asks_the_same(self, make: Make) -> None:
        toy = chain(3)
        same, again, other = (onward(make(toy, seed=seed), toy, first=0, asks=16) for seed in (5, 5, 6))
        assert same == again != other

    def test_restored_in_a_fresh_process_it_asks_the_same(
        self, make: Make, spec: ControllerSpec, fresh: "Fresh"
    ) -> None:
        toy = chain(2)
        controller = make(toy, seed=11)
        history = disorderly_history(controller, toy, trials=60, window=6)
        assert sum(outcome is None for _, outcome in history) == 5
        expected = onward(controller, toy, first=60)
        request = {"name": spec.name, "options": dict(spec.options), "seed": 11, "history": history_to_json(history)}
        assert fresh.ask(request) == json.loads(json.dumps(expected))

    def test_restored_trials_can_still_be_told(self, make: Make) -> None:
        toy = chain(2)
        proposal = make(toy).ask(0)
        controller = make(toy)
        controller.restore(proposal, None)
        controller.tell(completed(0, 0.5))
        assert controller.ask(1).architecture.hash != proposal.architecture.hash

    def test_a_trial_of_another_space_is_rejected(self, make: Make) -> None:
        with pytest.raises(Conflict, match="trial 0 was drawn from another space"):
            make(chain(2)).restore(make(line(3)).ask(0), None)

    # 6. The state, for people.

    def test_the_state_is_json(self, make: Make) -> None:
        toy = fork()
        controller = make(toy)
        json.dumps(controller.state(), allow_nan=False)
        search(controller, Faulty(toy=toy), trials=10, workers=2)
        json.dumps(controller.state(), allow_nan=False)


class Above:
    """A constraint that the smallest architecture violates."""

    def __init__(self, params: int) -> None:
        self.params = params
        self.text = f"params > {params}"

    def violation(self, measures: Any) -> float:
        return max(0.0, self.params + 1 - float(measures["params"]))


def _random_choose(seed: int) -> Callable[[Any], Any]:
    rng = np.random.default_rng(seed)
    return lambda decision: decision.options[int(rng.integers(len(decision.options)))]


def _all_measures(toy: Toy) -> list[Mapping[str, float]]:
    return [analyse(architecture).measures for _, architecture in every_walk(toy) if architecture is not None]
