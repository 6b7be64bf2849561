"""Tree-structured Parzen estimator, by Optuna (Bergstra et al. 2011; Watanabe 2023).

The study lives in memory and is a function of the history: every proposal is one running trial in it, in the order
asked, and every told one is ended there:

    completed    told with its value
    pruned       told as pruned with its value at its epoch: the estimator ranks it below all completed ones, and
                 among the pruned those that came further first
    failed,      told as pruned before the first epoch: the worst rank there is. The estimator splits by rank alone,
    infeasible   so no invented score is needed, and none can depend on the order in which the tells arrived
    cancelled    taken out (Optuna's failed): it says nothing about the architecture
    open         running: the estimator counts it as bad (constant liar), so that parallel asks spread out
    refused      draws refused within an ask count as open ones until it ends, which pushes the next draw elsewhere

With several objectives the study is told the vector, and the estimator splits by dominance and hypervolume (Ozaki et
al. 2022). Such a study takes no value before a trial's end, so pruned trials all share the rank of failed ones.

Decisions met on every walk are drawn together, conditional ones each on its own as the walk meets them. (Optuna's
experimental `group` draws those that always occur together jointly; on the toys of `search/toys.py` it found no better
architectures, and an ask at 1,000 trials took twice as long.)
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState as OptunaState

from search.controller import Proposal
from search.limits import Limit
from search.optuna_study import distribution_of, in_memory, parameters, suggesting
from search.propose import Asked, Picker, Proposer, SearchSpace
from search.trial import Outcome, TrialState


class TpeController(Proposer):
    """Options as in Optuna's TPESampler.

    startup: trials told before the estimator takes over from uniform draws.
    candidates: points drawn from the estimator per draw, of which the most promising is kept.
    """

    patience: ClassVar[int] = 4  # a draw costs up to 50 ms at 1,000 trials

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Limit] = (),
        seed: int = 0,
        objectives: int = 1,
        startup: int = 10,
        candidates: int = 24,
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self.startup = startup
        self.candidates = candidates
        self._objectives = objectives
        self._study = in_memory(objectives)
        self._drafts: list[optuna.Trial] = []
        self._trials: dict[int, optuna.Trial] = {}  # the open ones by our number
        self._always: dict[str, BaseDistribution] | None = None  # met on every walk told so far

    def ask(self, number: int) -> Proposal:
        try:
            return super().ask(number)
        finally:
            for draft in self._drafts:
                self._study.tell(draft, state=OptunaState.FAIL)
            self._drafts.clear()

    def picker(self, rng: np.random.Generator) -> Picker:
        # A new sampler for each draw: nothing hidden is carried from one to the next.
        self._study.sampler = _Sampler(
            self._always or {}, seed=int(rng.integers(2**32)), startup=self.startup, candidates=self.candidates
        )
        draft = self._study.ask()
        self._drafts.append(draft)
        return suggesting(draft)

    def opened(self, asked: Asked) -> None:
        self._study.add_trial(optuna.trial.create_trial(state=OptunaState.RUNNING, **parameters(asked)))
        stored = self._study.get_trials(deepcopy=False)[-1]
        self._trials[asked.proposal.number] = optuna.Trial(self._study, stored._trial_id)

    def closed(self, asked: Asked, outcome: Outcome) -> None:
        trial = self._trials.pop(outcome.number)
        if outcome.state is TrialState.CANCELLED:
            self._study.tell(trial, state=OptunaState.FAIL)
            return
        if outcome.state is TrialState.COMPLETED:
            self._study.tell(trial, list(outcome.values))
        else:
            if outcome.value is not None and self._objectives == 1:
                trial.report(outcome.value, outcome.epochs)
            self._study.tell(trial, state=OptunaState.PRUNED)
        met = dict(distribution_of(decision) for decision in asked.decisions)
        before = met if self._always is None else self._always
        self._always = {key: distribution for key, distribution in before.items() if key in met}


class _Sampler(optuna.samplers.TPESampler):
    """Optuna's, told which decisions every walk meets: finding that out takes it 25 ms at 1,000 trials."""

    def __init__(self, always: dict[str, BaseDistribution], *, seed: int, startup: int, candidates: int) -> None:
        super().__init__(
            seed=seed, n_startup_trials=startup, n_ei_candidates=candidates, multivariate=True, constant_liar=True
        )
        self.always = dict(sorted(always.items()))

    def infer_relative_search_space(
        self,
        study: optuna.Study,  # noqa: ARG002 - Optuna's signature
        trial: optuna.trial.FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        return self.always
