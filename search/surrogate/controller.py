"""What the controllers with a surrogate share: outcomes as points, candidates, and which of them to try next.

    initial design   the baseline, then alternately the largest of 256 random architectures and a random one: more
                     parameters are the best predictor before anything was trained, and a poor one among good networks.
                     None of the largest may take ten times the operations of the median, since after hours for one
                     trial little is left to learn with (in the preset `everything` the largest takes 200 times as many)
    after it         the candidates ranked by their acquisition: expected improvement under the ensemble of
                     `search/surrogate/ensemble.py`, times the probability not to fail; the first new one is proposed
    with costs       nothing is proposed that would take more than its share of the search, in both, unless nothing
                     else is found; and the acquisition is weighed against seconds (`search/surrogate/costs.py`)

All of it is a function of the outcomes, the open trials, the seed and the trial's number; what is kept between asks
only saves time. Candidates that were met before cost nothing, a new one takes a walk with analysis and features, 0.5 to
1 ms.
"""

import bisect
import itertools
import logging
import math
import statistics
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from archsmith.errors import InvalidArchitecture
from search.pareto import parego
from search.planning.step_cost import work_of
from search.proposing.constraints import Constraint, total_violation
from search.proposing.controller import Proposal
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walk_cache import WalkCache
from search.proposing.walks import Draw, Picker, SearchSpace, Walk, follow, uniform
from search.streams import Stream, generator
from search.surrogate.costs import TrainingCosts
from search.surrogate.ensemble import GaussianProcessEnsemble, ensemble_size
from search.surrogate.features import Columns, Numbers, describe
from search.surrogate.gaussian_process import (
    Array,
    FeasibilityModel,
    FitError,
    Hyperparameters,
    Points,
    kept_points,
    plausible,
    single_threaded,
)
from search.surrogate.posterior import Candidate, End, Key, Posterior
from search.trial import Outcome, TrialState
from space.analysis import analyse
from space.architecture import Architecture
from space.decision import Choices, Decision
from space.space import replay

LOG = logging.getLogger(__name__)

STARTS = 6
"""Trials of the initial design: fewer teach the surrogate too little, more do what it would do better."""

POOL = 256
"""Random architectures that the features are scaled by and the initial design is taken from; candidates as well."""

WALKS, DECISIONS = 200, 1_000
"""New walks of an ask, and decisions in all of them, at most: 50 to 100 µs per decision of a plain network, features
included, so 50 to 100 ms."""

FULL_BUDGET, LEAST = 200, 12
"""Trials up to which an ask has its full budget of walks, and the walks that always remain: a job with more trials than
that has cheap trials, and a surrogate with many points."""

FEWEST = 3
"""Values that a process needs."""

COSTLY = 10
"""How many times the operations of the pool's median a trial of the initial design may take."""

FAILURES = 200
"""The latest trials without a value that are taken into account."""

Looked = tuple[Mapping[str, float], tuple[Numbers, Numbers, Numbers]]
Look = Callable[[Architecture, Sequence[Decision], Choices], Looked]
"""An architecture, and the walk to it -> its measures, and its features."""
InitialDesign = Literal["params", "none", "zero_cost"]
"""What half of the first trials are ranked by: parameters, nothing (they are random), or zero-cost proxies."""


