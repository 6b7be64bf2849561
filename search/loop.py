"""A search in one process on a simulated clock: what the driver does, without Ray, ledger and waiting.

For tests and benchmarks. Workers take trials as they come free; results are told in the order of their simulated ends.
"""

import heapq
import math
from dataclasses import dataclass

from archsmith.errors import SpaceExhausted, TrialFailure
from search.controller import Controller, Proposal
from search.spec import StopSpec
from search.stop import ended
from search.toys import Evaluator
from search.trial import Outcome, TrialState


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One ended trial. at: simulated seconds since the start."""

    proposal: Proposal
    outcome: Outcome
    at: float


def evaluate(evaluator: Evaluator, proposal: Proposal) -> tuple[Outcome, float]:
    """One trial's outcome and its simulated seconds. NaN and failures end here, as at a real trial's border."""
    try:
        result = evaluator(proposal)
    except TrialFailure as failure:
        return Outcome(number=proposal.number, state=TrialState.FAILED, reason=str(failure)), 0.5
    if not math.isfinite(result.score):
        reason = f"the score is {result.score}"
        return Outcome(number=proposal.number, state=TrialState.FAILED, reason=reason), result.seconds
    outcome = Outcome(number=proposal.number, state=TrialState.COMPLETED, value=result.score, epochs=1)
    return outcome, result.seconds


def search(
    controller: Controller, evaluator: Evaluator, *, trials: int, workers: int = 1, stop: StopSpec | None = None
) -> list[Told]:
    """At most `trials` trials on `workers` simulated workers, in order of ends.

    Fewer where the space is exhausted or `stop` holds, which leaves what is open without an end.
    """
    running: list[tuple[float, int, Proposal, Outcome]] = []
    history: list[Told] = []
    clock, number = 0.0, 0
    while True:
        while number < trials and len(running) < workers and controller.ready(number):
            try:
                proposal = controller.ask(number)
            except SpaceExhausted:
                trials = number
                break
            outcome, seconds = evaluate(evaluator, proposal)
            heapq.heappush(running, (clock + seconds, number, proposal, outcome))
            number += 1
        if not running:
            return history
        clock, _, proposal, outcome = heapq.heappop(running)
        controller.tell(outcome)
        history.append(Told(proposal=proposal, outcome=outcome, at=clock))
        if stop is not None and ended(stop, [told.outcome for told in history]):
            return history
