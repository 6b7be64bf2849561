"""Bayesian optimisation with a Gaussian process over the decisions, by Optuna's GPSampler: a Matérn 5/2 kernel with a
length-scale for each decision, fitted by marginal likelihood, and log expected improvement (Ament et al. 2023).

The sampler needs one fixed space, but walks differ in the decisions that they have. So for each ask

    dimensions   are all decisions of any trial in the study
    missing      a decision that a walk does not have gets the middle of its scale, or its first category: a constant,
                 so that walks without it do not differ in it, and seem a little nearer to those with that answer than
                 they are
    candidates   are walks, so that each is a possible architecture: neighbours of the best, and uniform ones.
                 (Optuna's own line search took 25 s over 61 discrete dimensions)

and the study is made anew from the outcomes:

    completed    with its value, of several objectives under random weights (`search/pareto.py`), standardised and
                 winsorised below (`search/surrogate/gaussian_process.py`)
    pruned       with its value at its epoch, too low rather than too high
    failed,      with the lowest value of all
    infeasible
    cancelled    not at all
    open         with the mean of all values (a constant liar), so that parallel asks spread out. (Optuna's own way with
                 running trials, expected improvement of a batch by simulation, takes several times as long)
    many         of more than `history` the best and the latest. In 61 dimensions fitting takes 0.4 s of a core at 50,
                 0.6 s at 100 and 1.9 s at 200; with the candidates an ask is 0.6 to 1 s

Where numerics fail the draw is random, and the log says so. With graph features instead of decisions the same method
needs less than half of the trials: `predictor` and `auto`.
"""

import bisect
import logging
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.trial import FrozenTrial

from archsmith.errors import InvalidArchitecture
from search.controllers.optuna_bridge import (
    Distributions,
    Indices,
    distributions,
    index_of,
    indices,
    new_study,
    quiet,
)
from search.pareto import parego
from search.proposing.constraints import Constraint
from search.proposing.controller import Proposal
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walks import Picker, SearchSpace, Walk, follow, neighbour, uniform
from search.streams import Stream, generator, seed_of
from search.surrogate.gaussian_process import Array, FitError, rounded, standardised
from search.trial import Outcome, TrialState
from space.decision import Choices
from space.space import replay

LOG = logging.getLogger(__name__)

Ended = tuple[int, OpenProposal, Outcome]
"""A trial that has ended, with its number."""

WALKS, CENTRES = 100, 5
"""Candidates of an ask, half of them neighbours of the best trials, and how many trials these are; 1 to 2 ms each."""

FEWEST = 3
"""Values that a process needs."""

BEST = 0.6
"""Share of a bounded history that is the best trials; the rest are the latest."""


