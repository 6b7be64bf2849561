"""A policy over a space's decisions, and how it learns from trials (REINFORCE: Williams 1992; Zoph & Le 2017).

The policy holds one logit per decision name and option. A walk asks decision after decision, and which are asked and
what they offer depends on the answers before: that is the autoregression, and no recurrent network is needed for it.

    pi(o | d) = exp(theta[d, o]) / sum over the options o' offered on this walk of exp(theta[d, o'])

An option that is not offered has probability 0 (a logit of minus infinity), a decision that is not asked adds nothing.
A told trial with answers o_d to its decisions d moves the logits of each d by

    theta[d, .] += rate * ( rho_d * A * (onehot(o_d) - pi(. | d)) + entropy * grad H(pi(. | d)) )
    rho_d        = min(1, pi(o_d | d) / mu_d)            late results: per decision, never the product, and at most 1
    grad H       = -pi * (log pi + H)

where mu_d is the probability with which the trial's own ask chose o_d (V-trace's truncation, Espeholt et al. 2018). For
fresh results rho is 1 and the mean of this step over walks is the gradient of E[R] plus `entropy` times that of the
entropies of the decisions met, the visits held fixed: with visits in, a deep walk would earn by asking more questions.

The advantage A has two forms, both free of the metric's scale:

    "quantile"   4 * max(0, q - 3/4), q the quantile of the value among all values so far. Only the top quarter
                 teaches (risk-seeking: Petersen et al. 2021).
    "ema"        (value - b) / s, cut at 3: b the exponential moving average of values, s that of |value - b|.

Trials that were stopped early are compared with each other one at the last epoch that both were measured at (see
`ranking.py`), in the quantile and in the average alike: a value is never held against one of another epoch.

Failed and infeasible trials have no value; A is 0 in the first form, its lowest, and -1/2 in the second. On `chain` of
`search/testing/toys.py` -1/2 leaves what always fails (5 % of the layers instead of 33 %) and bears 30 % that fail by
chance (better than random in 38 of 40 seeds; in 28 when a failure counts like the worst value so far, 39 when it counts
0).

What has learned is a fold of the told trials in order of their numbers, whatever the order of the tells: a late tell
rolls it back to the last checkpoint before it. So history alone decides, and a restored policy is equal to the bit.
"""

import bisect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from search.learning_curves import Curve, Standings, as_curve, at_shared
from search.proposing.proposer import OpenProposal
from search.proposing.walks import Picker
from space.decision import Decision, Option

Vector = npt.NDArray[np.float64]
Label = tuple[str, Option]

TOP = 0.75
"""The quantile above which a value teaches."""

CUT = 3.0
"""The largest advantage, in spreads."""

FAILED = -0.5
"""The advantage of a trial without a value in the "ema" form, in spreads."""

FORGOTTEN = 1e-6
"""The weight in the moving average below which a value no longer counts."""

CHECKPOINT_EVERY = 32
"""Trials between kept copies of the policy: a late tell replays at most so many more, about 0.3 ms each."""


