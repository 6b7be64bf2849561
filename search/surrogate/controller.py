"""What the controllers with a surrogate share: what was told as points, candidates, and which of them to try next.

    starts       the baseline, then alternately the largest of 256 random architectures (more parameters are the best
                 guess there is before anything was trained, and a bad judge among good ones) and a random one; none
                 of the largest that takes ten times the operations of the middle one, since hours for one trial
                 leave nothing to learn with (in the preset `everything` the largest takes 200 times as many)
    after them   the candidates ranked by expected improvement under the processes of `search/surrogate/ensemble.py`,
                 times the chance not to fail; the first that is new is proposed

All of it is a function of what was told, what is open, the seed and the trial's number; what is remembered between asks
only saves time. Candidates that were met before cost nothing, others one walk with analysis and features, 0.5 to 1 ms.
"""

import bisect
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
from search.proposing.constraints import Constraint, broken
from search.proposing.controller import Proposal
from search.proposing.proposer import OpenProposal, Proposer
from search.proposing.walk_cache import WalkCache
from search.proposing.walks import Picker, SearchSpace, Walk, follow, uniform
from search.streams import Stream, generator
from search.surrogate.ensemble import GaussianProcessEnsemble, processes
from search.surrogate.features import Columns, Numbers, describe
from search.surrogate.gaussian_process import (
    Array,
    FeasibilityModel,
    FitError,
    Hyperparameters,
    Points,
    alone,
    kept,
    plausible,
)
from search.surrogate.posterior import Candidate, End, Key, Posterior
from search.trial import Outcome, TrialState
from space.analysis import analyse
from space.architecture import Architecture
from space.decision import Choices, Decision
from space.space import replay

LOG = logging.getLogger(__name__)

STARTS = 6
"""Trials before the surrogate proposes: fewer tell it too little, more cost what it would do better."""

POOL = 256
"""Random architectures that features are scaled by, and the starts taken from; also candidates for ever."""

WALKS, DECISIONS = 200, 1_000
"""Of an ask, at most: 50 to 100 µs for each decision of a plain network, features included, so some 50 to 100 ms."""

THOROUGH, LEAST = 200, 12
"""Trials told up to which an ask walks as much as it may, and the walks that are always left: whoever trains more than
that has cheap trials, and a surrogate that knows its ground."""

FEWEST = 3
"""Values that a process needs."""

COSTLY = 10
"""Times the operations of the middle one of the pool: more than a start may take."""

FAILURES = 200
"""The latest trials without a value that are kept in mind."""

Looked = tuple[Mapping[str, float], tuple[Numbers, Numbers, Numbers]]
Look = Callable[[Architecture, Sequence[Decision], Choices], Looked]
"""An architecture, and the walk to it -> its measures, and its features."""
Warm = Literal["params", "none", "zero_cost"]


