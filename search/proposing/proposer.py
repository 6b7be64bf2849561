"""What all controllers share: draw until an architecture is new and feasible, and keep track of open trials.

A controller is a `Proposer` with a strategy. The strategy answers decisions (`picker`) and learns from outcomes
(`closed`); the rest of the contract in `search/proposing/controller.py` is kept here:

    trial 0            the space's own baseline, where it is feasible
    trials 1 ... k     the user's own architectures, where there are k: feasible, and not tried yet
    draws              the strategy's own, then neighbours of what was tried, then repairs of the one with the smallest
                       violation (`search/proposing/repair.py`), then uniform ones, then an enumeration; each costs a
                       walk, and an analysis or a hash, 0.5 to 3 ms in all
    rejected           impossible shapes, violated constraints, every hash proposed before
    randomness         `streams.generator(DRAW, seed, number, draw)`, so that a replay in another process draws alike

Neighbours serve strategies that have converged to architectures that were tried already: a search around those is what
such a strategy asks for, and cheaper than asking it again (tpe on 1,332 points: 4 own draws then neighbours find what
24 own draws find, in half the time). They serve tight constraints as well: where one walk in a thousand is feasible,
many steps from a feasible one are. The first feasible architecture of such a space is found by repair: where one walk
in 10^5 is feasible, in about 100 steps. Spaces of at most ENUMERABLE walks are searched to the last feasible
architecture before `SpaceExhausted` is raised. In a larger one the error says that a bounded number of draws found
nothing.
"""

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from archsmith.errors import Conflict, SpaceExhausted, UnknownTrial
from search.proposing.constraints import Constraint, most_violated
from search.proposing.controller import Controller, Proposal
from search.proposing.prior_values import Prior, PriorScaler, outcome_of
from search.proposing.repair import repair
from search.proposing.walks import (
    Draw,
    Picker,
    SearchSpace,
    Walk,
    draw_of,
    draw_walk,
    every_walk,
    follow,
    neighbour,
    uniform,
)
from search.streams import Stream, generator
from search.trial import Outcome
from space.architecture import Architecture
from space.decision import Choices, Choose, Decision
from space.space import replay

NEIGHBOURS = 100
"""Draws that change a few answers of what the strategy proposed again, or of any earlier proposal where it proposed
nothing feasible."""

REPAIRS = 300
"""Steps of repair. A sweep over 25 decisions takes about 60."""

LAST_REPAIRS = 1_000
"""Steps, 1 to 2 s, where a job would otherwise end without a single trial."""

UNIFORM = 300
"""Uniform draws after that: they find a new architecture with 95 % where one walk in 100 leads to one."""

ENUMERABLE = 10_000
"""The most walks that are worth visiting one by one, 10 to 50 s over a controller's whole life."""

