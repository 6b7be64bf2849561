"""Policy gradient on trials alone: each told trial moves the policy, and each ask draws from it.

How it learns stands in `policy.py`. Its settings are those that need no tuning to the metric: only the top
quarter of the values teaches, by advantages from 0 to 1, with a step of 1 on the logits, and no architecture is
proposed twice, which keeps a policy that has made up its mind looking around. (The settings published for architecture
search, Adam 0.01 on raw rewards, hardly leave the uniform policy within a hundred trials.)
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from search.learning_curves import curve_of
from search.policy.policy import Advantage, OnlineLearner, Policy, Replay
from search.policy.pretrain import pretrained
from search.proposing.constraints import Constraint
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walks import Picker, SearchSpace
from search.trial import Outcome, TrialState


class ReinforceController(Proposer):
    """Options.

    learning_rate: step on the logits.
    entropy: weight of the entropy bonus, in units of the advantage.
    advantage: "quantile" or "ema".
    baseline: decay of the moving averages in "ema".
    warm: "params", the policy first learns to draw large architectures, without any trial; "none", it begins uniform.
    """

    keeps_behaviour: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        seed: int = 0,
        learning_rate: float = 1.0,
        entropy: float = 0.03,
        advantage: Literal["ema", "quantile"] = "quantile",
        baseline: float = 0.9,
        warm: Literal["params", "none"] = "none",
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self.learning_rate = learning_rate
        self.entropy = entropy
        self._warm = warm
        self._values = Advantage(kind=advantage, decay=baseline)
        self._fold = Replay(self._begin)

    def _begin(self) -> OnlineLearner:
        policy = pretrained(self.space, self.limits, seed=self.seed) if self._warm == "params" else Policy()
        return OnlineLearner(policy=policy, values=self._values.copy(), rate=self.learning_rate, entropy=self.entropy)

    def picker(self, rng: np.random.Generator) -> Picker:
        return self.policy.picker(rng)

    def closed(self, asked: OpenProposal, outcome: Outcome) -> None:
        if outcome.state is not TrialState.CANCELLED:
            self._fold.add(outcome.number, asked, curve_of(outcome))

    @property
    def policy(self) -> Policy:
        """The policy after all told trials."""
        return self._fold.student.policy

    def state(self) -> dict[str, Any]:
        """How many trials it has learned from, and per decision the probability of each option."""
        return {"told": len(self._fold), "probabilities": self.policy.shown()}
