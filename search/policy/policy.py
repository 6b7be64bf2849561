"""A policy over a space's decisions, and how it learns from trials (REINFORCE: Williams 1992; Zoph & Le 2017).

The policy holds one logit per decision name and option. A walk asks decision after decision, and which are asked and
which options they offer depends on the answers before: this makes the policy autoregressive without a recurrent
network.

    pi(o | d) = exp(theta[d, o]) / sum over the options o' offered on this walk of exp(theta[d, o'])               (1)

An option that is not offered has probability 0 (a logit of minus infinity); a decision that is not asked contributes
nothing. A trial with the answers o_d to its decisions d and the advantage A moves the logits of each d by

    theta[d, .] += rate * ( rho_d * A * (onehot(o_d) - pi(. | d)) + entropy * grad H(pi(. | d)) )                  (2)
    rho_d        = min(1, pi(o_d | d) / mu_d)            for late outcomes: per decision, not as a product           (3)
    grad H       = -pi * (log pi + H)                                                                              (4)

where mu_d is the probability with which o_d was chosen when the trial was asked. The weight rho_d is an importance
weight truncated at 1, as in V-trace (Espeholt et al. 2018, section 4.1). For on-policy trials rho is 1, and the mean of
this step over walks is the gradient of E[R] plus `entropy` times that of the entropies of the decisions met, with the
probability of meeting them held fixed: otherwise a deep walk would earn a bonus for asking more decisions.

The advantage A has two forms, neither of which depends on the scale of the metric:

    "quantile"   4 * max(0, q - 3/4), where q is the quantile of the value among all values so far. Only the top
                 quarter teaches (risk-seeking policy gradient: Petersen et al. 2021).
    "ema"        (value - b) / s, clipped at 3: b the exponential moving average of values, s that of |value - b|.

Trials that were stopped early are compared with each other trial at the last epoch at which both were measured (see
`search/learning_curves.py`), in the quantile and in the average alike: a value is never compared with one of another
epoch.

Failed and infeasible trials have no value; A is 0 in the first form, its minimum, and -1/2 in the second. On `chain` of
`search/testing/toys.py` -1/2 learns to avoid what always fails (5 % of the layers instead of 33 %) and tolerates 30 %
of failures by chance (better than random in 38 of 40 seeds; in 28 when a failure counts like the worst value so far, in
39 when it counts 0).

A learner is a fold over the ended trials in order of their numbers, whatever the order of the outcomes: a late outcome
rolls it back to the last checkpoint before it (`Replay`). So history alone decides, and a restored policy is equal to
the last bit.
"""

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from search.learning_curves import Curve, CurveRanking, as_curve, at_shared
from search.proposing.proposer import OpenProposal
from search.proposing.walks import Picker
from space.decision import Decision, Option

Vector = npt.NDArray[np.float64]
Label = tuple[str, Option]

TOP = 0.75
"""The quantile above which a value teaches."""

CLIP = 3.0
"""The largest absolute advantage in the "ema" form, in moving deviations."""

FAILED = -0.5
"""The advantage of a trial without a value in the "ema" form, in moving deviations."""

NEGLIGIBLE = 1e-6
"""The weight in the moving average below which a value is dropped."""

CHECKPOINT_EVERY = 32
"""Trials between kept copies of the policy: a late outcome replays at most so many more, about 0.3 ms each."""


