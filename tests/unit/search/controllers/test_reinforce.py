"""The policy gradient against the exact one, and the policy as a function of the history."""

import math
from collections.abc import Iterable

import numpy as np
import pytest

from search.controllers.reinforce import ReinforceController
from search.learning_curves import Curve
from search.policy.policy import CLIP, Advantage, Policy, Replay, step
from search.proposing.controller import Proposal
from search.proposing.proposer import OpenProposal
from search.proposing.walks import every_walk
from search.testing.toys import Toy, chain, fork
from search.trial import Outcome, TrialState
from space.architecture import Architecture
from space.decision import Decision

THREE = Decision(name="kernel", options=(1, 3, 5), ordered=True)


def some_policy(toy: Toy, seed: int) -> Policy:
    """Logits of standard deviation 1 for every decision of the toy."""
    rng = np.random.default_rng(seed)
    policy = Policy()
    for walk, _ in every_walk(toy):
        for decision in walk.decisions:
            policy.indices(decision)
    policy.logits = {name: rng.normal(size=len(vector)) for name, vector in policy.logits.items()}
    return policy


def fresh(toy: Toy, policy: Policy) -> list[tuple[float, float, OpenProposal]]:
    """Of every walk: its probability, its true value, and the trial with the policy's own probabilities."""
    rows = []
    for number, (walk, architecture) in enumerate(every_walk(toy)):
        assert architecture is not None
        behaviour = {
            d.name: float(policy.probabilities(d)[d.options.index(walk.choices[d.name])]) for d in walk.decisions
        }
        proposal = Proposal(number=number, architecture=architecture, choices=walk.choices, behaviour=behaviour)
        trial = OpenProposal(proposal=proposal, decisions=tuple(walk.decisions))
        rows.append((math.prod(behaviour.values()), toy.reward(walk.choices), trial))
    return rows


def exact_gradient(toy: Toy, policy: Policy, entropy: float) -> dict[tuple[str, int], float]:
    """d/d theta of sum of pi(walk) R(walk) + entropy * sum of pi0(walk) H(its decisions), by the complex step.

    Written from the definition alone: a masked softmax is one over the offered options' logits. The derivative along
    one logit is Im f(theta + i h) / h, exact to rounding for h = 1e-30. pi0 is pi held at its present value.
    """
    rows = [(pi0, reward, trial) for pi0, reward, trial in fresh(toy, policy)]

    def objective(theta: dict[str, np.ndarray]) -> complex:
        total = 0j
        for pi0, reward, trial in rows:
            probability, spread = 1.0 + 0j, 0j
            for decision in trial.decisions:
                labels = [(type(option).__name__, option) for option in decision.options]
                weights = np.exp([theta[decision.name][policy.options[decision.name].index(label)] for label in labels])
                chances = weights / weights.sum()
                probability *= chances[decision.options.index(trial.proposal.choices[decision.name])]
                spread -= (chances * np.log(chances)).sum()
            total += probability * reward + entropy * pi0 * spread
        return total

    gradient = {}
    for name, vector in policy.logits.items():
        for index in range(len(vector)):
            theta = {key: value.astype(complex) for key, value in policy.logits.items()}
            theta[name][index] += 1e-30j
            gradient[name, index] = objective(theta).imag / 1e-30
    return gradient


@pytest.mark.parametrize("entropy", [0.0, 0.3])
@pytest.mark.parametrize("baseline", [0.0, 0.4])
def test_the_mean_step_is_the_exact_gradient(entropy: float, baseline: float) -> None:
    toy = fork()
    policy = some_policy(toy, seed=4)
    rows = fresh(toy, policy)
    assert len(rows) == 18
    assert sum(pi for pi, _, _ in rows) == pytest.approx(1.0, abs=1e-12)
    mean = {name: np.zeros_like(vector) for name, vector in policy.logits.items()}
    for probability, reward, trial in rows:
        moved = policy.copy()
        moved.learn(trial, advantage=reward - baseline, rate=1.0, entropy=entropy)
        for name in mean:
            mean[name] += probability * (moved.logits[name] - policy.logits[name])
    exact = exact_gradient(toy, policy, entropy)
    assert max(abs(value) for value in exact.values()) > 0.01
    for (name, index), value in exact.items():
        assert mean[name][index] == pytest.approx(value, abs=1e-10), (name, index)