class GpController(Proposer):
    """Options.

    startup: trials with a value before the process takes over from uniform draws.
    history: how many of the ended trials the process is fitted to, at most.
    """

    patience: ClassVar[int] = 20  # of the candidates, the best first

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        seed: int = 0,
        startup: int = 10,
        history: int = 100,
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self.startup, self.history = startup, history
        self._ended: list[Ended] = []  # in order of number
        self._ranked: list[Choices] = []  # the candidates of this ask, the best first
        self._trouble: str | None = None

    def ask(self, number: int) -> Proposal:
        self._ranked = self._ranking(number)
        return super().ask(number)

    def picker(self, rng: np.random.Generator) -> Picker:
        return uniform(rng)

    def pickers(self, rngs: Iterator[np.random.Generator]) -> Iterator[Picker]:
        candidates = (follow(replay(choices)) for choices in self._ranked)
        yield from (next(candidates, None) or uniform(rng) for rng in rngs)

    def closed(self, trial: OpenProposal, outcome: Outcome) -> None:
        if outcome.state is not TrialState.CANCELLED:
            bisect.insort(self._ended, (outcome.number, trial, outcome), key=lambda ended: ended[0])

    def _ranking(self, number: int) -> list[Choices]:
        """Candidates, the best first; none where too few trials have a value, or numerics fail."""
        if sum(outcome.value is not None for _, _, outcome in self._ended) < max(FEWEST, self.startup):
            return []
        try:
            with np.errstate(all="ignore"), quiet():
                found = self._by_optuna(number)
        except (FitError, ValueError, ArithmeticError, RuntimeError) as error:  # torch's own is a RuntimeError
            trouble = f"the process cannot be fitted, drawn at random instead: {error}"
            if trouble != self._trouble:
                LOG.warning("%s", trouble)
            self._trouble = trouble
            return []
        self._trouble = None
        return found

    @property
    def trouble(self) -> str | None:
        return self._trouble

    def _by_optuna(self, number: int) -> list[Choices]:
        ended = kept(self._ended, self.history)
        open_ = [self._open[other] for other in sorted(self._open)]
        met: Distributions = {}
        for trial in (*(trial for _, trial, _ in ended), *open_):
            met.update(distributions(trial))
        if not met:
            return []
        space = dict(sorted(met.items()))
        walks = [walk for walk in self._walks(number, ended) if walk is not None]
        points = [_complete(found, space) for found in map(_of_walk, walks)]
        sampler = _Sampler(points, seed=seed_of(Stream.GP_SAMPLER, self.seed, number))
        weights = generator(Stream.GP_WEIGHTS, self.seed, number)
        study = new_study(sampler)
        study.add_trials(
            _frozen(indices(trial), space, value)
            for (_, trial, _), value in zip(ended, _values([outcome for _, _, outcome in ended], weights), strict=True)
        )
        study.add_trials(_frozen(indices(trial), space, 0.0) for trial in open_)
        study.ask(space)
        return [walks[place].choices for place in sampler.ranking]

    def _walks(self, number: int, ended: Sequence[Ended]) -> Iterator[Walk | None]:
        """Candidates, without analysis: most are never proposed."""
        valued = [(outcome.value, trial) for _, trial, outcome in ended if outcome.value is not None]
        best = [trial for _, trial in sorted(valued, key=lambda pair: -pair[0])[:CENTRES]]
        for place in range(WALKS):
            rng = generator(Stream.GP_CANDIDATE, self.seed, number, place)
            centre = best[place // 2 % len(best)].proposal.choices
            yield self._walk(uniform(rng) if place % 2 else neighbour(centre, rng))

    def _walk(self, picker: Picker) -> Walk | None:
        walk = Walk(picker=picker)
        try:
            self.space.sample(walk.choose)
        except InvalidArchitecture:
            return None
        return walk


def kept(ended: Sequence[Ended], count: int) -> list[Ended]:
    """All, or `count` of them, the best and the latest, in order of number."""
    if len(ended) <= count:
        return list(ended)
    latest = count - int(BEST * count)
    older = ended[:-latest]
    values = [-np.inf if outcome.value is None else outcome.value for _, _, outcome in older]
    best = np.argsort([-value for value in values], kind="stable")[: count - latest]
    return [*(older[place] for place in sorted(map(int, best))), *ended[-latest:]]


def _values(outcomes: Sequence[Outcome], weights: np.random.Generator) -> list[float]:
    """Standardised; a trial without a value has the lowest. Raises FitError where there is no finite spread.

    weights: draws those of several objectives, anew for each ask (ParEGO).
    """
    valued = [place for place, outcome in enumerate(outcomes) if outcome.value is not None]
    known = parego(np.array([outcomes[place].values for place in valued], dtype=float), weights)
    values = np.full(len(outcomes), known.min())
    values[valued] = known
    return [float(value) for value in standardised(values)]


def _of_walk(walk: Walk) -> Indices:
    return dict(index_of(decision, walk.choices) for decision in walk.decisions)


def _complete(found: Indices, space: Distributions) -> Indices:
    """In all dimensions of the space, and no other."""
    return {name: found.get(name, _missing(distribution)) for name, distribution in space.items()}


def _frozen(found: Indices, space: Distributions, value: float) -> FrozenTrial:
    return optuna.trial.create_trial(value=value, params=_complete(found, space), distributions=space)


def _missing(distribution: BaseDistribution) -> int:
    """The index of a decision that the walk does not have."""
    return distribution.high // 2 if isinstance(distribution, IntDistribution) else 0


class _Sampler(optuna.samplers.GPSampler):
    """Optuna's, for one draw, which maximises its acquisition function over given points only.

    ranking: indices of the points, the best first, once it has sampled.
    """

    def __init__(self, points: Sequence[Indices], *, seed: int) -> None:
        super().__init__(seed=seed, n_startup_trials=0, warn_independent_sampling=False)
        self._points = points
        self.ranking: list[int] = []

    def _optimize_acqf(self, acqf: Any, best_params: Array | None) -> Array:
        """The override that Optuna offers for other optimisers. acqf: of (points, dimensions) -> (points,)."""
        if not self._points:
            raise FitError("there is no candidate whose shapes fit")
        rows = acqf.search_space.get_normalized_params(self._points, self._points)  # (points, dimensions)
        values = rounded(np.asarray(acqf.eval_acqf_no_grad(rows), dtype=np.float64))
        if not np.isfinite(values).all():
            raise FitError("the expected improvement is not finite")
        self.ranking = [int(place) for place in np.argsort(-values, kind="stable")]
        return np.asarray(rows[self.ranking[0]])