COUNTING = 100_000
"""Steps allowed to find out whether a space is that small."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenProposal:
    """A proposed trial as strategies see it: the proposal, and the decisions on its walk with more than one option."""

    proposal: Proposal
    decisions: tuple[Decision, ...]


class Proposer(Controller):
    """Base of the controllers: everything but the strategy.

    space: walked to get architectures.
    constraints: the job's; those of the space itself are taken from the space.
    seed: with a trial's number, the only source of randomness.
    """

    patience: ClassVar[int] = 20  # draws of the strategy within one ask
    keeps_behaviour: ClassVar[bool] = False
    stream: ClassVar[Stream] = Stream.DRAW

    def __init__(self, space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 0) -> None:
        self.space = space
        self.job_constraints = tuple(constraints)
        self.constraints = (*space.constraints, *self.job_constraints)
        self.seed = seed
        self._tried: set[str] = set()
        self._settled: set[str] = set()  # of these, what only earlier jobs tried
        self._asked: set[int] = set()
        self._open: dict[int, OpenProposal] = {}
        self._walked: list[Choices] = []
        self._unvisited: Iterator[tuple[Walk, Architecture | None]] | None = None
        self._nearest: Draw | None = None  # of this ask's infeasible draws
        self._enqueued: tuple[Choices, ...] = ()
        self._scaler = PriorScaler()
        self._unscaled: dict[int, OpenProposal] = {}  # prior trials that wait for this job's values

    # The strategy.

    @abstractmethod
    def picker(self, rng: np.random.Generator) -> Picker:
        """The answers of one draw. Everything random in them comes from `rng`."""

    def pickers(self, rngs: Iterator[np.random.Generator]) -> Iterator[Picker]:
        """The draws of one ask, each made when the one before it was rejected: one per generator in `rngs`.

        A strategy that ranks candidates rather than draws them overrides this; it may make fewer draws or more.
        """
        return (self.picker(rng) for rng in rngs)

    def opened(self, trial: OpenProposal) -> None:
        """A trial was proposed, by ask or restore."""

    def closed(self, trial: OpenProposal, outcome: Outcome) -> None:
        """A trial ended; cancelled ones are reported as well."""

    # The contract.

    def ask(self, number: int) -> Proposal:
        if number in self._asked:
            raise ValueError(f"trial {number} was asked before")
        self._nearest = None
        given = self._given(number)
        draw = given or self._draw(number) or self._enumerate()
        proposal = Proposal(
            number=number,
            architecture=draw.architecture,
            choices=draw.choices,
            behaviour=draw.behaviour if self.keeps_behaviour else {},
            provenance="controller" if given is None else "user" if number else "baseline",
        )
        self._enter(OpenProposal(proposal=proposal, decisions=draw.decisions))
        return proposal

    def tell(self, outcome: Outcome) -> None:
        trial = self._open.pop(outcome.number, None)
        if trial is None:
            known = "was told before" if outcome.number in self._asked else "was never asked"
            raise UnknownTrial(f"trial {outcome.number} {known}")
        self.closed(trial, outcome)
        for scaled in self._scaler.scaled_after(outcome):
            self.closed(self._unscaled.pop(scaled.number), scaled)

    def enqueue(self, architectures: Sequence[Choices]) -> None:
        self._enqueued = tuple(architectures)

    def recall(self, priors: Sequence[Prior]) -> None:
        """Comparable trials are learned at once, the others when there are values to scale their z-scores by
        (`search/proposing/prior_values.py`)."""
        for number, prior in enumerate(priors, -len(priors)):
            trial = self._prior_trial(number, prior)
            if prior.settled:
                self._tried.add(prior.architecture.hash)
                self._settled.add(prior.architecture.hash)
                self._walked.append(trial.proposal.choices)
            self.opened(trial)
            if prior.comparable:
                self.closed(trial, outcome_of(number, prior))
            else:
                self._unscaled[number] = trial
                self._scaler.add(number, prior)

    def _prior_trial(self, number: int, prior: Prior) -> OpenProposal:
        """With a uniform behaviour: whatever policy proposed it then is not known here."""
        proposal = Proposal(number=number, architecture=prior.architecture, choices=prior.choices, provenance="prior")
        trial = self._walk_again(proposal)
        behaviour = {d.name: 1.0 / len(d.options) for d in trial.decisions if self.keeps_behaviour}
        return replace(trial, proposal=replace(trial.proposal, behaviour=behaviour))

    def restore(self, proposal: Proposal, outcome: Outcome | None) -> None:
        """Raises Conflict when the space has changed so far that its decisions are not those of the choices."""
        self._enter(self._walk_again(proposal))
        if outcome is not None:
            self.tell(outcome)

    def _walk_again(self, proposal: Proposal) -> OpenProposal:
        walk = Walk(picker=follow(replay(proposal.choices)))
        self.space.sample(walk.choose)
        if walk.choices != proposal.choices:
            raise Conflict(f"trial {proposal.number} was drawn from another space than this one")
        # a ledger need not keep the order of keys
        return OpenProposal(proposal=replace(proposal, choices=walk.choices), decisions=tuple(walk.decisions))

    def _enter(self, trial: OpenProposal) -> None:
        number = trial.proposal.number
        self._asked.add(number)
        self._tried.add(trial.proposal.architecture.hash)
        self._settled.discard(trial.proposal.architecture.hash)
        self._open[number] = trial
        self._walked.append(trial.proposal.choices)
        self.opened(trial)

    def _given(self, number: int) -> Draw | None:
        """The baseline for trial 0, the user's own architectures for the next ones, where new and feasible."""
        if number > len(self._enqueued):
            return None
        choices = self._enqueued[number - 1] if number else self.space.baseline()
        draw = self._draw_walk(follow(replay(choices)))
        if draw is None or draw.violation:
            return None
        known = draw.architecture.hash in self._tried and draw.architecture.hash not in self._settled
        return None if known else draw

    def _draw(self, number: int) -> Draw | None:
        """The first draw that is new and feasible."""
        return next((draw for draw in self._draws(number) if self._acceptable(draw)), None)

    def _draws(self, number: int) -> Iterator[Draw]:
        """All draws of one ask, kind after kind; the caller stops at the one it takes."""
        draw_numbers = itertools.count()
        repeats: list[Choices] = []  # feasible ones that the strategy proposes again
        for draw in self._draw_walks(self.pickers(self._rngs(number, draw_numbers, self.patience))):
            yield draw
            if not draw.violation:
                repeats.append(draw.choices)
        centres = tuple(repeats or self._walked)
        rngs = self._rngs(number, draw_numbers, NEIGHBOURS if centres else 0)
        yield from self._draw_walks(neighbour(centres[int(rng.integers(len(centres)))], rng) for rng in rngs)
        if self._nearest is not None:
            yield from self._repairs(self._nearest, Stream.REPAIR, number, REPAIRS)
        yield from self._draw_walks(uniform(rng) for rng in self._rngs(number, draw_numbers, UNIFORM))
        if self._nearest is not None and not self._tried:
            yield from self._repairs(self._nearest, Stream.LAST_REPAIR, number, LAST_REPAIRS)

    def _repairs(self, start: Draw, stream: Stream, number: int, steps: int) -> Iterator[Draw]:
        return repair(start, self._draw_from, generator(stream, self.seed, number), steps=steps)

    def _draw_walks(self, pickers: Iterable[Picker]) -> Iterator[Draw]:
        for picker in pickers:
            draw = self._draw_walk(picker)
            if draw is not None:
                yield draw

    def _draw_from(self, choose: Choose) -> Draw | None:
        return self._draw_walk(follow(choose))

    def _draw_walk(self, picker: Picker) -> Draw | None:
        draw = draw_walk(self.space, self.constraints, picker)
        if draw is not None and draw.violation and (self._nearest is None or draw.violation < self._nearest.violation):
            self._nearest = draw
        return draw

    def _acceptable(self, draw: Draw) -> bool:
        return not draw.violation and draw.architecture.hash not in self._tried

    def _rngs(self, number: int, draw_numbers: Iterator[int], count: int) -> Iterator[np.random.Generator]:
        return (generator(self.stream, self.seed, number, draw) for draw in itertools.islice(draw_numbers, count))

    def _enumerate(self) -> Draw:
        """The first new and feasible architecture of all walks. Raises SpaceExhausted."""
        if self._unvisited is None:
            count = self.space.size(COUNTING).count
            self._unvisited = every_walk(self.space) if count is not None and count <= ENUMERABLE else iter(())
        # It never turns back: what it has passed was tried or infeasible, and stays so.
        for walk, architecture in self._unvisited:
            if architecture is not None:
                draw = draw_of(walk, architecture, self.constraints)
                if self._acceptable(draw):
                    return draw
        draws = f"{self.patience + NEIGHBOURS + UNIFORM} draws and {REPAIRS} repairs"
        raise SpaceExhausted(
            f"no new feasible architecture in {draws} after {len(self._tried)} trials;"
            f" a space of up to {ENUMERABLE} walks was searched to its end{self._far()};"
            " enlarge the space or relax the constraints"
        )

    def _far(self) -> str:
        """How near the last draws came to the constraints, where none kept them."""
        if self._nearest is None:
            return ""
        worst, distance = most_violated(self.constraints, self._nearest.measures)
        return f"; the nearest infeasible one misses the bound of {worst.text!r} by {distance:.2%}"
