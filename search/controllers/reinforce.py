"""Policy gradient on trials alone: each ended trial moves the policy, and each ask draws from it.

How it learns is described in `search/policy/policy.py`. Its defaults need no tuning to the metric: only the top quarter
of the values teaches, by advantages from 0 to 1, with a step of 1 on the logits, and no architecture is proposed twice,
which keeps a policy that has converged exploring. (The settings published for architecture search, Adam 0.01 on raw
rewards, hardly leave the uniform policy within a hundred trials.)
"""

from collections.abc import Sequence
from typing import Literal

from search.policy.controller import PolicyController
from search.policy.policy import Advantage, OnlineLearner
from search.proposing.constraints import Constraint
from search.proposing.walks import SearchSpace


class ReinforceController(PolicyController):
    """Options.

    learning_rate: step on the logits.
    entropy: weight of the entropy bonus, in units of the advantage.
    advantage: "quantile" or "ema".
    baseline: decay of the moving averages in "ema".
    warm: "params", the policy is pretrained on parameter counts, without any trial; "none", it is uniform at first.
    """

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
        self.learning_rate, self.entropy = learning_rate, entropy
        self._advantage, self._decay = advantage, baseline
        self._pretrained = warm == "params"

    def new_learner(self) -> OnlineLearner:
        return OnlineLearner(
            policy=self.initial_policy(pretrained=self._pretrained),
            advantages=Advantage(kind=self._advantage, decay=self._decay),
            rate=self.learning_rate,
            entropy=self.entropy,
        )
