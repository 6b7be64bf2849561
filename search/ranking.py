"""How ends compare where only their order counts."""

from search.trial import Outcome, TrialState

Merit = tuple[int, int, float]

NOTHING: Merit = (0, 0, 0.0)
"""Of a trial that is open, failed or infeasible."""


def merit(outcome: Outcome | None) -> Merit:
    """Larger is better: completed by value; below them pruned, those that came further first; then the rest alike."""
    if outcome is None or outcome.value is None:
        return NOTHING
    if outcome.state is TrialState.PRUNED:
        return 1, outcome.epochs, outcome.value
    return 2, 0, outcome.value