class SurrogateController(Proposer):
    """Base of the controllers with a surrogate; theirs is where candidates come from.

    starts: trials before the surrogate proposes, the baseline among them.
    warm: "params", half of the starts by parameter count; "none", at random; "zero_cost", by `guesses`, which somebody
    has to measure first (`workers/probes/zero_cost.py`), and as "params" where nobody did.
    proxy: what the starts are ranked by; anything that says something of untrained architectures may be put here.
    guesses: ranks some of the pool before it, larger is better, by their answers; those without one come after.
    """

    wishes: ClassVar[int] = 60  # the best candidate may be another spelling of what was tried, and so may the next

    def __init__(
        self,
        space: SearchSpace,
        *,
        constraints: Sequence[Constraint] = (),
        seed: int = 0,
        starts: int = STARTS,
        warm: Warm = "params",
    ) -> None:
        super().__init__(space, constraints=constraints, seed=seed)
        self.starts, self.warm = starts, warm
        self.proxy: Callable[[Choices, Architecture, Mapping[str, float]], float] = _params
        self.look: Look = look  # a benchmark that asks for the same networks again and again looks them up
        self.guesses: Mapping[Key, float] = {}
        self.because: str | None = None  # why this controller, where somebody chose it for the job
        self._trouble: str | None = None  # why the last ask had to do without the surrogate
        self._keys: set[Key] = set()  # of all that was proposed
        self._ends: list[End] = []  # in order of number
        self._vectors: dict[int, Array] = {}
        self._scales: tuple[tuple[int | None, ...], list[tuple[float, Hyperparameters]]] | None = None
        self._drawn: tuple[list[Candidate], Columns] | None = None
        self._tree: WalkCache[Candidate | None] = WalkCache(space)
        self._believed: tuple[tuple[object, ...], Posterior | None] | None = None
        self._wanted_next: Sequence[Candidate] = ()

    @abstractmethod
    def candidates(self, number: int, belief: Posterior) -> list[Candidate]:
        """What might be tried next, feasible or not, tried before or not."""

    # The idea's answers.

    def ask(self, number: int) -> Proposal:
        self._wanted_next = self._ranked(number)
        return super().ask(number)

    def picker(self, rng: np.random.Generator) -> Picker:
        """Where there is no wish left."""
        return uniform(rng)

    def pickers(self, rngs: Iterator[np.random.Generator]) -> Iterator[Picker]:
        yield from (self.wish(one) for one in self._wanted_next)
        yield from super().pickers(rngs)

    def wish(self, one: Candidate) -> Picker:
        """The answers that lead to a candidate."""
        return follow(replay(one.choices))

    def opened(self, asked: OpenProposal) -> None:
        """A prior trial may be proposed as well, unless its score here is known."""
        if asked.proposal.number >= 0 or asked.proposal.architecture.hash in self._settled:
            self._keys.add(tuple(asked.proposal.choices.items()))

    def closed(self, asked: OpenProposal, outcome: Outcome) -> None:
        if outcome.state is not TrialState.CANCELLED:
            end = End(number=outcome.number, asked=asked, outcome=outcome)
            bisect.insort(self._ends, end, key=lambda one: one.number)

    def incumbent(self) -> int | None:
        belief = self.belief()
        if belief is None:
            return None
        # a prior trial is none of this job's
        return next((end.number for end in belief.incumbents(len(belief.ends)) if end.number >= 0), None)

    # Ranking.

    def starting(self, number: int) -> bool:
        """Whether a trial is one of the starts. Prior trials are as good as those."""
        return number + sum(end.number < 0 for end in self._ends) < self.starts

    def _ranked(self, number: int) -> Sequence[Candidate]:
        """Candidates, the best first; none where a random draw is wanted."""
        if self.starting(number):
            self._trouble = None  # a start needs no surrogate
            return self._largest(number)
        belief = self.belief(number)
        if belief is None:
            return ()
        there: dict[Key, Candidate] = {}
        for one in self.candidates(number, belief):
            if not one.broken and one.key not in self._keys:
                there.setdefault(one.key, one)
        found = list(there.values())
        if not found:
            return ()
        merit = self.merit(found, belief)
        return [found[int(place)] for place in np.argsort(-merit, kind="stable")[: self.wishes]]

    def _largest(self, number: int) -> Sequence[Candidate]:
        """Of the starts, every second after the baseline. With it they are half of them, and never the last."""
        if self.warm == "none" or number % 2 == 0 or number == self.starts - 1:
            return ()
        pool = [one for one in self.pool if not one.broken]
        most = COSTLY * statistics.median([one.macs for one in pool]) if pool else 0.0
        pool = [one for one in pool if one.macs <= most]
        order = sorted(pool, key=lambda one: (-self.guesses.get(one.key, -math.inf), -one.size))
        return order[number // 2 : number // 2 + self.wishes]

    def merit(self, found: Sequence[Candidate], belief: Posterior) -> Array:
        """(candidates,) see `Posterior.merits`."""
        return belief.merits(found, self.columns)

    # The surrogate.

    def belief(self, number: int | None = None) -> Posterior | None:
        """After all that was told; None, with the reason in `trouble`, where that is too little, or numerics fail.

        number: of the trial it is for. With several objectives each trial has weights of its own, drawn by it (ParEGO);
        None takes the outcomes' one value.
        """
        several = any(len(end.outcome.values) > 1 for end in self._ends)
        drawn_by = number if several else None
        key = tuple([end.number for end in self._ends]), tuple(sorted(self._open)), drawn_by
        if self._believed is None or self._believed[0] != key:
            before, self._trouble = self._trouble, None
            self._believed = key, self._made(drawn_by)
            if self._trouble not in (None, before):  # once, not for each ask that it lasts
                LOG.warning("%s", self._trouble)
        return self._believed[1]

    def _made(self, drawn_by: int | None) -> Posterior | None:
        valued = [end for end in self._ends if end.outcome.value is not None]
        if len(valued) < FEWEST or not sum(self.columns.sizes):
            return None
        try:
            with np.errstate(all="ignore"), alone():
                return self._fitted(valued, drawn_by)
        except (FitError, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            self._trouble = f"the surrogate cannot be fitted, drawn at random instead: {error}"
            return None

    def _fitted(self, valued: Sequence[End], drawn_by: int | None) -> Posterior:
        y = self._told(valued, drawn_by)
        scales = self._scaled(valued, y, drawn_by)
        # by number, so that who is kept does not depend on how many there are
        first = min(0, valued[0].number)  # of prior trials
        lottery = generator(Stream.POINTS_KEPT, self.seed).random(valued[-1].number + 1 - first)
        places = kept(y, lottery[[end.number - first for end in valued]])
        ends = tuple(valued[int(place)] for place in places)
        points = self._points(ends, y[places])
        # what failed was looked at as well: else its surroundings would look unexplored for ever
        failed = [self._vector(end.asked) for end in self._ends if end.outcome.value is None][-FAILURES:]
        seen = [*failed, *(self._vector(self._open[number]) for number in sorted(self._open))]
        mixture = GaussianProcessEnsemble(points, scales, self.columns.sizes, pending=np.array(seen) if seen else None)
        chance = FeasibilityModel(points.x, np.array(failed), self.columns.sizes) if failed else None
        return Posterior(mixture=mixture, ends=ends, chance=chance, fresh=self._fresh())

    def _told(self, valued: Sequence[End], drawn_by: int | None) -> Array:
        """(n,) what is to be maximised."""
        if drawn_by is None:
            return np.array([end.outcome.value for end in valued], dtype=float)
        weights = generator(Stream.WEIGHTS, self.seed, drawn_by)
        return parego(np.array([end.outcome.values for end in valued], dtype=float), weights)

    def _scaled(self, valued: Sequence[End], y: Array, drawn_by: int | None) -> list[tuple[float, Hyperparameters]]:
        """Anew for each value up to 40, each 5 up to 100, and each 20 after; from those of the lowest numbers."""
        count = len(valued)
        step = 1 if count <= 40 else 5 if count <= 100 else 20
        first = count - count % step
        key = (drawn_by, *(end.number for end in valued[:first]))
        if self._scales is None or self._scales[0] != key:
            points = self._points(valued[:first], y[:first])
            self._scales = (key, plausible(points, self.columns.sizes, processes(first)))
        return self._scales[1]

    def _points(self, ends: Sequence[End], y: Array) -> Points:
        return Points(
            x=np.array([self._vector(end.asked) for end in ends]),
            y=y,
            epochs=np.array([max(1, end.outcome.epochs) for end in ends], dtype=float),
        )

    # Features.

    @property
    def pool(self) -> list[Candidate]:
        """Random architectures, always the same ones."""
        return self._pooled()[0]

    @property
    def columns(self) -> Columns:
        return self._pooled()[1]

    def _pooled(self) -> tuple[list[Candidate], Columns]:
        if self._drawn is None:
            pool = self.grown(uniform(generator(Stream.POOL, self.seed, i)) for i in range(POOL))
            self._drawn = pool, Columns([one.numbers for one in pool])
        return self._drawn

    @cached_property
    def walks(self) -> int:
        """How many new candidates an ask may grow: fewer where a walk asks many decisions."""
        asked = sum(len(one.decisions) for one in self.pool) / max(1, len(self.pool))
        return min(WALKS, max(WALKS // 8, int(DECISIONS / max(1.0, asked))))

    def _fresh(self) -> int:
        own = len(self._ends) - bisect.bisect_left(self._ends, 0, key=lambda end: end.number)  # no prior trials
        return max(min(LEAST, self.walks), self.walks * THOROUGH // max(THOROUGH, own))

    def grown(self, pickers: Iterable[Picker]) -> list[Candidate]:
        """One walk for each; without those whose shapes cannot be."""
        return [one for one in map(self.candidate, pickers) if one is not None]

    def candidate(self, picker: Picker) -> Candidate | None:
        """One walk; None where the shapes cannot be."""
        walk = Walk(picker=picker)
        return self._tree.end(walk.choose, lambda found: self._seen(walk, found))

    def _seen(self, walk: Walk, architecture: Architecture | InvalidArchitecture) -> Candidate | None:
        if isinstance(architecture, InvalidArchitecture):
            return None
        measures, numbers = self.look(architecture, walk.decisions, walk.choices)
        return Candidate(
            choices=walk.choices,
            decisions=tuple(walk.decisions),
            numbers=numbers,
            broken=broken(self.limits, measures),
            size=self.proxy(walk.choices, architecture, measures),
            macs=measures["macs"],
        )

    def _vector(self, asked: OpenProposal) -> Array:
        """(features,) of a trial."""
        proposal = asked.proposal
        if proposal.number not in self._vectors:
            _, numbers = self.look(proposal.architecture, asked.decisions, proposal.choices)
            self._vectors[proposal.number] = self.columns.vector(numbers)
        return self._vectors[proposal.number]

    @property
    def trouble(self) -> str | None:
        return self._trouble

    def state(self) -> dict[str, Any]:
        """What was told, the scales that are believed, and the trials believed best."""
        belief = self.belief()
        known: dict[str, Any] = {"told": len(self._ends), **({"because": self.because} if self.because else {})}
        if belief is None:
            return {**known, "surrogate": self._trouble or "not enough values yet"}
        scales = belief.mixture.scales
        return {
            **known,
            "surrogate": {"length": scales.length, "noise": scales.noise, "weights": list(scales.weights)},
            "believed_best": [end.number for end in belief.incumbents(5)],
        }


def look(architecture: Architecture, decisions: Sequence[Decision], choices: Choices) -> Looked:
    """By analysis, 0.5 to 3 ms."""
    measures = analyse(architecture).measures
    return measures, describe(architecture, measures, decisions, choices)


def _params(choices: Choices, architecture: Architecture, measures: Mapping[str, float]) -> float:  # noqa: ARG001
    return measures["params"]