def test_a_decision_that_is_not_on_the_walk_is_not_moved() -> None:
    toy = fork()
    policy = some_policy(toy, seed=1)
    trial = next(trial for _, _, trial in fresh(toy, policy) if trial.proposal.choices["op"] == "pool")
    before = policy.copy()
    policy.learn(trial, advantage=1.0, rate=1.0, entropy=0.5)
    moved = {name for name in before.logits if not np.array_equal(before.logits[name], policy.logits[name])}
    assert moved == {"op", "kind"}


def test_options_that_are_not_offered_have_no_chance_and_are_not_moved() -> None:
    policy = Policy()
    few = Decision(name="activation", options=("relu", "silu"), ordered=False)
    many = Decision(name="activation", options=("relu", "gelu", "silu"), ordered=False)
    policy.indices(many)
    policy.logits["activation"] = np.array([0.0, 50.0, 1.0])
    assert policy.probabilities(few) == pytest.approx([1 / (1 + math.e), math.e / (1 + math.e)])
    proposal = Proposal(number=0, architecture=_any_architecture(), choices={"activation": "silu"})
    policy.learn(OpenProposal(proposal=proposal, decisions=(few,)), advantage=1.0, rate=1.0, entropy=0.1)
    assert policy.logits["activation"][1] == 50.0


def test_equal_numbers_of_different_types_are_different_options() -> None:
    policy = Policy()
    assert policy.indices(Decision(name="x", options=(1, 2), ordered=True)) == [0, 1]
    assert policy.indices(Decision(name="x", options=(True, False), ordered=False)) == [2, 3]


def test_late_outcomes_are_weighted_per_decision_by_at_most_one() -> None:
    chances = np.array([0.2, 0.3, 0.5])
    fresh_step = step(chances, 1, 0.3, advantage=2.0, entropy=0.0)
    assert fresh_step == pytest.approx(2.0 * (np.array([0.0, 1.0, 0.0]) - chances))
    assert step(chances, 1, 0.6, advantage=2.0, entropy=0.0) == pytest.approx(fresh_step / 2)
    assert step(chances, 1, 0.1, advantage=2.0, entropy=0.0) == pytest.approx(fresh_step), "truncated at 1"


def test_a_decision_that_drifted_does_not_reduce_the_others() -> None:
    a, b = Decision(name="a", options=(0, 1), ordered=True), Decision(name="b", options=(0, 1), ordered=True)
    policy = Policy()
    behaviour = {"a": 0.5, "b": 1.0}
    proposal = Proposal(number=0, architecture=_any_architecture(), choices={"a": 1, "b": 1}, behaviour=behaviour)
    policy.learn(OpenProposal(proposal=proposal, decisions=(a, b)), advantage=1.0, rate=1.0, entropy=0.0)
    assert policy.logits["a"] == pytest.approx([-0.5, 0.5]), "its ratio is 1"
    assert policy.logits["b"] == pytest.approx([-0.25, 0.25]), "its ratio is one half"


def test_the_entropy_bonus_flattens() -> None:
    sharp = np.array([0.9, 0.05, 0.05])
    bonus = step(sharp, 0, 0.9, advantage=0.0, entropy=1.0)
    assert bonus[0] < 0 < bonus[1] == bonus[2]
    assert bonus.sum() == pytest.approx(0.0, abs=1e-12)
    assert step(np.full(3, 1 / 3), 0, 1 / 3, advantage=0.0, entropy=1.0) == pytest.approx(np.zeros(3), abs=1e-12)
    assert np.isfinite(step(np.array([1.0, 0.0]), 0, 1.0, advantage=1.0, entropy=1.0)).all()