@dataclass(kw_only=True, slots=True)
class Policy:
    """The logits of (1).

    logits: by decision name, (options seen so far,). Vectors are replaced and never written into, so a shallow copy is
    a checkpoint.
    options: by decision name, the option of each logit.
    _cached: by decision name and options offered, their probabilities and cumulative sums; valid until the logits move.
    """

    logits: dict[str, Vector] = field(default_factory=dict)
    options: dict[str, tuple[Label, ...]] = field(default_factory=dict)
    _cached: dict[str, dict[tuple[Option, ...], tuple[list[float], list[float]]]] = field(default_factory=dict)

    def copy(self) -> "Policy":
        return Policy(logits=dict(self.logits), options=dict(self.options))

    def indices(self, decision: Decision) -> list[int]:
        """The index of each offered option in the decision's logits; options not seen before are added at 0."""
        known = self.options.get(decision.name, ())
        labels = [_label(option) for option in decision.options]
        new = tuple(label for label in labels if label not in known)
        if new:
            known = self.options[decision.name] = known + new
            before = self.logits.get(decision.name, np.zeros(0))
            self.logits[decision.name] = np.concatenate([before, np.zeros(len(new))])
        return [known.index(label) for label in labels]

    def probabilities(self, decision: Decision) -> Vector:
        """(offered options,) of `decision.options`: a softmax over those alone, equation (1)."""
        indices = self.indices(decision)  # first, since it may add to the logits
        offered: Vector = self.logits[decision.name][indices]
        return softmax(offered)

    def picker(self, rng: np.random.Generator) -> Picker:
        """Answers drawn from the policy, with their probabilities."""

        def pick(decision: Decision) -> tuple[Option, float]:
            cached = self._cached.setdefault(decision.name, {})
            if decision.options not in cached:
                fresh = self.probabilities(decision)
                cached[decision.options] = fresh.tolist(), fresh.cumsum().tolist()
            probabilities, sums = cached[decision.options]
            index = min(bisect.bisect_right(sums, rng.random()), len(probabilities) - 1)
            return decision.options[index], probabilities[index]

        return pick

    def to_json(self) -> dict[str, dict[str, float]]:
        """Per decision, the probability that each option would have if all seen so far were offered."""
        return {
            name: {str(option): float(p) for (_, option), p in zip(self.options[name], softmax(logits), strict=True)}
            for name, logits in self.logits.items()
        }

    def learn(self, trial: OpenProposal, *, advantage: float, rate: float, entropy: float) -> None:
        """The step (2) for the decisions on the walk of one trial."""
        for decision in trial.decisions:
            behaviour = trial.proposal.behaviour.get(decision.name, 1.0)
            answer = trial.proposal.choices[decision.name]
            self.move(decision, answer, behaviour, advantage=advantage, rate=rate, entropy=entropy)

    def move(
        self,
        decision: Decision,
        answer: Option,
        behaviour: float | None = None,
        *,
        advantage: float,
        rate: float,
        entropy: float,
    ) -> None:
        """The step (2) for one decision. behaviour: mu_d of (3); None, the answer was drawn from the present policy."""
        probabilities, chosen = self.probabilities(decision), decision.options.index(answer)
        mu = float(probabilities[chosen]) if behaviour is None else behaviour
        self.shift(decision, rate * step(probabilities, chosen, mu, advantage=advantage, entropy=entropy))

    def shift(self, decision: Decision, change: Vector) -> None:
        """Add to the logits of the options offered. change: (offered options,)."""
        moved = self.logits[decision.name].copy()
        moved[self.indices(decision)] += change
        self.logits[decision.name] = moved
        self._cached.pop(decision.name, None)


def _label(option: Option) -> Label:
    return type(option).__name__, option  # 1, 1.0 and True are different answers


@dataclass(kw_only=True, slots=True)
class Advantage:
    """The advantage of a value among those before it.

    ranking: all values so far, for the quantile. recent: the curves in the moving average and their weights, which sum
    to 1; plain means until there are 1 / (1 - decay) values. spread: moving mean of the distance from the average.
    """

    kind: Literal["ema", "quantile"]
    decay: float
    ranking: CurveRanking = field(default_factory=CurveRanking)
    recent: list[tuple[float, Curve]] = field(default_factory=list)
    spread: float = 0.0

    def copy(self) -> "Advantage":
        return replace(self, ranking=self.ranking.copy(), recent=list(self.recent))

    def advantage(self, value: float | Curve | None) -> float:
        """The advantage of a trial with this value or curve, which is counted in; None, the trial has no value."""
        if value is None:
            return FAILED if self.kind == "ema" else 0.0
        curve = as_curve(value)
        self.ranking.add(curve)
        if self.kind == "quantile":
            return max(0.0, self.ranking.quantile(curve) - TOP) / (1.0 - TOP)
        return self._clipped(self._difference(curve))

    def _clipped(self, difference: float) -> float:
        if self.spread == 0.0:
            return 0.0
        return min(CLIP, max(-CLIP, difference / self.spread))

    def _difference(self, curve: Curve) -> float:
        """The distance from the moving average, into which the curve is then counted."""
        compared = [(weight, at_shared(curve, other)) for weight, other in self.recent]
        known = [(weight, both[0] - both[1]) for weight, both in compared if both is not None]
        total = math.fsum(weight for weight, _ in known)
        difference = math.fsum(weight * gap for weight, gap in known) / total if total else 0.0
        count = self.ranking.count
        new_weight = max(1.0 - self.decay, 1.0 / count)
        decayed = [(weight * (1.0 - new_weight), other) for weight, other in self.recent]
        self.recent = [*(pair for pair in decayed if pair[0] > NEGLIGIBLE), (new_weight, curve)]
        self.spread += max(1.0 - self.decay, 1.0 / max(1, count - 1)) * (abs(difference) - self.spread)
        return difference


