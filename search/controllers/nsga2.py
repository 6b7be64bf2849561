"""NSGA-II (Deb et al. 2002), by Optuna: crossover and mutation of the best by dominance, then by crowding distance.

The population is the best few of all completed trials, so every outcome counts at once (steady state; Durillo et al.
2009 found it to come nearer to the front than generations), and the order of outcomes does not matter. Each ask puts
the population into a study in memory and has Optuna's sampler make one child:

    completed    may be in the population
    pruned, failed, infeasible    may not; they only count towards the random start
    open         is not in the study

Decisions that all of the population have are crossed and mutated by the sampler. It would draw the others, which depend
on earlier answers, at random; here they are inherited as well, each from a random parent that has it. A child that was
tried before is drawn again, and in the end `Proposer` draws its neighbours.
"""

import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from search.controllers.optuna_bridge import completed, new_study, suggesting
from search.pareto import best
from search.proposing.constraints import Constraint
from search.proposing.controller import Proposal
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walks import Picker, SearchSpace, uniform
from search.trial import Outcome, TrialState

PARENTS = 2
"""The fewest that can be crossed."""


class Nsga2Controller(Proposer):
    """Options.

    population: how many of the completed trials may be parents, and after how many outcomes of any kind the random
    start ends.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        seed: int = 0,
        objectives: int = 1,
        population: int = 20,
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self.population = population
        self._objectives = objectives
        self._ended = 0
        self._completed: list[tuple[int, tuple[float, ...], FrozenTrial]] = []  # by number
        self._study: optuna.Study | None = None

    def ask(self, number: int) -> Proposal:
        self._study = self._parents()
        return super().ask(number)

    def _parents(self) -> optuna.Study | None:
        """A study of the population; None while draws are to be random."""
        if self._ended < self.population or len(self._completed) < PARENTS:
            return None
        study = new_study(objectives=self._objectives)
        places = best([values for _, values, _ in self._completed], self.population)
        study.add_trials([self._completed[place][2] for place in sorted(places)])
        return study

    def picker(self, rng: np.random.Generator) -> Picker:
        if self._study is None:
            return uniform(rng)
        self._study.sampler = _Sampler(rng)
        return suggesting(self._study.ask())

    def closed(self, trial: OpenProposal, outcome: Outcome) -> None:
        if outcome.state is TrialState.CANCELLED:
            return
        self._ended += 1
        if outcome.state is TrialState.COMPLETED:
            entry = outcome.number, outcome.values, completed(trial, outcome)
            bisect.insort(self._completed, entry, key=lambda entry: entry[0])

    def state(self) -> dict[str, Any]:
        """How many trials ended, and the numbers of those in the population."""
        places = best([values for _, values, _ in self._completed], self.population) if self._completed else []
        return {"told": self._ended, "population": sorted(self._completed[place][0] for place in places)}


class _Sampler(optuna.samplers.NSGAIISampler):
    """Optuna's, with all completed trials of the study as the parents of every child."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(seed=int(rng.integers(2**32)), population_size=PARENTS)
        self._inherits = rng
        self._crossed: dict[str, BaseDistribution] = {}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        self._crossed = super().infer_relative_search_space(study, trial)
        return self._crossed

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        return 1

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        return study.get_trials(deepcopy=False, states=(OptunaState.COMPLETE,))

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A parameter that crossover leaves open.

        One that all parents have was mutated: it is drawn at random. One that only some have is inherited from a random
        one of these, or mutated with the probability 1 / parameters, as Optuna does it.
        """
        parents = self.get_parent_population(study, 1)
        holders = [parent for parent in parents if param_name in parent.params]
        count = max((len(parent.params) for parent in parents), default=1)
        if param_name in self._crossed or not holders or self._inherits.random() < 1.0 / count:
            return super().sample_independent(study, trial, param_name, param_distribution)
        return holders[int(self._inherits.integers(len(holders)))].params[param_name]