@dataclass(kw_only=True, slots=True)
class Policy:
    """The logits. Vectors are replaced and never written into, so a shallow copy is a checkpoint.

    _drawn: by decision name and options on offer, the chances and their sums; they are good until the logits move.
    """

    logits: dict[str, Vector] = field(default_factory=dict)
    options: dict[str, tuple[Label, ...]] = field(default_factory=dict)
    _drawn: dict[str, dict[tuple[Option, ...], tuple[list[float], list[float]]]] = field(default_factory=dict)

    def copy(self) -> "Policy":
        return Policy(logits=dict(self.logits), options=dict(self.options))

    def places(self, decision: Decision) -> list[int]:
        """Where the offered options stand in the decision's logits; new ones are added at 0."""
        known = self.options.get(decision.name, ())
        labels = [_label(option) for option in decision.options]
        fresh = tuple(label for label in labels if label not in known)
        if fresh:
            known = self.options[decision.name] = known + fresh
            before = self.logits.get(decision.name, np.zeros(0))
            self.logits[decision.name] = np.concatenate([before, np.zeros(len(fresh))])
        return [known.index(label) for label in labels]

    def probabilities(self, decision: Decision) -> Vector:
        """The chance of each of `decision.options`: a softmax over those alone."""
        places = self.places(decision)
        offered: Vector = self.logits[decision.name][places]
        return softmax(offered)

    def picker(self, rng: np.random.Generator) -> Picker:
        """Answers drawn from the policy, with their probabilities."""

        def pick(decision: Decision) -> tuple[Option, float]:
            of = self._drawn.setdefault(decision.name, {})
            if decision.options not in of:
                fresh = self.probabilities(decision)
                of[decision.options] = fresh.tolist(), fresh.cumsum().tolist()
            chances, sums = of[decision.options]
            index = min(bisect.bisect_right(sums, rng.random()), len(chances) - 1)
            return decision.options[index], chances[index]

        return pick

    def shown(self) -> dict[str, dict[str, float]]:
        """Per decision, the probability of each option were all of them offered."""
        return {
            name: {str(option): float(p) for (_, option), p in zip(self.options[name], softmax(logits), strict=True)}
            for name, logits in self.logits.items()
        }

    def learn(self, asked: OpenProposal, *, advantage: float, rate: float, entropy: float) -> None:
        """One told trial moves the logits of the decisions on its walk, and no others."""
        for decision in asked.decisions:
            behaviour = asked.proposal.behaviour.get(decision.name, 1.0)
            answer = asked.proposal.choices[decision.name]
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
        """One decision. behaviour: the probability with which it was answered; None, as the policy is now."""
        chances, chosen = self.probabilities(decision), decision.options.index(answer)
        before = float(chances[chosen]) if behaviour is None else behaviour
        self.shift(decision, rate * step(chances, chosen, before, advantage=advantage, entropy=entropy))

    def shift(self, decision: Decision, change: Vector) -> None:
        """Add to the logits of the options offered, (options,)."""
        moved = self.logits[decision.name].copy()
        moved[self.places(decision)] += change
        self.logits[decision.name] = moved
        self._drawn.pop(decision.name, None)


def _label(option: Option) -> Label:
    return type(option).__name__, option  # 1, 1.0 and True are different answers


@dataclass(kw_only=True, slots=True)
class Advantage:
    """What a value is measured against.

    so_far: the quantile's. recent: the average's, with their weights, which sum to 1; plain means until there are
    1 / (1 - decay) values. spread: moving mean of the distance from the average.
    """

    kind: Literal["ema", "quantile"]
    decay: float
    so_far: Standings = field(default_factory=Standings)
    recent: list[tuple[float, Curve]] = field(default_factory=list)
    spread: float = 0.0

    def copy(self) -> "Advantage":
        return replace(self, so_far=self.so_far.copy(), recent=list(self.recent))

    def advantage(self, value: float | Curve | None) -> float:
        """Of a trial with this value or curve, which is counted in; None where nothing was measured, which is not."""
        if value is None:
            return FAILED if self.kind == "ema" else 0.0
        curve = as_curve(value)
        self.so_far.add(curve)
        if self.kind == "quantile":
            return max(0.0, self.so_far.quantile(curve) - TOP) / (1.0 - TOP)
        return self._cut(self._difference(curve))

    def _cut(self, difference: float) -> float:
        if self.spread == 0.0:
            return 0.0
        return min(CUT, max(-CUT, difference / self.spread))

    def _difference(self, curve: Curve) -> float:
        """From the average, which moves on."""
        compared = [(weight, at_shared(curve, other)) for weight, other in self.recent]
        known = [(weight, both[0] - both[1]) for weight, both in compared if both is not None]
        total = math.fsum(weight for weight, _ in known)
        difference = math.fsum(weight * gap for weight, gap in known) / total if total else 0.0
        count = self.so_far.count
        weight = max(1.0 - self.decay, 1.0 / count)
        kept = [(one * (1.0 - weight), other) for one, other in self.recent]
        self.recent = [*(one for one in kept if one[0] > FORGOTTEN), (weight, curve)]
        self.spread += max(1.0 - self.decay, 1.0 / max(1, count - 1)) * (abs(difference) - self.spread)
        return difference


