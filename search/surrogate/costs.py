"""What the candidates of a controller will cost, and what that counts for.

Expected improvement per second (Snoek et al. 2012, section 3.2) is the acquisition over seconds^power: with power 1 it
keeps to cheap networks as long as they promise anything, with 0 it does not ask what a network costs. In between
(cooling, Lee et al. 2020, arXiv 2003.10870) the power falls from 1 to 0 as the budget is used.

Jobs use power 0, since none measured better: on 1,500 cells of NAS-Bench-201 at equal seconds of short trainings, with
this surrogate and this cost model, the regret of the best of 200 epochs after 1,500, 3,000 and 6,000 s was 1.18, 0.46
and 0.06 points with power 0, 1.51, 0.52 and 0.12 with 0.5, 1.74, 0.65 and 0.13 with 1, and 1.57, 0.54 and 0.08 with a
cooled one (means of 24 searches, standard errors 0.15 to 0.25, 0.10 to 0.14, 0.01 to 0.02). There the quick networks
are the weak ones; the limit below keeps out those that would take a search's time whatever they promise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.planning.step_cost import Array, StepCost, Work

SHARE = 8
"""Whole trainings of the costliest architecture that must fit into what is left of the search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingCosts:
    """As a planned job knows them now.

    steps: of a whole training, with its scores counted as steps. beside_s: seconds of a trial that are no training.
    limit_s: the most seconds of one that is proposed. power: see above.
    """

    model: StepCost
    steps: float = 1.0
    beside_s: float = 0.0
    limit_s: float = float("inf")
    power: float = 0.0

    def seconds(self, works: Sequence[Work]) -> Array:
        """(n,) of a whole training of each."""
        return self.beside_s + self.steps * self.model.seconds(works) if works else np.zeros(0)

    def penalty(self, works: Sequence[Work]) -> Array:
        """(n,) what the logarithm of an acquisition is lowered by, rounded, so that a tie stays one."""
        return np.round(self.power * np.log(self.seconds(works)), 8)

    def allows(self, works: Sequence[Work]) -> list[bool]:
        """Which of them take no more than their share; all, where none does."""
        within = self.seconds(works) <= self.limit_s
        return [bool(one) for one in within] if within.any() else [True] * len(works)


def share_of(*, left_s: float, quarter_s: float, average_s: float) -> float:
    """Most seconds of one training: a quarter of the search, and so few that SHARE of them fit into what is left; but
    what an average architecture takes is never too long, else the last trials of a search could not be proposed."""
    return min(quarter_s, max(left_s / SHARE, average_s))
