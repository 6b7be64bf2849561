"""What a job cost, and what it knew at what cost."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from search.ledger import Finalist, Job, StoredMeasurement, Trial
from search.trial import TrialState

FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)

Seconds = Mapping[int, float]
"""By number of the trial: what its epochs took. A start of a process, or a wait for a place, is no training."""


def trained_seconds(measured: Iterable[StoredMeasurement]) -> Seconds:
    found: dict[int, float] = defaultdict(float)
    for one in measured:
        found[one.number] += one.measurement.seconds
    return found


def costs(
    job: Job, own: Sequence[Trial], arm: Sequence[Trial], finals: Sequence[Finalist], seconds: Seconds
) -> list[dict[str, Any]]:
    """Per phase. own: trials of the search without those of earlier jobs; arm: those of the random arm."""
    rows = [_of_trials(job, "search", own, seconds)]
    if "proxies" in job.phases:
        rows.insert(0, of_phase(job.phases, "proxies"))
    if arm:
        rows.append(_of_trials(job, "random_arm", arm, seconds))
    ended = [one for one in finals if one.state in ("completed", "failed")]
    spent = sum(one.seconds for one in ended)
    rows.append(of_phase(job.phases, "finalists", len(ended), sum(one.epochs for one in ended), spent))
    if "compress" in job.phases:
        rows.append(of_phase(job.phases, "compress"))
    return rows


def _of_trials(job: Job, name: str, trials: Sequence[Trial], seconds: Seconds) -> dict[str, Any]:
    epochs, spent = sum(one.epochs for one in trials), sum(seconds.get(one.number, 0.0) for one in trials)
    return of_phase(job.phases, name, len(trials), epochs, spent)


def of_phase(
    phases: Mapping[str, Any],
    name: str,
    trainings: int | None = None,
    epochs: int | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """None: the phase has no trainings that are rows of their own."""
    spent = phases.get(name, {})
    return {
        "phase": name,
        "trainings": trainings,
        "epochs": epochs,
        "training_seconds": None if seconds is None else round(seconds, 3),
        "seconds": spent.get("seconds"),
        "energy_j": spent.get("energy_j"),
    }


def incumbents(trials: Iterable[Trial], seconds: Seconds) -> list[dict[str, Any]]:
    """The best completed trial so far against what was spent by then, in order of the trials' ends.

    epochs, training_seconds: of all trials that had ended, as if they had run one after another.
    """
    found: list[dict[str, Any]] = []
    best, epochs, spent = float("-inf"), 0, 0.0
    for trial in sorted(trials, key=lambda one: (one.finished_at or FIRST_DAY, one.number)):
        epochs, spent = epochs + trial.epochs, spent + seconds.get(trial.number, 0.0)
        if trial.state is TrialState.COMPLETED and trial.value is not None and trial.value > best:
            best = trial.value
            told = {"trial": trial.number, "search_score": trial.search_score}
            found.append({**told, "epochs": epochs, "training_seconds": round(spent, 3)})
    return found
