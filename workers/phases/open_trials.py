"""What becomes of the trials that Ray Tune stopped in the middle when a search, or its random arm, is over."""

from collections.abc import Iterable

from search.ledger import Trial
from search.objective import Objective
from search.trial import Outcome, TrialState
from workers.cluster.searcher import LedgerSearcher
from workers.job.context import JobContext


def settle(
    context: JobContext, searcher: LedgerSearcher, trials: Iterable[Trial], *, why: str, scored: bool = False
) -> bool:
    """Interrupts them where the job is suspended, so that they go on later; else ends them as cancelled.

    trials: all of the search. why: the reason that a trial gets. scored: whether one that was measured ends as pruned,
    with its last score. Returns whether they have ended; the signal is read once, since a heartbeat may set it at any
    moment.
    """
    ledger, lease = context.ledger, context.lease
    if context.stop.suspending:
        for number, attempt in searcher.open_attempts():
            ledger.interrupt(lease, number, attempt)
        return False
    for trial in trials:
        if trial.state is TrialState.RUNNING and trial.epochs and scored:
            _prune(context, trial.number, why)
        elif not trial.state.terminal:
            outcome = Outcome(number=trial.number, state=TrialState.CANCELLED, epochs=trial.epochs, reason=why)
            ledger.finish_trial(lease, trial.number, None, outcome)
    return True


def _prune(context: JobContext, number: int, why: str) -> None:
    last = context.ledger.trial(context.job_id, number).measurements[-1]
    value = Objective.of(context.spec.objective).value(last.facts)
    outcome = Outcome(number=number, state=TrialState.PRUNED, value=value, epochs=last.epoch, reason=why)
    beside = {name: value for name, value in last.measures.items() if name not in ("params", "macs")}
    context.ledger.finish_trial(context.lease, number, None, outcome, last.score, beside)
