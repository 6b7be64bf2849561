"""What the controllers with a policy share: the policy is a function of the ended trials, and is shown to people."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from search.learning_curves import curve_of
from search.policy.policy import Policy, PolicyLearner, Replay
from search.policy.pretrain import pretrained_policy
from search.proposing.constraints import Constraint
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walks import Picker, SearchSpace
from search.trial import Outcome, TrialState


class PolicyController(Proposer):
    """Draws from a policy that learns from every trial but the cancelled ones.

    A subclass says how the policy learns (`new_learner`). options: those of the next class in the order of inheritance,
    where a controller has another base as well.
    """

    keeps_behaviour: ClassVar[bool] = True

    def __init__(
        self, space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 0, **options: Any
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed, **options)
        self._replay: Replay[PolicyLearner] = Replay(self.new_learner)

    @abstractmethod
    def new_learner(self) -> PolicyLearner:
        """A learner that has learned from no trial yet."""

    def initial_policy(self, *, pretrained: bool) -> Policy:
        """Uniform, or pretrained on parameter counts."""
        return pretrained_policy(self.space, self.constraints, seed=self.seed) if pretrained else Policy()

    def picker(self, rng: np.random.Generator) -> Picker:
        return self.policy.picker(rng)

    def closed(self, trial: OpenProposal, outcome: Outcome) -> None:
        super().closed(trial, outcome)
        if outcome.state is not TrialState.CANCELLED:
            self._replay.add(outcome.number, trial, curve_of(outcome))

    @property
    def policy(self) -> Policy:
        """The policy after all ended trials."""
        return self._replay.learner.policy

    def state(self) -> dict[str, Any]:
        """How many trials it has learned from, and per decision the probability of each option."""
        return {"told": len(self._replay), **super().state(), "probabilities": self.policy.to_json()}
