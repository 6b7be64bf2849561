"""Compare the winner with the baseline, with random architectures, and with the noise between trainings."""

from collections.abc import Sequence
from typing import Any

from search.ledger import Role, Trial
from search.trial import RANDOM, TrialState
from workers.conventions import ERRORS, SCORES
from workers.report.rank_agreement import FEWEST, Agreement, agreement
from workers.report.statistics import LEVEL, Gain, gain
from workers.report.trained import Trained

MISSING = {
    "baseline": "the baseline was not trained in full",
    "random": "no random architecture was trained in full",
}


def gains(
    trained: Sequence[Trained], winner: Trained, references: dict[Role, Trial | None], *, seed: int
) -> dict[str, Any]:
    """references: by role, the trial that the winner is compared with; it may be the winner itself."""
    return {f"over_{role}": _gain(trained, winner, role, trial, seed=seed) for role, trial in references.items()}


def in_words(name: str, value: float) -> str:
    """A score by what people call it; errors have the units of the targets, so their size is not known beforehand."""
    return f"{SCORES[name]} {value:.5g}" if name in ERRORS else f"{SCORES[name]} {value:.4f}"


def _in_units(winner: Trained, other: Trained) -> str:
    """What a gain is in the units of the target, where the problem has one; several need not have the same units."""
    if len((winner.trainings[0].answered or {}).get("targets", ())) != 1:
        return ""
    both = [(name, winner.measures[name], other.measures[name]) for name in ERRORS if name in other.measures]
    return "".join(f"; {in_words(name, one)} against {two:.5g}" for name, one, two in both)


def _gain(trained: Sequence[Trained], winner: Trained, role: Role, trial: Trial | None, *, seed: int) -> dict[str, Any]:
    other = None if trial is None else next((entry for entry in trained if entry.trial.hash == trial.hash), None)
    if role == "random" and winner.trial.provenance == RANDOM:
        other = winner  # a draw is not better than draws, and the best of them by search score may be another one
    if other is None:
        words = f"gain over {_called(role)} unknown: {MISSING[role]}"
        return {"verdict": "unknown", "words": words, "value": None, "interval": None, "against": None}
    if other is winner:
        trainings = len(winner.scores.values)
        found = Gain(value=0.0, interval=(0.0, 0.0), samples=True, trainings=(trainings, trainings))
        drawn = role == "random" and winner.trial.provenance == RANDOM
        what = "was drawn at random" if drawn else "is this architecture itself"
        words = f"no gain over {_called(role)}: the winner {what}"
    else:
        pool = [entry.scores for entry in trained]
        found = gain(winner.scores, other.scores, pool, seed=seed)
        words = found.words(_called(role)) + _in_units(winner, other)
    return {
        "verdict": found.verdict,
        "words": words,
        "value": found.value,
        "interval": None if found.interval is None else list(found.interval),
        "level": LEVEL,
        "over_samples": found.samples,
        "trainings": list(found.trainings),
        "against": about(other),
    }


def _called(role: Role) -> str:
    return "the baseline" if role == "baseline" else role


def about(trained: Trained) -> dict[str, Any]:
    """The figures of an architecture that was trained in full."""
    trial, scores = trained.trial, trained.scores
    return {
        "trial": trial.number,
        "hash": trial.hash,
        "params": trial.params,
        "macs": trial.macs,
        "search_score": trial.search_score,
        "final_score": scores.mean,
        "final_score_sd": scores.sd,
        "trainings": len(scores.values),
    }


def fidelity(trained: Sequence[Trained], searched: Sequence[Trial]) -> dict[str, Any]:
    """Whether short trainings rank architectures as full trainings do. Only completed trials count.

    searched: all trials of the search.
    """
    both = [entry for entry in trained if _is_scored(entry.trial)]
    short = [entry.trial.search_score or 0.0 for entry in both]
    everyone = [trial.search_score or 0.0 for trial in searched if _is_scored(trial)]
    found = agreement(short, [entry.scores.mean for entry in both], everyone or short)
    return {
        "architectures": [{"role": entry.final.role, **about(entry)} for entry in both],
        "kendall_tau": found.tau,
        "kendall_tau_seen": found.seen,
        "interval": None if found.interval is None else list(found.interval),
        "level": LEVEL,
        "words": _ranks(found, len(both), len(everyone)),
    }


def _is_scored(trial: Trial) -> bool:
    return trial.state is TrialState.COMPLETED and trial.search_score is not None


def _ranks(found: Agreement, count: int, trials: int) -> str:
    if found.seen is None:
        return (
            f"rank agreement between short and full trainings unknown: {count} architectures have both scores, "
            "and at least two with different scores are needed"
        )
    if found.tau is None or found.interval is None:
        return (
            f"Kendall's tau between search scores and final scores {found.seen:+.2f} on {count} architectures, fewer "
            f"than the {FEWEST} from which all trials can be judged"
        )
    low, high = found.interval
    doubt = "" if low > 0 else "; short trainings may not rank architectures as full trainings do"
    return (
        f"Kendall's tau between search scores and final scores {found.tau:+.2f} among all {trials} completed trials of "
        f"the search, {LEVEL:.0%} interval {low:+.2f} to {high:+.2f}, estimated from {count} architectures "
        f"({found.seen:+.2f} among themselves, which reads too high, as they are the best and the worst){doubt}"
    )


def noise(trained: Sequence[Trained], winner: Trained) -> dict[str, Any]:
    """How much the score varies between trainings of one architecture, and whether that hides the best finalist."""
    finalists = [entry.scores.mean for entry in trained if entry.final.role == "finalist"]
    gap = max(finalists) - min(finalists) if len(finalists) > 1 else None
    sd = winner.scores.sd
    warning = None
    if sd is not None and gap is not None and sd > gap:
        warning = (
            f"the standard deviation between trainings of one architecture ({sd:.4f}) exceeds the gap among the "
            f"finalists ({gap:.4f}), so it is not known which finalist is the best"
        )
    return {
        "trial": winner.trial.number,
        "scores": list(winner.scores.values),
        "sd": sd,
        "gap_among_finalists": gap,
        "warning": warning,
    }
