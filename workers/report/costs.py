"""What a job cost, phase by phase, and its best score against the cost so far."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from search.ledger import Finalist, Job, StoredMeasurement, Trial
from search.trial import TrialState

FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)

Seconds = Mapping[int, float]
"""Trial number -> seconds that its epochs took, without starting the process or waiting for a slot."""


def trained_seconds(measured: Iterable[StoredMeasurement]) -> Seconds:
    found: dict[int, float] = defaultdict(float)
    for row in measured:
        found[row.number] += row.measurement.seconds
    return found


def costs(
    job: Job,
    own: Sequence[Trial],
    arm: Sequence[Trial],
    finals: Sequence[Finalist],
    seconds: Seconds,
    *,
    passes: Callable[[int], float] = float,
    selection: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """One row per phase. own: the trials of the search, without those of earlier jobs. arm: those of the random arm.

    passes: over the training split, of a trial of so many epochs; a row's epochs are passes.

    selection: the trainings that chose among the finalists.
    """
    rows = [_of_trials(job, "search", own, seconds, passes)]
    before = [name for name in ("simple_models", "proxies") if name in job.phases]
    rows = [*(of_phase(job.phases, name) for name in before), *rows]
    if arm:
        rows.append(_of_trials(job, "random_arm", arm, seconds, passes))
    ended = [final for final in finals if final.state in ("completed", "failed")]
    epochs = sum(final.epochs for final in ended) + sum(row["epochs"] for row in selection)
    spent = sum(final.seconds for final in ended) + sum(row["seconds"] for row in selection)
    trainings = len(ended) + sum(max(1, row.get("folds", 0)) for row in selection)
    rows.append(of_phase(job.phases, "finalists", trainings, epochs, spent))
    if "compress" in job.phases:
        rows.append(of_phase(job.phases, "compress"))
    return rows


def _of_trials(
    job: Job, name: str, trials: Sequence[Trial], seconds: Seconds, passes: Callable[[int], float]
) -> dict[str, Any]:
    epochs = round(sum(passes(trial.epochs) for trial in trials), 3)
    spent = sum(seconds.get(trial.number, 0.0) for trial in trials)
    return of_phase(job.phases, name, len(trials), epochs, spent)


def of_phase(
    phases: Mapping[str, Any],
    name: str,
    trainings: int | None = None,
    epochs: float | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """trainings, epochs, seconds: None for a phase whose trainings have no rows in the ledger."""
    spent = phases.get(name, {})
    return {
        "phase": name,
        "trainings": trainings,
        "epochs": epochs,
        "training_seconds": None if seconds is None else round(seconds, 3),
        "seconds": spent.get("seconds"),
        "energy_j": spent.get("energy_j"),
    }


def incumbents(
    trials: Iterable[Trial], seconds: Seconds, *, passes: Callable[[int], float] = float
) -> list[dict[str, Any]]:
    """The best completed trial so far against the cost so far, in the order in which the trials ended.

    epochs, training_seconds: summed over all trials that had ended, as if they had run one after another.
    """
    found: list[dict[str, Any]] = []
    best, epochs, spent = float("-inf"), 0.0, 0.0
    for trial in sorted(trials, key=lambda trial: (trial.finished_at or FIRST_DAY, trial.number)):
        epochs, spent = epochs + passes(trial.epochs), spent + seconds.get(trial.number, 0.0)
        if trial.state is TrialState.COMPLETED and trial.value is not None and trial.value > best:
            best = trial.value
            row = {"trial": trial.number, "search_score": trial.search_score}
            found.append({**row, "epochs": round(epochs, 3), "training_seconds": round(spent, 3)})
    return found
