"""A search in one process on a simulated clock: what the driver does, without Ray, ledger and waiting.

For tests and benchmarks. Workers take trials as they become free; outcomes are told in the order of their simulated
ends. With early stopping every epoch is a step of its own, and a stopped trial frees its worker.
"""

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from archsmith.errors import SpaceExhausted, TrialFailure
from search.proposing.controller import Controller, Proposal
from search.spec import StopSpec
from search.stopping.early_stopping import EarlyStopping
from search.stopping.end_of_search import ended
from search.testing.toys import Evaluator
from search.trial import Outcome, TrialState


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One ended trial. at: simulated seconds since the start."""

    proposal: Proposal
    outcome: Outcome
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One trial as it would go if nobody stopped it. scores: by epoch. reason: why it failed, in its only epoch.

    looked_up: the outcome, where it is known already and does not follow from the scores.
    """

    scores: tuple[float, ...]
    seconds: float
    reason: str | None = None
    looked_up: Outcome | None = None

    def outcome(self, number: int, epochs: int, stop_reason: str | None = None) -> Outcome:
        """stop_reason: of a trial that is stopped after `epochs`."""
        if self.looked_up is not None:
            return self.looked_up
        if self.reason is not None:
            return Outcome(number=number, state=TrialState.FAILED, reason=self.reason)
        state = TrialState.COMPLETED if epochs == len(self.scores) else TrialState.PRUNED
        curve = self.scores[:epochs]
        return Outcome(number=number, state=state, value=curve[-1], epochs=epochs, curve=curve, reason=stop_reason)


def evaluate(evaluator: Evaluator, proposal: Proposal) -> Run:
    """Runs one trial. NaN and failures end here, as they do in a real trial."""
    try:
        result = evaluator(proposal)
    except TrialFailure as failure:
        return Run(scores=(0.0,), seconds=0.5, reason=str(failure))
    scores = result.curve or (result.score,)
    if not all(map(math.isfinite, scores)):
        return Run(scores=(0.0,), seconds=result.seconds, reason=f"the score is {result.score}")
    return Run(scores=scores, seconds=result.seconds)


def simulate(
    controller: Controller,
    begin: Callable[[int], tuple[Proposal, Run] | None],
    *,
    workers: int = 1,
    stopping: EarlyStopping | None = None,
) -> Iterator[Told]:
    """Yields the trials as they end on `workers` simulated workers; the controller has been told of each by then.

    begin: the proposal for a trial's number, and how its training would go. None: no more trials; what runs still ends.
    """
    running: list[tuple[float, int, int, Proposal, Run]] = []  # when which trial has done how many epochs
    clock, number, more = 0.0, 0, True
    while True:
        while more and len(running) < workers and controller.ready(number):
            if (begun := begin(number)) is None:
                more = False
                break
            proposal, run = begun
            first = 1 if stopping else len(run.scores)
            heapq.heappush(running, (clock + run.seconds * first / len(run.scores), number, first, proposal, run))
            number += 1
        if not running:
            return
        clock, of, epochs, proposal, run = heapq.heappop(running)
        why = stopping.judge(of, epochs, (run.scores[epochs - 1],)) if stopping and run.reason is None else None
        if epochs < len(run.scores) and why is None:
            heapq.heappush(running, (clock + run.seconds / len(run.scores), of, epochs + 1, proposal, run))
            continue
        outcome = run.outcome(of, epochs, why)
        controller.tell(outcome)
        yield Told(proposal=proposal, outcome=outcome, at=clock)


def search(
    controller: Controller,
    evaluator: Evaluator,
    *,
    trials: int,
    workers: int = 1,
    stopping: EarlyStopping | None = None,
    stop: StopSpec | None = None,
) -> list[Told]:
    """At most `trials` trials on `workers` simulated workers, in order of ends.

    stopping: which trials are stopped early. stop: when the search ends, which leaves open trials without an outcome.
    It ends as well where the space is exhausted.
    """

    def begin(number: int) -> tuple[Proposal, Run] | None:
        if number == trials:
            return None
        try:
            proposal = controller.ask(number)
        except SpaceExhausted:
            return None
        return proposal, evaluate(evaluator, proposal)

    history: list[Told] = []
    for told in simulate(controller, begin, workers=workers, stopping=stopping):
        history.append(told)
        if stop is not None and ended(stop, [told.outcome for told in history]):
            break
    return history
