"""Grid: every combination once, spread evenly from the first trial to the last.

In the usual order, the last decision varying fastest, a budget of tens of trials would see one answer to most
decisions. So the combinations are ordered by the golden ratio: point k of the search is the number

    u(k) = frac(u(0) + k / golden ratio)

and a walk reads its answers off u: a decision with m options takes the digit floor(m u) and leaves frac(m u) for the
next. A walk with m1, m2 … options corresponds to an interval of length 1 / (m1 m2 …), and the points of this sequence
are spread as evenly as points of a line can be (its discrepancy is the lowest of all multiples; Niederreiter 1992,
section 3.1): each such interval is hit within about 2.6 m1 m2 … points, whatever decisions other walks have. u has 256
binary digits, since a walk of 30 decisions needs more than a float has.

Nothing is learned; the seed decides where the sequence begins.
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
"""2^256 / golden ratio, rounded down to an odd number."""


class GridController(Proposer):
    """Each ask goes on from the point after the last that was proposed."""

    patience: ClassVar[int] = 200  # points of one ask: most are repeats where few architectures are left

    def __init__(self, space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 0) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self._next = 0
        self._start = int.from_bytes(generator(Stream.GRID, seed).bytes(BITS // 8), "big")

    def picker(self, rng: np.random.Generator) -> Picker:
        return follow(self.point(self._next))

    def pickers(self, rngs: Iterator[np.random.Generator]) -> Iterator[Picker]:
        return (follow(self.point(self._next + place)) for place, _ in enumerate(rngs))

    def opened(self, trial: OpenProposal) -> None:
        """Finds the point from the answers, so that a restored search goes on at the same place.

        A proposal that is not among the next points was drawn otherwise, after all of these were rejected.
        """
        proposal = trial.proposal
        if proposal.provenance != "controller":
            return
        for place in range(self._next, self._next + self.patience):
            if _leads_to(proposal, trial.decisions, self.point(place)):
                self._next = place + 1
                return
        self._next += self.patience

    def point(self, k: int) -> Choose:
        """The answers at one point of the sequence."""
        left = (self._start + k * GOLDEN) % ONE  # u(k) times 2^256

        def choose(decision: Decision) -> Option:
            nonlocal left
            digit, left = divmod(left * len(decision.options), ONE)
            return decision.options[digit]

        return choose


def _leads_to(proposal: Proposal, decisions: Sequence[Decision], choose: Choose) -> bool:
    return all(choose(decision) == proposal.choices[decision.name] for decision in decisions)
