"""Model-based policy gradient: a policy that practises on the surrogate between trials.

A policy that learns from trials alone needs hundreds of them, a surrogate alone needs candidates. Here each makes up
for the other. For every ask a copy of the policy draws walks, the process of `search/surrogate/gaussian_process.py`
says what each is worth, the best quarter of a round teaches the copy (as in `policy.py`), and the next round is drawn
from what it has become. Of all walks drawn the one with the highest expected improvement is tried. Its result teaches
both: the process gets a point, the policy its gradient step.

The copy is thrown away: what the policy knows for good are real results and the free steps on parameter counts that
it begins with, so it is a function of what was told, whatever the order.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from search.learning_curves import curve_of
from search.policy.policy import TOP, Advantage, OnlineLearner, Policy, Replay
from search.policy.pretrain import pretrained
from search.proposing.constraints import Constraint
from search.proposing.proposer import OpenProposal
from search.proposing.walks import Picker, SearchSpace
from search.streams import Stream, generator
from search.surrogate.controller import STARTS, SurrogateController, Warm
from search.surrogate.posterior import Candidate, Posterior
from search.trial import Outcome, TrialState
from space.decision import Decision, Option


class PolicyModelController(SurrogateController):
    """Options: those of `SurrogateController` (the policy itself begins with free steps on parameter counts unless
    `warm` is "none"), and

    learning_rate, entropy: of the steps on trials, as in `reinforce.py`.
    samples: walks drawn for each ask, at most; fewer where a walk asks many decisions, and after many trials.
    """

    keeps_behaviour: ClassVar[bool] = True
    rounds: ClassVar[int] = 4  # the practice of one ask
    practice_rate: ClassVar[float] = 0.3  # the step of the free start as well

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        seed: int = 0,
        starts: int = STARTS,
        warm: Warm = "params",
        learning_rate: float = 1.0,
        entropy: float = 0.03,
        samples: int = 200,
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed, starts=starts, warm=warm)
        self.learning_rate, self.entropy, self.samples = learning_rate, entropy, samples
        self._fold = Replay(self._begin)
        self._practised = Policy()

    def _begin(self) -> OnlineLearner:
        policy = pretrained(self.space, self.limits, seed=self.seed) if self.warm != "none" else Policy()
        values = Advantage(kind="quantile", decay=0.9)
        return OnlineLearner(policy=policy, values=values, rate=self.learning_rate, entropy=self.entropy)

    @property
    def policy(self) -> Policy:
        """The policy after all told trials, before any practice."""
        return self._fold.student.policy

    def closed(self, asked: OpenProposal, outcome: Outcome) -> None:
        super().closed(asked, outcome)
        if outcome.state is not TrialState.CANCELLED:
            self._fold.add(outcome.number, asked, curve_of(outcome))

    def candidates(self, number: int, belief: Posterior) -> list[Candidate]:
        policy = self._practised = self.policy.copy()
        found: list[Candidate] = []
        each = max(1, min(self.samples, belief.fresh) // self.rounds)
        for round_ in range(self.rounds):
            rngs = (generator(Stream.PRACTICE, self.seed, number, round_, i) for i in range(each))
            drawn = self.grown(policy.picker(rng) for rng in rngs)
            found += drawn
            if drawn and round_ + 1 < self.rounds:
                self._practise(policy, drawn, belief)
        return found

    def _practise(self, policy: Policy, drawn: Sequence[Candidate], belief: Posterior) -> None:
        """One round: the quarter that promises most teaches, as in trials."""
        worth = np.where([one.broken > 0 for one in drawn], -np.inf, self.merit(drawn, belief))
        ranks = worth.argsort(kind="stable").argsort(kind="stable") / max(1, len(drawn) - 1)
        for one, rank in zip(drawn, ranks, strict=True):
            if rank <= TOP or one.broken:
                continue
            advantage = float(rank - TOP) / (1.0 - TOP)
            for decision in one.decisions:
                answer = one.choices[decision.name]
                policy.move(decision, answer, advantage=advantage, rate=self.practice_rate, entropy=self.entropy)

    def wish(self, one: Candidate) -> Picker:
        """With the probabilities that the practised policy gives the answers."""
        answers = super().wish(one)
        policy = self._practised

        def pick(decision: Decision) -> tuple[Option, float]:
            option, _ = answers(decision)
            return option, max(1e-6, float(policy.probabilities(decision)[decision.options.index(option)]))

        return pick

    def state(self) -> dict[str, Any]:
        return {**super().state(), "probabilities": self.policy.shown()}