def test_the_moving_average_form_is_free_of_scale() -> None:
    values = [0.5, 0.7, 0.4, 0.9, 0.1, None, 0.6]
    small, large = Advantage(kind="ema", decay=0.9), Advantage(kind="ema", decay=0.9)
    ours = [small.advantage(v) for v in values]
    theirs = [large.advantage(v if v is None else 1000 * v - 300) for v in values]
    assert ours == pytest.approx(theirs)
    assert ours[0] == 0.0, "one value is neither good nor bad"
    assert ours[1] > 0 > ours[2]
    assert ours[5] == -0.5, "a failure has no scale"
    assert max(abs(a) for a in ours) <= CLIP


def test_the_quantile_form_teaches_the_top_quarter() -> None:
    values = Advantage(kind="quantile", decay=0.9)
    assert values.advantage(0.5) == 0.0
    for value in np.linspace(0.0, 1.0, 99):
        values.advantage(float(value))
    assert values.advantage(2.0) == pytest.approx(1.0, abs=0.03)
    assert values.advantage(0.7) == 0.0
    assert values.advantage(0.88) == pytest.approx(0.5, abs=0.06)
    assert values.advantage(None) == 0.0


@pytest.mark.heavy
@pytest.mark.parametrize("late", [0, 31, 32, 63, 70])
def test_a_late_outcome_ends_in_the_same_policy(late: int) -> None:
    toy = chain(2)
    proposals = []
    told = []
    for order in ("in order", "late"):
        controller = ReinforceController(toy, seed=1)
        proposals = [controller.ask(number) for number in range(100)]
        ends = [Outcome(number=p.number, state=TrialState.COMPLETED, value=toy.reward(p.choices)) for p in proposals]
        if order == "late":
            ends.append(ends.pop(late))
        for end in ends:
            controller.tell(end)
            _ = controller.policy  # learns what has ended so far
        policy = controller.policy
        told.append({name: dict(zip(policy.options[name], policy.logits[name], strict=True)) for name in policy.logits})
    assert told[0] == told[1]


class Learned:
    """A learner that remembers what it was taught, in order."""

    def __init__(self, values: Iterable[float | Curve | None] = ()) -> None:
        self.values = list(values)

    def learn(self, trial: OpenProposal, value: float | Curve | None) -> None:
        self.values.append(value)

    def copy(self) -> "Learned":
        return Learned(self.values)


def test_a_long_fold_keeps_few_checkpoints_and_takes_what_comes_late_all_the_same() -> None:
    count, rng = 2_000, np.random.default_rng(0)
    replay = Replay(Learned)
    trial = OpenProposal(proposal=Proposal(number=0, architecture=_any_architecture(), choices={}), decisions=())
    late = set(rng.choice(count, size=40, replace=False).tolist())
    for number in range(count):
        if number not in late:
            replay.add(number, trial, float(number))
    assert len(replay.learner.values) == count - len(late)
    for number in rng.permutation(sorted(late)).tolist():
        replay.add(number, trial, float(number))
        assert len(replay.learner.values) == len(replay)
        assert len(replay._checkpoints) <= 8 + 4 * math.log2(count / 32 / 8) + 2
    assert replay.learner.values == [float(number) for number in range(count)]


def test_the_state_shows_the_probabilities() -> None:
    controller = ReinforceController(fork(), seed=1)
    controller.ask(0)
    controller.tell(Outcome(number=0, state=TrialState.COMPLETED, value=0.5))
    state = controller.state()
    assert state["told"] == 1
    assert sum(state["probabilities"]["op"].values()) == pytest.approx(1.0)


def _any_architecture() -> Architecture:
    return fork().sample(lambda decision: decision.options[0])
