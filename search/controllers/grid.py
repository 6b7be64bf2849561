"""Grid: every combination once, spread evenly from the first trial to the last.

In the usual order, the last decision turning fastest, a budget of tens of trials would see one answer to most
questions. So the combinations are taken by the golden ratio: point k of the search is the number

    u(k) = frac(u(0) + k / golden ratio)

and a walk reads its answers off u, a decision with m options taking the digit floor(m u) and leaving frac(m u) for the
next. A walk that meets m1, m2 … options owns an interval of 1 / (m1 m2 …), and points of this sequence are spread as
evenly as points of a line can be (its discrepancy is the lowest of all multiples; Niederreiter 1992, section 3.1): each
such interval is met within about 2.6 m1 m2 … points, whatever was asked on other walks. Numbers are exact, 256 binary
digits of them, since a walk of 30 decisions needs more than a float has.

Nothing is learned; the seed is where the sequence begins.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from search.proposing.constraints import Constraint
from search.proposing.controller import Proposal
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walks import Picker, SearchSpace, follow
from search.streams import Stream, generator
from space.decision import Choose, Decision, Option

BITS = 256
ONE = 1 << BITS

GOLDEN = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95
"""2^256 / golden ratio, the nearest odd number below."""


class GridController(Proposer):
    """The next point is the one after the last that was taken."""

    patience: ClassVar[int] = 200  # points looked at within one ask: most are repeats where the space is nearly empty

    def __init__(self, space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 0) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self._next = 0
        self._start = int.from_bytes(generator(Stream.GRID, seed).bytes(BITS // 8), "big")

    def picker(self, rng: np.random.Generator) -> Picker:
        return follow(self.point(self._next))

    def pickers(self, rngs: Iterator[np.random.Generator]) -> Iterator[Picker]:
        return (follow(self.point(self._next + place)) for place, _ in enumerate(rngs))

    def opened(self, asked: OpenProposal) -> None:
        """Which point it was is found again from the answers, so that a restored search goes on in the same place.

        A proposal that is none of the next points came from elsewhere, after all of them were refused.
        """
        proposal = asked.proposal
        if proposal.provenance != "controller":
            return
        for place in range(self._next, self._next + self.patience):
            if _leads_to(proposal, asked.decisions, self.point(place)):
                self._next = place + 1
                return
        self._next += self.patience

    def point(self, k: int) -> Choose:
        """The answers at one point of the sequence."""
        left = (self._start + k * GOLDEN) % ONE

        def choose(decision: Decision) -> Option:
            nonlocal left
            digit, left = divmod(left * len(decision.options), ONE)
            return decision.options[digit]

        return choose


def _leads_to(proposal: Proposal, decisions: Sequence[Decision], choose: Choose) -> bool:
    return all(choose(decision) == proposal.choices[decision.name] for decision in decisions)
