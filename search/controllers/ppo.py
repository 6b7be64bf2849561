"""Proximal policy optimisation (Schulman et al. 2017; for architectures: Zoph et al. 2018, NASNet).

Trials are gathered into batches; each batch is learned several times over, each decision until its probability has
moved by the factor 1 ± `clip` from what it was when the trial was asked:

    theta[d, .] += rate * ( w_d * A * (onehot(o_d) - pi(. | d)) + entropy * grad H(pi(. | d)) )
    w_d          = pi(o_d | d) / mu_d, and 0 once it is past 1 + clip where A > 0, or below 1 - clip where A < 0

This is the gradient of the clipped objective (Schulman et al. 2017, equation 7), in the terms of
`search/policy/policy.py`. The ratio is taken per decision, as there: a product over thirty decisions is clipped always
or never. Two passes over batches of eight; four over five or ten overfit the batch and find less.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from search.learning_curves import Curve
from search.policy.controller import PolicyController
from search.policy.policy import Advantage, Policy, Vector, step
from search.proposing.constraints import Constraint
from search.proposing.proposer import OpenProposal
from search.proposing.walks import SearchSpace


@dataclass(kw_only=True, slots=True)
class BatchLearner:
    """Learns from `size` trials at a time, `passes` times. waiting: the batch that is not full yet, with advantages."""

    policy: Policy
    advantages: Advantage
    rate: float
    entropy: float
    clip: float
    size: int
    passes: int
    waiting: list[tuple[OpenProposal, float]] = field(default_factory=list)

    def learn(self, trial: OpenProposal, value: float | Curve | None) -> None:
        self.waiting.append((trial, self.advantages.advantage(value)))
        if len(self.waiting) < self.size:
            return
        for _ in range(self.passes):
            for waiting, advantage in self.waiting:
                self._step(waiting, advantage)
        self.waiting = []

    def _step(self, trial: OpenProposal, advantage: float) -> None:
        choices, behaviour = trial.proposal.choices, trial.proposal.behaviour
        for decision in trial.decisions:
            probabilities = self.policy.probabilities(decision)
            chosen = decision.options.index(choices[decision.name])
            mu = behaviour.get(decision.name, 1.0)
            change = clipped(probabilities, chosen, mu, advantage=advantage, entropy=self.entropy, clip=self.clip)
            self.policy.shift(decision, self.rate * change)

    def copy(self) -> "BatchLearner":
        return replace(self, policy=self.policy.copy(), advantages=self.advantages.copy(), waiting=list(self.waiting))


def clipped(
    probabilities: Vector, chosen: int, behaviour: float, *, advantage: float, entropy: float, clip: float
) -> Vector:
    """The direction of one decision's logits: `step` of the policy, with w_d in the place of rho_d.

    probabilities: (offered options,), pi(. | d). behaviour: mu_d. Returns (offered options,).
    """
    ratio = float(probabilities[chosen]) / behaviour
    past = ratio > 1.0 + clip if advantage > 0 else ratio < 1.0 - clip
    weight = 0.0 if past else min(ratio, 1.0 + clip) * advantage
    # with the present probability as the behaviour, step's own ratio is 1
    return step(probabilities, chosen, float(probabilities[chosen]), advantage=weight, entropy=entropy)


class PpoController(PolicyController):
    """Options.

    learning_rate: step on the logits, of each pass. entropy: weight of the entropy bonus, in units of the advantage.
    clip: how far a decision's probability may move on one batch. batch: trials; passes: over each batch.
    """

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
        self.learning_rate, self.entropy = learning_rate, entropy
        self.clip, self.batch, self.passes = clip, batch, passes

    def new_learner(self) -> BatchLearner:
        return BatchLearner(
            policy=self.initial_policy(pretrained=False),
            advantages=Advantage(kind="quantile", decay=0.9),
            rate=self.learning_rate,
            entropy=self.entropy,
            clip=self.clip,
            size=self.batch,
            passes=self.passes,
        )
