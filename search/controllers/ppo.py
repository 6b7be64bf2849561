"""Proximal policy optimisation (Schulman et al. 2017; for architectures: Zoph et al. 2018, NASNet).

Trials are gathered into batches; each batch teaches the policy several times over, every decision as long as it has not
moved further than `clip` from what it was when the trial was asked:

    theta[d, .] += rate * ( w_d * A * (onehot(o_d) - pi(. | d)) + entropy * grad H(pi(. | d)) )
    w_d          = pi(o_d | d) / mu_d, and 0 once it is past 1 + clip where A > 0, or below 1 - clip where A < 0

The ratio is taken per decision, as in `policy.py`: a product over thirty decisions is clipped always or never.
Two passes over batches of eight; four over five or ten learn the batch by heart and find less.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from search.learning_curves import Curve, curve_of
from search.policy.policy import Advantage, Policy, Replay, Vector, step
from search.proposing.constraints import Constraint
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walks import Picker, SearchSpace
from search.trial import Outcome, TrialState


@dataclass(kw_only=True, slots=True)
class Batches:
    """Learns from `size` trials at a time, `passes` times. waiting: those of the batch that is not full yet."""

    policy: Policy
    values: Advantage
    rate: float
    entropy: float
    clip: float
    size: int
    passes: int
    waiting: list[tuple[OpenProposal, float]] = field(default_factory=list)

    def learn(self, asked: OpenProposal, value: float | Curve | None) -> None:
        self.waiting.append((asked, self.values.advantage(value)))
        if len(self.waiting) < self.size:
            return
        for _ in range(self.passes):
            for told, advantage in self.waiting:
                self._step(told, advantage)
        self.waiting = []

    def _step(self, asked: OpenProposal, advantage: float) -> None:
        choices, behaviour = asked.proposal.choices, asked.proposal.behaviour
        for decision in asked.decisions:
            chances = self.policy.probabilities(decision)
            chosen = decision.options.index(choices[decision.name])
            before = behaviour.get(decision.name, 1.0)
            change = clipped(chances, chosen, before, advantage=advantage, entropy=self.entropy, clip=self.clip)
            self.policy.shift(decision, self.rate * change)

    def copy(self) -> "Batches":
        return replace(self, policy=self.policy.copy(), values=self.values.copy(), waiting=list(self.waiting))


def clipped(
    probabilities: Vector, chosen: int, behaviour: float, *, advantage: float, entropy: float, clip: float
) -> Vector:
    """The direction in which one decision's offered logits move. Shapes: (options,)."""
    ratio = float(probabilities[chosen]) / behaviour
    past = ratio > 1.0 + clip if advantage > 0 else ratio < 1.0 - clip
    weight = 0.0 if past else min(ratio, 1.0 + clip) * advantage
    # a behaviour of the present chance makes step's own ratio 1
    return step(probabilities, chosen, float(probabilities[chosen]), advantage=weight, entropy=entropy)


class PpoController(Proposer):
    """Options.

    learning_rate: step on the logits, of each pass. entropy: weight of the entropy bonus, in units of the advantage.
    clip: how far a decision's probability may move on one batch. batch: trials; passes: over each batch.
    """

    keeps_behaviour: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        seed: int = 0,
        learning_rate: float = 0.5,
        entropy: float = 0.03,
        clip: float = 0.2,
        batch: int = 8,
        passes: int = 2,
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self._begun = Batches(
            policy=Policy(),
            values=Advantage(kind="quantile", decay=0.9),
            rate=learning_rate,
            entropy=entropy,
            clip=clip,
            size=batch,
            passes=passes,
        )
        self._fold = Replay(self._begun.copy)

    def picker(self, rng: np.random.Generator) -> Picker:
        return self.policy.picker(rng)

    def closed(self, asked: OpenProposal, outcome: Outcome) -> None:
        if outcome.state is not TrialState.CANCELLED:
            self._fold.add(outcome.number, asked, curve_of(outcome))

    @property
    def policy(self) -> Policy:
        """The policy after all full batches."""
        return self._fold.student.policy

    def state(self) -> dict[str, Any]:
        """How many trials it was told, and per decision the probability of each option."""
        return {"told": len(self._fold), "probabilities": self.policy.shown()}
