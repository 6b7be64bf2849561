"""One search on a table, on a simulated clock, through the same `ask` and `tell` as the service.

Workers take a trial as they come free, results are told in the order of their simulated ends, and an ask costs no
simulated time. What is spent is the sum of all workers' seconds, so that the budget is the same for any number of
workers: a trial that would not end within it is not begun. With finalists the search ends while the best few can still
be trained in full; the best of these trainings is what the search has found.
"""

import statistics
import time
from dataclasses import dataclass, field

import numpy as np

from archsmith.errors import SpaceExhausted
from benchmarks.search.costs import Learned
from benchmarks.search.spaces import Task
from search.proposing.controller import Controller, Proposal
from search.testing import loop
from search.trial import Outcome, TrialState

MARKS = (10, 20, 30, 50, 75, 100, 150)
"""Ended trials after which the report looks at a search."""

REWARDS = 1_000_003
"""Number of the stream that noise is drawn from, beside those of the controllers."""


@dataclass(kw_only=True, slots=True)
class Run:
    """One search as it went; one entry per ended trial, in the order of the ends.

    codes: of the architectures in the table; hashes: theirs. at: simulated seconds of the end. ask_ms: per ask.
    chosen: after each end, the place in `codes` of the architecture that the search would name its best.
    values: as told. best: place of the highest. found: the code that was named in the end, after the finalists.
    spent: seconds of all workers.
    """

    codes: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    chosen: list[int] = field(default_factory=list)
    ask_ms: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    best: int = 0
    found: str = ""
    spent: float = 0.0

    def end(self, code: str, hash_: str, value: float, at: float) -> None:
        """Adds a trial. The first of those with the highest value is named best; the controller may name another."""
        self.codes.append(code)
        self.hashes.append(hash_)
        self.values.append(value)
        self.at.append(at)
        if value > self.values[self.best]:
            self.best = len(self.values) - 1
        self.chosen.append(self.best)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Of one search. queries: trials; seconds: of all workers together; finalists: trained in full at its end.

    power: see `benchmarks.search.costs`, None where the controller is not told what trials cost; "cool" lets it fall.
    """

    queries: int
    seconds: float = float("inf")
    workers: int = 1
    finalists: int = 0
    power: float | str | None = None


def simulate(controller: Controller, task: Task, limits: Limits, seed: int, learned: Learned | None = None) -> Run:
    """One search from its first ask to its finalists. learned: what is told what each trial has cost."""
    run, places, begun = Run(), dict[int, int](), list[str]()

    def begin(number: int) -> tuple[Proposal, loop.Run] | None:
        proposal = _ask(controller, number, run) if number < limits.queries else None
        if proposal is None or not _affordable(run, task, limits, [*begun, task.key(proposal.choices)]):
            return None
        begun.append(code := task.key(proposal.choices))
        run.spent += task.trials.seconds[code]
        score = task.trials.score(code, np.random.default_rng([seed, REWARDS, number]))
        return proposal, looked_up(task, code, number, score / 100 if task.percent else score)

    for told in loop.simulate(controller, begin, workers=limits.workers):
        number, value = told.outcome.number, told.outcome.value
        assert value is not None
        places[number] = len(run.codes)
        run.end(begun[number], told.proposal.architecture.hash, value, told.at)
        if learned is not None:
            cost = task.trials.seconds[begun[number]]
            learned.ended(told.proposal.architecture, cost, spent_s=run.spent)
        named = controller.incumbent()
        if named is not None:
            run.chosen[-1] = places[named]
    finish(run, task, limits, seed)
    return run


def looked_up(task: Task, code: str, number: int, value: float, values: tuple[float, ...] = ()) -> loop.Run:
    """The training of a trial as the table has it. values: of several objectives."""
    outcome = Outcome(number=number, state=TrialState.COMPLETED, value=value, values=values, epochs=task.trials.epochs)
    return loop.Run(scores=(value,), seconds=task.trials.seconds[code], looked_up=outcome)


def _ask(controller: Controller, number: int, run: Run) -> Proposal | None:
    began = time.perf_counter()
    try:
        proposal = controller.ask(number)
    except SpaceExhausted:
        return None
    run.ask_ms.append(1000 * (time.perf_counter() - began))
    return proposal


def _top(run: Run, finalists: int) -> list[int]:
    """The places of the best few: the one that the search names, then by value."""
    order = sorted(range(len(run.values)), key=lambda place: (place != run.chosen[-1], -run.values[place]))
    return order[:finalists]


def _affordable(run: Run, task: Task, limits: Limits, begun: list[str]) -> bool:
    """Whether the last of these trials can be begun, and the finalists there are now still be trained after it.

    Where fewer trials have ended than there are finalists, the others are taken to cost what those begun would.
    """
    spent = run.spent + task.trials.seconds[begun[-1]]
    if limits.finalists and (full := task.full) is not None:
        known = [full.seconds[run.codes[place]] for place in _top(run, limits.finalists)]
        if len(known) < limits.finalists:
            known += [statistics.fmean(full.seconds[code] for code in begun)] * (limits.finalists - len(known))
        spent += sum(known)
    return spent <= limits.seconds


def finish(run: Run, task: Task, limits: Limits, seed: int) -> None:
    """Train the finalists in full, those that still fit the budget, and name what was found."""
    if not run.codes:
        return
    run.found = run.codes[run.chosen[-1]]
    if limits.finalists and (full := task.full) is not None:
        rng = np.random.default_rng([seed, REWARDS, REWARDS])
        scores: dict[str, float] = {}
        for place in _top(run, limits.finalists):
            code = run.codes[place]
            if run.spent + full.seconds[code] <= limits.seconds:
                run.spent += full.seconds[code]
                scores[code] = full.score(code, rng)
        run.found = max(scores, key=lambda code: scores[code], default=run.found)
