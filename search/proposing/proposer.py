"""What all controllers share: draw until an architecture is new and feasible, and know which trials are open.

A controller is a `Proposer` with an idea. The idea answers decisions (`picker`) and learns from ends (`closed`); the
rest of the law in `search/proposing/controller.py` is kept here:

    trial 0            the space's own baseline, where it is feasible
    trials 1 ... k     the user's own architectures, where there are k: feasible, and not tried yet
    draws              the controller's own, then neighbours of what was tried, then repairs of the one that came
                       nearest to the constraints (`search/proposing/repair.py`), then uniform ones, then an
                       enumeration; each costs a walk, and an analysis or a hash, 0.5 to 3 ms in all
    refused            impossible shapes, broken constraints, every hash proposed before
    randomness         `streams.generator(DRAW, seed, number, draw)`, so that a replay in another process draws alike

Neighbours are for ideas that have settled on architectures that were tried: a search around those is what they mean,
and cheaper than asking them again (tpe on 1,332 points: 4 own draws then neighbours find what 24 find, in half the
time). They are for tight constraints as well: where one walk in a thousand is feasible, many steps from a feasible one
are. The first feasible one of a thin space is found by repair: where one walk in 10^5 is feasible, in about 100 steps.
Spaces of at most ENUMERABLE walks are emptied to the last feasible architecture before `SpaceExhausted` is raised. In a
larger one the error says that a bounded number of draws found nothing.
"""

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from archsmith.errors import Conflict, SpaceExhausted, UnknownTrial
from search.proposing.constraints import Constraint, tightest
from search.proposing.controller import Controller, Proposal
from search.proposing.prior_values import Prior, PriorScaler, outcome_of
from search.proposing.repair import repair
from search.proposing.walks import (
    Draw,
    Picker,
    SearchSpace,
    Walk,
    attempt,
    attempt_of,
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
"""Draws that change a few answers of what the idea wanted again, or of any earlier proposal where it wanted none."""

REPAIRS = 300
"""Steps of repair. A sweep over 25 decisions, with what they try, is about 60."""

LAST_REPAIRS = 1_000
"""Steps, 1 to 2 s, where a job has not had one trial yet and would end without."""

UNIFORM = 300
"""Uniform draws after that: they find a new architecture with 95 % where one walk in 100 leads to one."""

ENUMERABLE = 10_000
"""The most walks that are worth visiting one by one, 10 to 50 s over a controller's whole life."""

COUNTING = 100_000
"""Steps allowed to find out whether a space is that small."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenProposal:
    """An ask as the idea sees it: the proposal and the decisions that stood open on its walk."""

    proposal: Proposal
    decisions: tuple[Decision, ...]


class Proposer(Controller):
    """Base of the controllers: everything but the idea.

    space: walked to get architectures.
    constraints: the job's; those of the space itself are asked of the space.
    seed: with a trial's number, the only source of randomness.
    """

    patience: ClassVar[int] = 20  # draws of the idea within one ask
    keeps_behaviour: ClassVar[bool] = False
    stream: ClassVar[Stream] = Stream.DRAW

    def __init__(self, space: SearchSpace, *, constraints: Sequence[Constraint] = (), seed: int = 0) -> None:
        self.space = space
        self.constraints = tuple(constraints)
        self.limits = (*space.constraints, *self.constraints)
        self.seed = seed
        self._tried: set[str] = set()
        self._settled: set[str] = set()  # of these, what only earlier jobs tried
        self._asked: set[int] = set()
        self._open: dict[int, OpenProposal] = {}
        self._walked: list[Choices] = []
        self._rest: Iterator[tuple[Walk, Architecture | None]] | None = None
        self._nearest: Draw | None = None  # of this ask's infeasible draws
        self._enqueued: tuple[Choices, ...] = ()
        self._memory = PriorScaler()
        self._placing: dict[int, OpenProposal] = {}  # prior trials that wait for this job's values

    # The idea.

    @abstractmethod
    def picker(self, rng: np.random.Generator) -> Picker:
        """The answers of one draw. Everything random in them comes from `rng`."""

    def pickers(self, rngs: Iterator[np.random.Generator]) -> Iterator[Picker]:
        """The draws of one ask, the next being made when the one before is refused: one per generator in `rngs`.

        For ideas that would rather list what they want than draw it: they may take fewer or more.
        """
        return (self.picker(rng) for rng in rngs)

    def opened(self, asked: OpenProposal) -> None:
        """A trial was proposed, by ask or restore."""

    def closed(self, asked: OpenProposal, outcome: Outcome) -> None:
        """A trial ended, cancelled ones among them."""

    # The law.

    def ask(self, number: int) -> Proposal:
        if number in self._asked:
            raise ValueError(f"trial {number} was asked before")
        self._nearest = None
        given = self._given(number)
        found = given or self._draw(number) or self._enumerate()
        proposal = Proposal(
            number=number,
            architecture=found.architecture,
            choices=found.choices,
            behaviour=found.behaviour if self.keeps_behaviour else {},
            provenance="controller" if given is None else "user" if number else "baseline",
        )
        self._enter(OpenProposal(proposal=proposal, decisions=found.decisions))
        return proposal

    def tell(self, outcome: Outcome) -> None:
        asked = self._open.pop(outcome.number, None)
        if asked is None:
            known = "was told before" if outcome.number in self._asked else "was never asked"
            raise UnknownTrial(f"trial {outcome.number} {known}")
        self.closed(asked, outcome)
        for placed in self._memory.after(outcome):
            self.closed(self._placing.pop(placed.number), placed)

    def enqueue(self, architectures: Sequence[Choices]) -> None:
        self._enqueued = tuple(architectures)

    def recall(self, priors: Sequence[Prior]) -> None:
        """What compares is told at once, the rest when there are values to place it by
        (`search/proposing/prior_values.py`)."""
        for number, prior in enumerate(priors, -len(priors)):
            asked = self._asked_before(number, prior)
            if prior.settled:
                self._tried.add(prior.architecture.hash)
                self._settled.add(prior.architecture.hash)
                self._walked.append(asked.proposal.choices)
            self.opened(asked)
            if prior.comparable:
                self.closed(asked, outcome_of(number, prior))
            else:
                self._placing[number] = asked
                self._memory.wait(number, prior)

    def _asked_before(self, number: int, prior: Prior) -> OpenProposal:
        """As if every option had been as likely: whoever proposed it then followed another policy."""
        proposal = Proposal(number=number, architecture=prior.architecture, choices=prior.choices, provenance="prior")
        asked = self._walked_again(proposal)
        chances = {one.name: 1.0 / len(one.options) for one in asked.decisions if self.keeps_behaviour}
        return replace(asked, proposal=replace(asked.proposal, behaviour=chances))

    def restore(self, proposal: Proposal, outcome: Outcome | None) -> None:
        """Raises Conflict when the space has changed so far that it does not ask what the choices answer."""
        self._enter(self._walked_again(proposal))
        if outcome is not None:
            self.tell(outcome)

    def _walked_again(self, proposal: Proposal) -> OpenProposal:
        walk = Walk(picker=follow(replay(proposal.choices)))
        self.space.sample(walk.choose)
        if walk.choices != proposal.choices:
            raise Conflict(f"trial {proposal.number} was drawn from another space than this one")
        # a ledger need not keep the order of keys
        return OpenProposal(proposal=replace(proposal, choices=walk.choices), decisions=tuple(walk.decisions))

    def _enter(self, asked: OpenProposal) -> None:
        number = asked.proposal.number
        self._asked.add(number)
        self._tried.add(asked.proposal.architecture.hash)
        self._settled.discard(asked.proposal.architecture.hash)
        self._open[number] = asked
        self._walked.append(asked.proposal.choices)
        self.opened(asked)

    def _given(self, number: int) -> Draw | None:
        """What the trial is by law, where that is new and feasible: the baseline, or the user's own."""
        if number > len(self._enqueued):
            return None
        choices = self._enqueued[number - 1] if number else self.space.baseline()
        one = self._attempt(follow(replay(choices)))
        if one is None or one.broken:
            return None
        known = one.architecture.hash in self._tried and one.architecture.hash not in self._settled
        return None if known else one

    def _draw(self, number: int) -> Draw | None:
        """The first draw that is new and feasible."""
        return next((one for one in self._draws(number) if self._wanted(one)), None)

    def _draws(self, number: int) -> Iterator[Draw]:
        """One way to an architecture after the other; who has taken one stops asking."""
        numbers = itertools.count()
        repeats: list[Choices] = []  # what the idea wants again
        for one in self._attempts(self.pickers(self._rngs(number, numbers, self.patience))):
            yield one
            if not one.broken:
                repeats.append(one.choices)
        centres = tuple(repeats or self._walked)
        rngs = self._rngs(number, numbers, NEIGHBOURS if centres else 0)
        yield from self._attempts(neighbour(centres[int(rng.integers(len(centres)))], rng) for rng in rngs)
        if self._nearest is not None:
            yield from repair(self._nearest, self._answered, generator(Stream.REPAIR, self.seed, number), steps=REPAIRS)
        yield from self._attempts(uniform(rng) for rng in self._rngs(number, numbers, UNIFORM))
        if self._nearest is not None and not self._tried:
            yield from repair(
                self._nearest, self._answered, generator(Stream.LAST_REPAIR, self.seed, number), steps=LAST_REPAIRS
            )

    def _attempts(self, pickers: Iterable[Picker]) -> Iterator[Draw]:
        for picker in pickers:
            one = self._attempt(picker)
            if one is not None:
                yield one

    def _answered(self, choose: Choose) -> Draw | None:
        return self._attempt(follow(choose))

    def _attempt(self, picker: Picker) -> Draw | None:
        one = attempt(self.space, self.limits, picker)
        if one is not None and one.broken and (self._nearest is None or one.broken < self._nearest.broken):
            self._nearest = one
        return one

    def _wanted(self, one: Draw) -> bool:
        return not one.broken and one.architecture.hash not in self._tried

    def _rngs(self, number: int, places: Iterator[int], count: int) -> Iterator[np.random.Generator]:
        return (generator(self.stream, self.seed, number, place) for place in itertools.islice(places, count))

    def _enumerate(self) -> Draw:
        """The first new and feasible architecture of all. Raises SpaceExhausted."""
        if self._rest is None:
            count = self.space.size(COUNTING).count
            self._rest = every_walk(self.space) if count is not None and count <= ENUMERABLE else iter(())
        # It never turns back: what it has passed was tried or infeasible, and stays so.
        for walk, architecture in self._rest:
            if architecture is not None:
                one = attempt_of(walk, architecture, self.limits)
                if self._wanted(one):
                    return one
        draws = f"{self.patience + NEIGHBOURS + UNIFORM} draws and {REPAIRS} repairs"
        raise SpaceExhausted(
            f"no new feasible architecture in {draws} after {len(self._tried)} trials;"
            f" a space of up to {ENUMERABLE} walks was searched to its end{self._far()}"
        )

    def _far(self) -> str:
        """How near the last draws came to the constraints, where they kept none."""
        if self._nearest is None:
            return ""
        law, distance = tightest(self.limits, self._nearest.measures)
        return f"; the nearest infeasible one misses the bound of {law.text!r} by {distance:.2%}"
