"""Model-based policy gradient: a policy that is trained on the surrogate between trials.

A policy that learns from trials alone needs hundreds of them, and a surrogate alone needs candidates; each provides
what the other lacks. For every ask a copy of the policy draws walks, the surrogate (`search/surrogate/ensemble.py`)
gives the acquisition of each, the best quarter of a round teaches the copy (as in `search/policy/policy.py`), and the
next round is drawn from the changed copy. Of all walks drawn the one with the highest acquisition is tried. Its outcome
teaches both: the surrogate gets a point, the policy its gradient step.

The copy is dropped after the ask: what the policy itself has learned is from outcomes and from its pretraining on
parameter counts, so it is a function of the outcomes, whatever their order.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from search.policy.controller import PolicyController
from search.policy.policy import TOP, Advantage, OnlineLearner, Policy
from search.proposing.constraints import Constraint
from search.proposing.walks import Picker, SearchSpace, uniform
from search.streams import Stream, generator
from search.surrogate.controller import STARTS, InitialDesign, SurrogateController
from search.surrogate.posterior import Candidate, Posterior
from space.decision import Decision, Option


class PolicyModelController(PolicyController, SurrogateController):
    """Options: those of `SurrogateController` (the policy itself is pretrained on parameter counts unless `warm` is
    "none"), and

    learning_rate, entropy: of the steps on trials, as in `reinforce.py`.
    samples: walks drawn for each ask, at most; fewer where a walk has many decisions, and after many trials.
    """

    rounds: ClassVar[int] = 4  # of draws within one ask; the policy is trained between them
    surrogate_rate: ClassVar[float] = 0.3  # learning rate on the surrogate, that of the pretraining as well

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        seed: int = 0,
        starts: int = STARTS,
        warm: InitialDesign = "params",
        learning_rate: float = 1.0,
        entropy: float = 0.03,
        samples: int = 200,
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed, starts=starts, warm=warm)
        self.learning_rate, self.entropy, self.samples = learning_rate, entropy, samples
        self._trained = Policy()  # the copy of the present ask

    def new_learner(self) -> OnlineLearner:
        return OnlineLearner(
            policy=self.initial_policy(pretrained=self.initial_design != "none"),
            advantages=Advantage(kind="quantile", decay=0.9),
            rate=self.learning_rate,
            entropy=self.entropy,
        )

    def picker(self, rng: np.random.Generator) -> Picker:
        """For the draws after the last candidate: uniform, since the policy has drawn the candidates already."""
        return uniform(rng)

    def candidates(self, number: int, posterior: Posterior) -> list[Candidate]:
        policy = self._trained = self.policy.copy()
        found: list[Candidate] = []
        draws = max(1, min(self.samples, posterior.walk_budget) // self.rounds)
        for round_ in range(self.rounds):
            rngs = (generator(Stream.PRACTICE, self.seed, number, round_, i) for i in range(draws))
            drawn = self.sampled(policy.picker(rng) for rng in rngs)
            found += drawn
            if drawn and round_ + 1 < self.rounds:
                self._train(policy, drawn, posterior)
        return found

    def _train(self, policy: Policy, drawn: Sequence[Candidate], posterior: Posterior) -> None:
        """One round: the quarter with the highest acquisition teaches, as the top quarter of trials does."""
        infeasible = [candidate.violation > 0 for candidate in drawn]
        values = np.where(infeasible, -np.inf, self.acquisition(drawn, posterior))  # (drawn,)
        ranks = values.argsort(kind="stable").argsort(kind="stable") / max(1, len(drawn) - 1)  # 0 worst, 1 best
        for candidate, rank in zip(drawn, ranks, strict=True):
            if rank <= TOP or candidate.violation:
                continue
            advantage = float(rank - TOP) / (1.0 - TOP)
            for decision in candidate.decisions:
                answer = candidate.choices[decision.name]
                policy.move(decision, answer, advantage=advantage, rate=self.surrogate_rate, entropy=self.entropy)

    def answers(self, candidate: Candidate) -> Picker:
        """With the probabilities that the trained copy of the policy gives them."""
        follow = super().answers(candidate)
        policy = self._trained

        def pick(decision: Decision) -> tuple[Option, float]:
            option, _ = follow(decision)
            return option, max(1e-6, float(policy.probabilities(decision)[decision.options.index(option)]))

        return pick
