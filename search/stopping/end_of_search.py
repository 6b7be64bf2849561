"""Why a search ends: a function of the outcomes, so that a restarted driver decides as the one before it.

    target_reached      the best score of a completed trial has reached `stop.target`
    improvement_flat    the last `stop.flat.trials` counted trials raised the best value by no more than `stop.flat.by`;
                        with several objectives, the best of their combined value
    budget_trials       the number of counted trials is reached
    budget_epochs       another trial might exceed the epochs of all trials together

The first two end the search at once, the others let open trials finish. `budget_seconds` is decided by the clock
(`workers/stop_signal.py`) and `space_exhausted` by the controller. "Last" is by number, not by time. Every trial
that was started counts, infeasible ones too: they took time. Trials of other jobs (`search/earlier_jobs/prior.py`) do
not.

In a reproducible job the first two let open trials finish as well, and consider only outcomes that the next ask knows
(`search/proposing/in_order.py`): otherwise the trials of the job would depend on which machine is faster.
"""

from collections.abc import Callable, Sequence

from search.objective import Objective
from search.proposing.in_order import LAG
from search.spec import Budget, StopSpec
from search.trial import Outcome, TrialState


def ended(stop: StopSpec, outcomes: Sequence[Outcome], objective: Objective = Objective()) -> str | None:  # noqa: B008
    """Why the search ends now, whatever is open; None where it goes on."""
    best = _best(outcomes)
    if best is None:
        return None
    if stop.target is not None and _best_score(outcomes, objective) >= stop.target:
        return "target_reached"
    if stop.flat is not None:
        earlier = sorted(outcomes, key=lambda outcome: outcome.number)[: -stop.flat.trials]
        before = _best(earlier)
        if before is not None and best - before <= stop.flat.by:
            return "improvement_flat"
    return None


def before(outcomes: Sequence[Outcome], number: int) -> list[Outcome]:
    """The outcomes that the ask of trial `number` knows in a reproducible job."""
    return [outcome for outcome in outcomes if outcome.number <= number - LAG]


def full(
    budget: Budget, outcomes: Sequence[Outcome], open_: int, *, passes: Callable[[int], float] = float
) -> str | None:
    """Which budget leaves no room for another trial beside the `open_` ones; None where there is room.

    passes: over the training split, of a trial of so many epochs.
    """
    if budget.trials is not None and len(outcomes) + open_ >= budget.trials:
        return "budget_trials"
    if budget.total_epochs is not None:
        used = sum(passes(outcome.epochs) for outcome in outcomes)
        if used + (open_ + 1) * passes(budget.trial_epochs) > budget.total_epochs:
            return "budget_epochs"
    return None


def _best_score(outcomes: Sequence[Outcome], objective: Objective) -> float:
    """`check_job` makes sure that the score is an objective, without a soft target."""
    place = objective.names.index("score")
    return max(outcome.values[place] for outcome in outcomes if outcome.state is TrialState.COMPLETED)


def _best(outcomes: Sequence[Outcome]) -> float | None:
    """The value of the incumbent: pruned trials rest on fewer epochs and do not compare."""
    completed = (outcome for outcome in outcomes if outcome.state is TrialState.COMPLETED)
    return max((outcome.value for outcome in completed if outcome.value is not None), default=None)
