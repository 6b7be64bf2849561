"""A policy that has learned, before any trial, to draw what is large.

Parameters are counted in a millisecond and agree with accuracy about as well as the other guesses that need no training
(Krishnakumar et al. 2022), among random architectures at least; among the good ones they say next to nothing. So this
is a start and no more: the policy keeps most of its entropy, and the first trials may turn it round.
"""

from collections.abc import Iterator, Sequence

from search.policy.policy import Policy, practise
from search.proposing.constraints import Constraint
from search.proposing.controller import Proposal
from search.proposing.proposer import OpenProposal
from search.proposing.walks import SearchSpace, attempt
from search.streams import Stream, generator

STEPS, RATE, ENTROPY = 100, 0.3, 0.05
"""Free steps; their size and entropy bonus."""


def pretrained(space: SearchSpace, limits: Sequence[Constraint], *, seed: int, steps: int = STEPS) -> Policy:
    """limits: what breaks them is worth nothing. 0.1 to 0.3 s."""
    policy = Policy()

    def attempts() -> Iterator[tuple[OpenProposal, float | None]]:
        for step in range(steps):
            one = attempt(space, limits, policy.picker(generator(Stream.PRETRAINING, seed, step)))
            if one is not None:
                proposal = Proposal(
                    number=step, architecture=one.architecture, choices=one.choices, behaviour=one.behaviour
                )
                yield (
                    OpenProposal(proposal=proposal, decisions=one.decisions),
                    None if one.broken else one.measures["params"],
                )

    practise(policy, attempts(), rate=RATE, entropy=ENTROPY)
    return policy