def step(probabilities: Vector, chosen: int, behaviour: float, *, advantage: float, entropy: float) -> Vector:
    """The direction in which one decision's offered logits move; see the equations above. Shapes: (options,)."""
    rho = min(1.0, float(probabilities[chosen]) / behaviour)
    score = -probabilities
    score[chosen] += 1.0
    logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    spread = -probabilities * (logs - probabilities @ logs)
    return rho * advantage * score + entropy * spread


class Learner(Protocol):
    """What learns from trials, one after the other."""

    def learn(self, asked: OpenProposal, value: float | Curve | None) -> None:
        """value: a curve where trials are stopped early; None where nothing was measured."""

    def copy(self) -> Self:
        """A checkpoint."""


@dataclass(kw_only=True, slots=True)
class OnlineLearner:
    """Learns from each trial as it comes."""

    policy: Policy
    values: Advantage
    rate: float
    entropy: float

    def learn(self, asked: OpenProposal, value: float | Curve | None) -> None:
        self.policy.learn(asked, advantage=self.values.advantage(value), rate=self.rate, entropy=self.entropy)

    def copy(self) -> "OnlineLearner":
        return replace(self, policy=self.policy.copy(), values=self.values.copy())


S = TypeVar("S", bound=Learner)


@dataclass(frozen=True, kw_only=True, slots=True)
class _End:
    number: int
    asked: OpenProposal
    value: float | Curve | None


class Replay(Generic[S]):
    """A student after all told trials, in order of their numbers.

    begin: makes the student that has learned nothing yet; called when it is first looked at.
    """

    def __init__(self, begin: Callable[[], S]) -> None:
        self._begin = begin
        self._student: S | None = None
        self._ends: list[_End] = []  # in order of number
        self._folded = 0  # how many of them the student has learned
        self._checkpoints: dict[int, S] = {}  # before end 0, 32, 64 ..., by how many times 32; see `worth_keeping`

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, number: int, asked: OpenProposal, value: float | Curve | None) -> None:
        place = bisect.bisect(self._ends, number, key=lambda end: end.number)
        self._ends.insert(place, _End(number=number, asked=asked, value=value))
        if place < self._folded:
            kept = max(one for one in self._checkpoints if one * CHECKPOINT_EVERY <= place)
            self._student = self._checkpoints[kept].copy()
            self._folded = kept * CHECKPOINT_EVERY

    @property
    def student(self) -> S:
        if self._student is None:
            self._student = self._begin()
        while self._folded < len(self._ends):
            if self._folded % CHECKPOINT_EVERY == 0:
                newest = self._folded // CHECKPOINT_EVERY
                kept = {one: s for one, s in self._checkpoints.items() if one < newest and worth_keeping(one, newest)}
                self._checkpoints = {**kept, newest: self._student.copy()}
            end = self._ends[self._folded]
            self._student.learn(end.asked, end.value)
            self._folded += 1
        return self._student


def worth_keeping(checkpoint: int, newest: int) -> bool:
    """The latest eight, and four for each doubling of the way back: each holds all values before it."""
    back = (newest - checkpoint) // 8
    return checkpoint % (1 << back.bit_length()) == 0


def practise(
    policy: Policy, attempts: Iterable[tuple[OpenProposal, float | None]], *, rate: float, entropy: float
) -> None:
    """Free steps on what costs no training, such as the number of parameters; the top quarter teaches, as in trials.

    attempts: walks and what they are worth. They are made one after the other, by the policy as it is then.
    """
    follower = OnlineLearner(policy=policy, values=Advantage(kind="quantile", decay=0.9), rate=rate, entropy=entropy)
    for asked, value in attempts:
        follower.learn(asked, value)


def softmax(logits: Vector) -> Vector:
    weights: Vector = np.exp(logits - logits.max())
    weights /= weights.sum()
    return weights
