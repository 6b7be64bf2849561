"""What becomes of the trials that Ray Tune stopped in the middle when a search, or its random arm, is over."""

from collections.abc import Iterable

from search.ledger import Trial
from search.trial import Outcome, TrialState
from workers.cluster.searcher import LedgerSearcher
from workers.job.context import JobContext


def settle(context: JobContext, searcher: LedgerSearcher, trials: Iterable[Trial], *, why: str) -> bool:
    """Interrupts them where the job is suspended, so that they go on later; else ends them as cancelled.

    trials: all of the search. why: the reason that a cancelled trial gets. Returns whether they have ended; the signal
    is read once, since a heartbeat may set it at any moment.
    """
    ledger, lease = context.ledger, context.lease
    if context.stop.suspending:
        for number, attempt in searcher.open_attempts():
            ledger.interrupt(lease, number, attempt)
        return False
    for trial in trials:
        if not trial.state.terminal:
            outcome = Outcome(number=trial.number, state=TrialState.CANCELLED, epochs=trial.epochs, reason=why)
            ledger.finish_trial(lease, trial.number, None, outcome)
    return True
