"""What a job cost, and what it knew at what cost."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from search.ledger import Finalist, Job, Trial
from search.trial import TrialState

FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)


def costs(job: Job, own: Sequence[Trial], arm: Sequence[Trial], finals: Sequence[Finalist]) -> list[dict[str, Any]]:
    """Per phase. own: trials of the search without those of earlier jobs; arm: those of the random arm."""
    rows = [_phase(job, "search", len(own), sum(t.epochs for t in own), sum(t.seconds for t in own))]
    if "proxies" in job.phases:
        rows.insert(0, _phase(job, "proxies", 0, 0, 0.0))
    if arm:
        rows.append(_phase(job, "random_arm", len(arm), sum(t.epochs for t in arm), sum(t.seconds for t in arm)))
    ended = [one for one in finals if one.state in ("completed", "failed")]
    epochs, seconds = sum(one.epochs for one in ended), sum(one.seconds for one in ended)
    return [*rows, _phase(job, "finalists", len(ended), epochs, seconds)]


def _phase(job: Job, name: str, trainings: int, epochs: int, seconds: float) -> dict[str, Any]:
    spent = job.phases.get(name, {})
    return {
        "phase": name,
        "trainings": trainings,
        "epochs": epochs,
        "training_seconds": round(seconds, 3),
        "seconds": spent.get("seconds"),
        "energy_j": spent.get("energy_j"),
    }


def incumbents(trials: Iterable[Trial]) -> list[dict[str, Any]]:
    """The best completed trial so far against what was spent by then, in order of the trials' ends.

    epochs, training_seconds: of all trials that had ended, as if they had run one after another.
    """
    found: list[dict[str, Any]] = []
    best, epochs, seconds = float("-inf"), 0, 0.0
    for trial in sorted(trials, key=lambda one: (one.finished_at or FIRST_DAY, one.number)):
        epochs, seconds = epochs + trial.epochs, seconds + trial.seconds
        if trial.state is TrialState.COMPLETED and trial.value is not None and trial.value > best:
            best = trial.value
            found.append(
                {
                    "trial": trial.number,
                    "search_score": trial.search_score,
                    "epochs": epochs,
                    "training_seconds": round(seconds, 3),
                }
            )
    return found
