"""Why a search ends: a function of what was told, so that a restarted driver decides as the one before it.

    target_reached      the best score of a completed trial has reached `stop.target`
    improvement_flat    the last `stop.flat.trials` counted trials raised the best value by no more than `stop.flat.by`;
                        of several objectives, the one number that stands for them
    budget_trials       so many trials count
    budget_epochs       another trial might go over the epochs of all trials together, and none is open

The first two end the search at once, the others let what is open run to its end. `budget_seconds` is the clock's
(`workers/stop_signal.py`) and `space_exhausted` the controller's. "Last" goes by number, not by who came first.
Infeasible trials were never trained and count nowhere; trials of other jobs (`search/earlier_jobs/prior.py`) are not
asked.

In a reproducible job the first two let what is open run to its end as well, and look at no trial that came too late for
the next ask to know of it (`search/proposing/in_order.py`): else it would depend on the machines' luck which trials
there are.
"""

from collections.abc import Sequence

from search.objective import Objective
from search.proposing.in_order import LAG
from search.spec import Budget, StopSpec
from search.trial import Outcome, TrialState


def counts(outcome: Outcome) -> bool:
    """Whether a trial uses up the budget."""
    return outcome.state is not TrialState.INFEASIBLE


def ended(stop: StopSpec, told: Sequence[Outcome], objective: Objective = Objective()) -> str | None:  # noqa: B008
    """Why the search ends now, whatever is open; None where it goes on."""
    best = _best(told)
    if best is None:
        return None
    if stop.target is not None and _best_score(told, objective) >= stop.target:
        return "target_reached"
    if stop.flat is not None:
        earlier = sorted(filter(counts, told), key=lambda one: one.number)[: -stop.flat.trials]
        before = _best(earlier)
        if before is not None and best - before <= stop.flat.by:
            return "improvement_flat"
    return None


def before(told: Sequence[Outcome], number: int) -> list[Outcome]:
    """Of a reproducible job, what the ask of trial `number` knows."""
    return [outcome for outcome in told if outcome.number <= number - LAG]


def full(budget: Budget, told: Sequence[Outcome], open_: int) -> str | None:
    """The ceiling under which no further trial has room beside `open_` that are not told yet; None where it has."""
    if sum(map(counts, told)) + open_ >= budget.trials:
        return "budget_trials"
    if budget.total_epochs is not None:
        used = sum(outcome.epochs for outcome in told)
        if used + (open_ + 1) * budget.epochs > budget.total_epochs:
            return "budget_epochs"
    return None


def _best_score(told: Sequence[Outcome], objective: Objective) -> float:
    """`check_job` sees to it that the score is an objective, without a soft target."""
    place = objective.names.index("score")
    return max(one.values[place] for one in told if one.state is TrialState.COMPLETED)


def _best(told: Sequence[Outcome]) -> float | None:
    """The value of the incumbent: pruned ones rest on fewer epochs and do not compare."""
    values = [one.value for one in told if one.state is TrialState.COMPLETED and one.value is not None]
    return max(values, default=None)
