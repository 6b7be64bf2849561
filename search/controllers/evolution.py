"""Regularized evolution (Real, Aggarwal, Huang, Le 2019, algorithm 1).

The population is the last few trials that ended, in the order of their numbers: older ones have died, however good they
were, so that a lucky score does not have children for ever. To propose, a sample of the population is drawn, and the
best of the sample has a child: one of its decisions gets another answer. Decisions that only the new answer leads to
are answered at random. Draws are uniform until the population is full; a child that was tried before is drawn again.

The order of the outcomes does not matter, since the population goes by number. An open trial is not in it yet. Failed
and infeasible ones are, ranked below all others: they die like these, and a search where all fail goes on. The best of
a sample is the one that beats most of it, where trials that were stopped early are compared at the last epoch of both
(`search/learning_curves.py`).

Sizes: published replays on tables take 10 and 3 or 20 and 5 (Dong et al. 2021, NATS-Bench) in budgets of some hundred
trials, and not the 100 and 25 of the paper, which had 20,000. On `chain` of `search/testing/toys.py` with noise (100
seeds) the regret after 50 and 100 trials is 0.063 and 0.041 with 10/3, 0.060 and 0.029 with 20/5, 0.069 and 0.026 with
30/10, and 0.092 and 0.079 for random: 20 and 5 are the default.
"""

import bisect
from collections.abc import Sequence

import numpy as np

from search.learning_curves import Curve, curve_of, wins
from search.proposing.constraints import Constraint
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walks import Picker, SearchSpace, follow, uniform
from search.trial import Outcome, TrialState
from space.decision import Decision, Option
from space.space import replay


class EvolutionController(Proposer):
    """Options.

    population: how many of the last ended trials live. sample: how many of them compete to have a child; all of them,
    where the population is smaller.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        seed: int = 0,
        population: int = 20,
        sample: int = 5,
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self.population, self.sample = population, sample
        self._ended: list[tuple[int, Curve | None, OpenProposal]] = []  # by number

    def picker(self, rng: np.random.Generator) -> Picker:
        alive = self._ended[-self.population :]
        if len(alive) < self.population:
            return uniform(rng)
        places = rng.choice(len(alive), size=min(self.sample, len(alive)), replace=False)
        drawn = [alive[int(place)] for place in places]
        won = wins([curve for _, curve, _ in drawn])
        # most wins first, of equals the latest
        _, (_, _, parent) = max(zip(won, drawn, strict=True), key=lambda ranked: (ranked[0], ranked[1][0]))
        return child(parent, rng)

    def closed(self, trial: OpenProposal, outcome: Outcome) -> None:
        if outcome.state is not TrialState.CANCELLED:
            bisect.insort(self._ended, (outcome.number, curve_of(outcome), trial), key=lambda ended: ended[0])


def child(parent: OpenProposal, rng: np.random.Generator) -> Picker:
    """The parent's answers except for one; decisions that the parent's walk did not have are answered at random."""
    if not parent.decisions:
        return uniform(rng)
    changed = parent.decisions[int(rng.integers(len(parent.decisions)))].name
    same = parent.proposal.choices
    at_random = uniform(rng)

    def choose(decision: Decision) -> Option:
        return at_random(decision)[0]

    def pick(decision: Decision) -> tuple[Option, float]:
        if decision.name != changed:
            return follow(replay(same, otherwise=choose))(decision)
        others = [option for option in decision.options if option != same[changed]]
        return others[int(rng.integers(len(others)))] if others else decision.options[0], 1.0

    return pick