def step(probabilities: Vector, chosen: int, behaviour: float, *, advantage: float, entropy: float) -> Vector:
    """The bracket of (2): the direction of one decision's logits.

    probabilities: (offered options,), pi(. | d). chosen: the index of o_d. behaviour: mu_d. Returns (offered options,).
    """
    rho = min(1.0, float(probabilities[chosen]) / behaviour)
    score = -probabilities  # gradient of log pi(o_d | d)
    score[chosen] += 1.0
    logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    entropy_gradient = -probabilities * (logs - probabilities @ logs)  # (4), with H = -probabilities @ logs
    return rho * advantage * score + entropy * entropy_gradient


class Learner(Protocol):
    """Learns from trials, one after the other."""

    def learn(self, trial: OpenProposal, value: float | Curve | None) -> None:
        """value: a curve where trials may be stopped early; None where the trial has no value."""

    def copy(self) -> Self:
        """A checkpoint."""


class PolicyLearner(Learner, Protocol):
    """A learner whose result is a policy."""

    @property
    def policy(self) -> Policy:
        """The policy after all trials learned so far."""


@dataclass(kw_only=True, slots=True)
class OnlineLearner:
    """Learns from each trial as it comes."""

    policy: Policy
    advantages: Advantage
    rate: float
    entropy: float

    def learn(self, trial: OpenProposal, value: float | Curve | None) -> None:
        self.policy.learn(trial, advantage=self.advantages.advantage(value), rate=self.rate, entropy=self.entropy)

    def copy(self) -> "OnlineLearner":
        return replace(self, policy=self.policy.copy(), advantages=self.advantages.copy())


L = TypeVar("L", bound=Learner)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ended:
    number: int
    trial: OpenProposal
    value: float | Curve | None


class Replay(Generic[L]):
    """A learner after all ended trials, in order of their numbers.

    begin: makes the learner that has learned nothing yet; called when it is first looked at.
    """

    def __init__(self, begin: Callable[[], L]) -> None:
        self._begin = begin
        self._learner: L | None = None
        self._ended: list[_Ended] = []  # in order of number
        self._learned = 0  # how many of them the learner has learned
        self._checkpoints: dict[int, L] = {}  # before trial 0, 32, 64 ..., by how many times 32; see `worth_keeping`

    def __len__(self) -> int:
        return len(self._ended)

    def add(self, number: int, trial: OpenProposal, value: float | Curve | None) -> None:
        """A trial has ended; one that belongs before others that were learned rolls the learner back."""
        place = bisect.bisect(self._ended, number, key=lambda ended: ended.number)
        self._ended.insert(place, _Ended(number=number, trial=trial, value=value))
        if place < self._learned:
            latest = max(checkpoint for checkpoint in self._checkpoints if checkpoint * CHECKPOINT_EVERY <= place)
            self._learner = self._checkpoints[latest].copy()
            self._learned = latest * CHECKPOINT_EVERY

    @property
    def learner(self) -> L:
        """Learns what has ended since it was last looked at."""
        if self._learner is None:
            self._learner = self._begin()
        while self._learned < len(self._ended):
            if self._learned % CHECKPOINT_EVERY == 0:
                self._checkpoint(self._learner, self._learned // CHECKPOINT_EVERY)
            ended = self._ended[self._learned]
            self._learner.learn(ended.trial, ended.value)
            self._learned += 1
        return self._learner

    def _checkpoint(self, learner: L, newest: int) -> None:
        kept = {n: copy for n, copy in self._checkpoints.items() if n < newest and worth_keeping(n, newest)}
        self._checkpoints = {**kept, newest: learner.copy()}


def worth_keeping(checkpoint: int, newest: int) -> bool:
    """The latest eight, and four for each doubling of the distance: each copy holds all values before it."""
    distance = (newest - checkpoint) // 8
    return checkpoint % (1 << distance.bit_length()) == 0


def softmax(logits: Vector) -> Vector:
    """(n,) -> (n,)."""
    weights: Vector = np.exp(logits - logits.max())
    weights /= weights.sum()
    return weights
