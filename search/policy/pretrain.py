"""Pretraining of a policy, before any trial, towards architectures with many parameters.

Parameters are counted in a millisecond and correlate with accuracy about as well as other zero-cost proxies
(Krishnakumar et al. 2022), among random architectures at least; among the good ones they say next to nothing. So this
is only a start: the policy keeps most of its entropy, and the first trials may turn it round.
"""

from collections.abc import Sequence

from search.policy.policy import Advantage, OnlineLearner, Policy
from search.proposing.constraints import Constraint
from search.proposing.controller import Proposal
from search.proposing.proposer import OpenProposal
from search.proposing.walks import SearchSpace, draw_walk
from search.streams import Stream, generator

STEPS, RATE, ENTROPY = 100, 0.3, 0.05
"""Steps on parameter counts; their learning rate and entropy bonus."""


def pretrained_policy(
    space: SearchSpace, constraints: Sequence[Constraint], *, seed: int, steps: int = STEPS
) -> Policy:
    """The policy after `steps` draws, each made by the policy as it is then; 0.1 to 0.3 s.

    The value of a draw is its number of parameters; one that violates the constraints has no value. As in trials, the
    top quarter teaches.
    """
    policy = Policy()
    learner = OnlineLearner(policy=policy, advantages=Advantage(kind="quantile", decay=0.9), rate=RATE, entropy=ENTROPY)
    for step in range(steps):
        draw = draw_walk(space, constraints, policy.picker(generator(Stream.PRETRAINING, seed, step)))
        if draw is not None:
            proposal = Proposal(
                number=step, architecture=draw.architecture, choices=draw.choices, behaviour=draw.behaviour
            )
            trial = OpenProposal(proposal=proposal, decisions=draw.decisions)
            learner.learn(trial, None if draw.violation else draw.measures["params"])
    return policy