class SurrogateController(Proposer):
    """Base of the controllers with a surrogate; a subclass says where candidates come from.

    starts: trials of the initial design, the baseline among them.
    warm: what they are ranked by, see `InitialDesign`. Zero-cost proxies have to be measured first
    (`workers/probes/zero_cost.py`); where they were not, it is as "params".
    proxy: the size that the pool is ranked by; it may be replaced by any other estimate for untrained architectures.
    guesses: zero-cost scores of some of the pool by their answers, larger is better; the others come after these.
    length: of a training of so many epochs, where these are not equally long; what matters is how many times as long
    one is as another.
    costs: what trainings cost as far as it is known now; None where a trial is a trial, whatever it takes. Both are set
    before the first ask.
    """

    shortlist: ClassVar[int] = 60  # the best candidate may be another spelling of what was tried, and so may the next

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        seed: int = 0,
        starts: int = STARTS,
        warm: InitialDesign = "params",
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self.starts, self.initial_design = starts, warm
        self.proxy: Callable[[Choices, Architecture, Mapping[str, float]], float] = _params
        self.look: Look = look  # a benchmark that asks for the same networks again and again looks them up
        self.guesses: Mapping[Key, float] = {}
        self.length: Callable[[int], float] = float
        self.costs: Callable[[], TrainingCosts] | None = None
        self.because: str | None = None  # why this controller, where it was chosen by `auto`
        self._trouble: str | None = None  # why the last ask had to do without the surrogate
        self._proposed: set[Key] = set()
        self._ends: list[End] = []  # in order of number
        self._vectors: dict[int, Array] = {}  # by trial, (features,)
        self._fitted: tuple[tuple[int | None, ...], list[tuple[float, Hyperparameters]]] | None = None
        self._pool: tuple[list[Candidate], Columns] | None = None
        self._cache: WalkCache[Candidate | None] = WalkCache(space)
        self._posterior: tuple[tuple[object, ...], Posterior | None] | None = None
        self._ranked: Sequence[Candidate] = ()  # for the present ask

    @abstractmethod
    def candidates(self, number: int, posterior: Posterior) -> list[Candidate]:
        """What might be tried next, feasible or not, tried before or not."""

    # The strategy.

    def ask(self, number: int) -> Proposal:
        self._ranked = self._ranking(number)
        return super().ask(number)

    def picker(self, rng: np.random.Generator) -> Picker:
        """For the draws after the last candidate."""
        return uniform(rng)

    def pickers(self, rngs: Iterator[np.random.Generator]) -> Iterator[Picker]:
        yield from (self.answers(candidate) for candidate in self._ranked)
        yield from super().pickers(rngs)

    def answers(self, candidate: Candidate) -> Picker:
        """The answers that lead to a candidate."""
        return follow(replay(candidate.choices))

    def opened(self, trial: OpenProposal) -> None:
        """A prior trial may be proposed as well, unless its score here is known."""
        if trial.proposal.number >= 0 or trial.proposal.architecture.hash in self._settled:
            self._proposed.add(tuple(trial.proposal.choices.items()))

    def closed(self, trial: OpenProposal, outcome: Outcome) -> None:
        if outcome.state is not TrialState.CANCELLED:
            end = End(number=outcome.number, trial=trial, outcome=outcome)
            bisect.insort(self._ends, end, key=lambda end: end.number)

    def incumbent(self) -> int | None:
        posterior = self.posterior()
        if posterior is None:
            return None
        # a prior trial is no trial of this job
        return next((end.number for end in posterior.incumbents(len(posterior.ends)) if end.number >= 0), None)

    # Ranking.

    def is_start(self, number: int) -> bool:
        """Whether a trial belongs to the initial design. Prior trials count towards it."""
        return number + sum(end.number < 0 for end in self._ends) < self.starts

    def _ranking(self, number: int) -> Sequence[Candidate]:
        """Candidates, the best first; empty where a random draw is to be made."""
        if self.is_start(number):
            self._trouble = None  # the initial design needs no surrogate
            return self._largest(number)
        posterior = self.posterior(number)
        if posterior is None:
            return ()
        new: dict[Key, Candidate] = {}
        for candidate in self.candidates(number, posterior):
            if not candidate.violation and candidate.key not in self._proposed:
                new.setdefault(candidate.key, candidate)
        found = self._affordable(list(new.values()))
        if not found:
            return ()
        order = np.argsort(-self.acquisition(found, posterior), kind="stable")[: self.shortlist]
        return [found[int(place)] for place in order]

    def _largest(self, number: int) -> Sequence[Candidate]:
        """Of the initial design every second trial after the baseline, but never the last: half of it at most."""
        if self.initial_design == "none" or number % 2 == 0 or number == self.starts - 1:
            return ()
        pool = self._affordable([candidate for candidate in self.pool if not candidate.violation])
        most = COSTLY * statistics.median([candidate.macs for candidate in pool]) if pool else 0.0
        pool = [candidate for candidate in pool if candidate.macs <= most]
        order = sorted(pool, key=lambda candidate: (-self.guesses.get(candidate.key, -math.inf), -candidate.size))
        return order[number // 2 : number // 2 + self.shortlist]

    def acquisition(self, candidates: Sequence[Candidate], posterior: Posterior) -> Array:
        """(candidates,): see `Posterior.acquisition`; where costs are known, less the logarithm of their power."""
        values = posterior.acquisition(candidates, self.columns)
        return values if self.costs is None else values - self.costs().penalty([one.work for one in candidates])

    # Costs.

    def _affordable(self, candidates: list[Candidate]) -> list[Candidate]:
        """Those that take no more than their share of the search; all, where none does."""
        if self.costs is None:
            return candidates
        return list(itertools.compress(candidates, self.costs().allows([candidate.work for candidate in candidates])))

    def _draw(self, number: int) -> Draw | None:
        """Of random draws too the first that takes no more than its share, and where there is none the quickest."""
        if self.costs is None:
            return super()._draw(number)
        costs, longer = self.costs(), list[tuple[float, Draw]]()
        for draw in filter(self._acceptable, self._draws(number)):
            seconds = float(costs.seconds([work_of(draw.architecture)])[0])
            if seconds <= costs.limit_s:
                return draw
            longer.append((seconds, draw))
        return min(longer, key=lambda pair: pair[0], default=(0.0, None))[1]

    # The surrogate.

    def posterior(self, number: int | None = None) -> Posterior | None:
        """After all outcomes; None, with the reason in `trouble`, where they are too few, or numerics fail.

        number: of the trial it is for. With several objectives each trial draws weights of its own (ParEGO); None takes
        the outcomes' one value.
        """
        several = any(len(end.outcome.values) > 1 for end in self._ends)
        weights_of = number if several else None
        key = tuple([end.number for end in self._ends]), tuple(sorted(self._open)), weights_of
        if self._posterior is None or self._posterior[0] != key:
            before, self._trouble = self._trouble, None
            self._posterior = key, self._fit(weights_of)
            if self._trouble not in (None, before):  # once, not for each ask that it lasts
                LOG.warning("%s", self._trouble)
        return self._posterior[1]

    def _fit(self, weights_of: int | None) -> Posterior | None:
        valued = [end for end in self._ends if end.outcome.value is not None]
        if len(valued) < FEWEST or not sum(self.columns.sizes):
            return None
        try:
            with np.errstate(all="ignore"), single_threaded():
                return self._fit_to(valued, weights_of)
        except (FitError, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            self._trouble = f"the surrogate cannot be fitted, drawn at random instead: {error}"
            return None

    def _fit_to(self, valued: Sequence[End], weights_of: int | None) -> Posterior:
        """valued: the ends with a value, in order of number."""
        y = self._targets(valued, weights_of)
        hyperparameters = self._hyperparameters(valued, y, weights_of)
        # one key per number, so that who is kept does not depend on how many there are; prior trials are below 0
        first = min(0, valued[0].number)
        keys = generator(Stream.POINTS_KEPT, self.seed).random(valued[-1].number + 1 - first)
        places = kept_points(y, keys[[end.number - first for end in valued]])
        ends = tuple(valued[int(place)] for place in places)
        points = self._points(ends, y[places])
        # failed trials shrink the variance like open ones: else the region around them would look unexplored for ever
        failed = [self._vector(end.trial) for end in self._ends if end.outcome.value is None][-FAILURES:]
        pending = [*failed, *(self._vector(self._open[number]) for number in sorted(self._open))]
        sizes = self.columns.sizes
        return Posterior(
            ensemble=GaussianProcessEnsemble(
                points, hyperparameters, sizes, pending=np.array(pending) if pending else None
            ),
            ends=ends,
            feasibility=FeasibilityModel(points.x, np.array(failed), sizes) if failed else None,
            walk_budget=self._walk_budget(),
        )

    def _targets(self, valued: Sequence[End], weights_of: int | None) -> Array:
        """(n,) what is to be maximised."""
        if weights_of is None:
            return np.array([end.outcome.value for end in valued], dtype=float)
        weights = generator(Stream.WEIGHTS, self.seed, weights_of)
        return parego(np.array([end.outcome.values for end in valued], dtype=float), weights)

    def _hyperparameters(
        self, valued: Sequence[End], y: Array, weights_of: int | None
    ) -> list[tuple[float, Hyperparameters]]:
        """Fitted for each new value up to 40, each 5 up to 100, each 20 after; to those of the lowest numbers."""
        count = len(valued)
        step = 1 if count <= 40 else 5 if count <= 100 else 20
        first = count - count % step
        key = (weights_of, *(end.number for end in valued[:first]))
        if self._fitted is None or self._fitted[0] != key:
            points = self._points(valued[:first], y[:first])
            self._fitted = (key, plausible(points, self.columns.sizes, ensemble_size(first)))
        return self._fitted[1]

    def _points(self, ends: Sequence[End], y: Array) -> Points:
        return Points(
            x=np.array([self._vector(end.trial) for end in ends]),
            y=y,
            epochs=np.array([self.length(max(1, end.outcome.epochs)) for end in ends]),
        )

    # Features.

    @property
    def pool(self) -> list[Candidate]:
        """Random architectures, always the same ones."""
        return self._pool_and_columns()[0]

    @property
    def columns(self) -> Columns:
        return self._pool_and_columns()[1]

    def _pool_and_columns(self) -> tuple[list[Candidate], Columns]:
        if self._pool is None:
            pool = self.sampled(uniform(generator(Stream.POOL, self.seed, i)) for i in range(POOL))
            self._pool = pool, Columns([candidate.numbers for candidate in pool])
        return self._pool

    @cached_property
    def max_walks(self) -> int:
        """The full budget of new walks of an ask: smaller where a walk has many decisions."""
        mean = sum(len(candidate.decisions) for candidate in self.pool) / max(1, len(self.pool))
        return min(WALKS, max(WALKS // 8, int(DECISIONS / max(1.0, mean))))

    def _walk_budget(self) -> int:
        own = len(self._ends) - bisect.bisect_left(self._ends, 0, key=lambda end: end.number)  # no prior trials
        return max(min(LEAST, self.max_walks), self.max_walks * FULL_BUDGET // max(FULL_BUDGET, own))

    def sampled(self, pickers: Iterable[Picker]) -> list[Candidate]:
        """One walk for each; without those where no shape fits."""
        return [candidate for candidate in map(self.candidate, pickers) if candidate is not None]

    def candidate(self, picker: Picker) -> Candidate | None:
        """One walk; None where no shape fits."""
        walk = Walk(picker=picker)
        return self._cache.get(walk.choose, lambda result: self._described(walk, result))

    def _described(self, walk: Walk, architecture: Architecture | InvalidArchitecture) -> Candidate | None:
        if isinstance(architecture, InvalidArchitecture):
            return None
        measures, numbers = self.look(architecture, walk.decisions, walk.choices)
        return Candidate(
            choices=walk.choices,
            decisions=tuple(walk.decisions),
            numbers=numbers,
            violation=total_violation(self.constraints, measures),
            size=self.proxy(walk.choices, architecture, measures),
            macs=measures["macs"],
            work=() if self.costs is None else work_of(architecture),
        )

    def _vector(self, trial: OpenProposal) -> Array:
        """(features,) of a trial."""
        proposal = trial.proposal
        if proposal.number not in self._vectors:
            _, numbers = self.look(proposal.architecture, trial.decisions, proposal.choices)
            self._vectors[proposal.number] = self.columns.vector(numbers)
        return self._vectors[proposal.number]

    @property
    def trouble(self) -> str | None:
        return self._trouble

    def state(self) -> dict[str, Any]:
        """How many trials ended, the likeliest hyperparameters, and the trials with the highest estimates."""
        posterior = self.posterior()
        known: dict[str, Any] = {"told": len(self._ends), **({"because": self.because} if self.because else {})}
        if self.costs is not None:
            known["costs"] = {"most_s": round(self.costs().limit_s, 2), "power": round(self.costs().power, 3)}
        if posterior is None:
            return {**known, "surrogate": self._trouble or "not enough values yet"}
        found = posterior.ensemble.hyperparameters
        return {
            **known,
            "surrogate": {"length": found.length, "noise": found.noise, "weights": list(found.weights)},
            "believed_best": [end.number for end in posterior.incumbents(5)],
        }


def look(architecture: Architecture, decisions: Sequence[Decision], choices: Choices) -> Looked:
    """By analysis, 0.5 to 3 ms."""
    measures = analyse(architecture).measures
    return measures, describe(architecture, measures, decisions, choices)


def _params(choices: Choices, architecture: Architecture, measures: Mapping[str, float]) -> float:  # noqa: ARG001
    return measures["params"]
