"""Bayesian optimisation with a Gaussian process over the decisions, by Optuna's GPSampler: a Matérn 5/2 kernel with a
length-scale for each decision, fitted by marginal likelihood, and log expected improvement (Ament et al. 2023).

The sampler wants one fixed space, and walks are not: what one asks another does not. So for each ask

    dimensions   are all decisions that any trial in the study has met
    not asked    a decision that a walk did not meet stands at the middle of its scale, or at its first kind: a
                 constant, so that walks without it do not differ in it, and seem a little nearer to those with that
                 answer than they are
    candidates   are walks, so that none is a point that cannot be: neighbours of the best, and uniform ones.
                 (Optuna's own search, line by line, took 25 s over 61 discrete dimensions)

and the study is made anew from what was told:

    completed    with its value, of several objectives under random weights (`search/pareto.py`), on a standardised
                 scale, winsorised below (`search/surrogate/gaussian_process.py`)
    pruned       with its value at its epoch, too low rather than too high
    failed,      with the lowest value of all
    infeasible
    cancelled    not at all
    open         with the mean of all values (a constant liar), so that parallel asks spread out. (Optuna's own way with
                 running trials, expected improvement of a batch by simulation, takes several times as long)
    many         of more than `history` the best and the latest. In 61 dimensions fitting takes 0.4 s of a core at 50,
                 0.6 s at 100 and 1.9 s at 200; with the candidates an ask is 0.6 to 1 s

Where numerics fail the ask is random, and the log says so. On graph features instead of decisions the same idea needs
less than half of the trials: `predictor` and `auto`.
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
from search.surrogate.gaussian_process import Array, FitError, settled, standardised
from search.trial import Outcome, TrialState
from space.decision import Choices
from space.space import replay

LOG = logging.getLogger(__name__)

WALKS, CENTRES = 100, 5
"""Candidates of an ask, half of them neighbours of so many of the best trials; 1 to 2 ms each."""

FEWEST = 3
"""Values that a process needs."""

BEST = 0.6
"""Part of a bounded history that is the best; the rest is the latest."""


class GpController(Proposer):
    """Options.

    startup: trials told with a value before the process takes over from uniform draws.
    history: how many of the told ones the process is made from, at most.
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
        self._told: list[tuple[int, OpenProposal, Outcome]] = []  # in order of number
        self._ranked: list[Choices] = []  # what this ask would like, the best first
        self._trouble: str | None = None

    def ask(self, number: int) -> Proposal:
        self._ranked = self._wishes(number)
        return super().ask(number)

    def picker(self, rng: np.random.Generator) -> Picker:
        return uniform(rng)

    def pickers(self, rngs: Iterator[np.random.Generator]) -> Iterator[Picker]:
        wishes = (follow(replay(choices)) for choices in self._ranked)
        yield from (next(wishes, None) or uniform(rng) for rng in rngs)

    def closed(self, asked: OpenProposal, outcome: Outcome) -> None:
        if outcome.state is not TrialState.CANCELLED:
            bisect.insort(self._told, (outcome.number, asked, outcome), key=lambda one: one[0])

    def _wishes(self, number: int) -> list[Choices]:
        """Candidates, the best first; none where there is too little to go by, or numerics fail."""
        if sum(outcome.value is not None for _, _, outcome in self._told) < max(FEWEST, self.startup):
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
        told = kept(self._told, self.history)
        open_ = [self._open[one] for one in sorted(self._open)]
        met: Distributions = {}
        for asked in (*(asked for _, asked, _ in told), *open_):
            met.update(distributions(asked))
        if not met:
            return []
        space = dict(sorted(met.items()))
        walks = [walk for walk in self._walks(number, told) if walk is not None]
        points = [_whole(found, space) for found in map(_of_walk, walks)]
        sampler = _Sampler(points, seed=seed_of(Stream.GP_SAMPLER, self.seed, number))
        weights = generator(Stream.GP_WEIGHTS, self.seed, number)
        study = new_study(sampler)
        study.add_trials(
            _trial(indices(asked), space, value)
            for (_, asked, _), value in zip(told, _values([outcome for _, _, outcome in told], weights), strict=True)
        )
        study.add_trials(_trial(indices(asked), space, 0.0) for asked in open_)
        study.ask(space)
        return [walks[place].choices for place in sampler.ranking]

    def _walks(self, number: int, told: Sequence[tuple[int, OpenProposal, Outcome]]) -> Iterator[Walk | None]:
        """Candidates, without analysis: most are never wanted."""
        valued = [(outcome.value, asked) for _, asked, outcome in told if outcome.value is not None]
        best = [asked for _, asked in sorted(valued, key=lambda one: -one[0])[:CENTRES]]
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


def kept(told: Sequence[tuple[int, OpenProposal, Outcome]], count: int) -> list[tuple[int, OpenProposal, Outcome]]:
    """All, or `count` of them, the best and the latest, in order of number."""
    if len(told) <= count:
        return list(told)
    latest = count - int(BEST * count)
    older = told[:-latest]
    values = [-np.inf if outcome.value is None else outcome.value for _, _, outcome in older]
    best = np.argsort([-value for value in values], kind="stable")[: count - latest]
    return [*(older[place] for place in sorted(map(int, best))), *told[-latest:]]


def _values(outcomes: Sequence[Outcome], weights: np.random.Generator) -> list[float]:
    """Standardised; without a value, the lowest. Raises Unfit where there is no finite spread.

    weights: of several objectives, drawn for each ask (ParEGO).
    """
    valued = [place for place, outcome in enumerate(outcomes) if outcome.value is not None]
    known = parego(np.array([outcomes[place].values for place in valued], dtype=float), weights)
    values = np.full(len(outcomes), known.min())
    values[valued] = known
    return [float(value) for value in standardised(values)]


def _of_walk(walk: Walk) -> Indices:
    return dict(index_of(decision, walk.choices) for decision in walk.decisions)


def _whole(found: Indices, space: Distributions) -> Indices:
    """In all dimensions of the space, and no other."""
    return {name: found.get(name, _idle(one)) for name, one in space.items()}


def _trial(found: Indices, space: Distributions, value: float) -> FrozenTrial:
    return optuna.trial.create_trial(value=value, params=_whole(found, space), distributions=space)


def _idle(one: BaseDistribution) -> int:
    """Where a decision stands that was not asked."""
    return one.high // 2 if isinstance(one, IntDistribution) else 0


class _Sampler(optuna.samplers.GPSampler):
    """Optuna's, for one draw, which looks for the best of its acquisition function among given points only.

    ranking: places of the points, the best first, once it was asked.
    """

    def __init__(self, points: Sequence[Indices], *, seed: int) -> None:
        super().__init__(seed=seed, n_startup_trials=0, warn_independent_sampling=False)
        self._points = points
        self.ranking: list[int] = []

    def _optimize_acqf(self, acqf: Any, best_params: Array | None) -> Array:
        """The override that Optuna leaves open for other ways to optimise. acqf: of (points, dimensions)."""
        if not self._points:
            raise FitError("no candidate fits")
        rows = acqf.search_space.get_normalized_params(self._points, self._points)
        worth = settled(np.asarray(acqf.eval_acqf_no_grad(rows), dtype=np.float64))
        if not np.isfinite(worth).all():
            raise FitError("the expected improvement is not finite")
        self.ranking = [int(place) for place in np.argsort(-worth, kind="stable")]
        return np.asarray(rows[self.ranking[0]])
