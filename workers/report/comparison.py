"""Compare the winner with the baseline, with random architectures, and with the noise between trainings."""

from collections.abc import Sequence
from typing import Any

from search.ledger import Role, Trial
from search.trial import TrialState
from workers.report.statistics import LEVEL, Agreement, Gain, agreement, gain
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


def _gain(trained: Sequence[Trained], winner: Trained, role: Role, trial: Trial | None, *, seed: int) -> dict[str, Any]:
    other = None if trial is None else next((entry for entry in trained if entry.trial.hash == trial.hash), None)
    if trial is None or other is None:
        words = f"gain over {_called(role)} unknown: {MISSING[role]}"
        return {"verdict": "unknown", "words": words, "value": None, "interval": None, "against": None}
    if other is winner:
        found = Gain(value=0.0, interval=(0.0, 0.0), samples=True)
        words = f"no gain over {_called(role)}: the winner is this architecture itself"
    else:
        pool = [entry.scores for entry in trained]
        found = gain(winner.scores, other.scores, pool, seed=seed)
        words = found.words(_called(role))
    return {
        "verdict": found.verdict,
        "words": words,
        "value": found.value,
        "interval": None if found.interval is None else list(found.interval),
        "level": LEVEL,
        "over_samples": found.samples,
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


def fidelity(trained: Sequence[Trained]) -> dict[str, Any]:
    """Whether short trainings rank architectures as full trainings do. Only completed trials count."""
    both = [
        entry for entry in trained if entry.trial.state is TrialState.COMPLETED and entry.trial.search_score is not None
    ]
    found = agreement([entry.trial.search_score or 0.0 for entry in both], [entry.scores.mean for entry in both])
    return {
        "architectures": [{"role": entry.final.role, **about(entry)} for entry in both],
        "kendall_tau": found.tau,
        "interval": None if found.interval is None else list(found.interval),
        "level": LEVEL,
        "words": _ranks(found, len(both)),
    }


def _ranks(found: Agreement, count: int) -> str:
    if found.tau is None:
        return (
            f"rank agreement between short and full trainings unknown: {count} architectures have both scores, "
            "and at least two with different scores are needed"
        )
    text = f"Kendall's tau between search scores and final scores {found.tau:+.2f} on {count} architectures"
    if found.interval is None:
        return f"{text}, too few for an interval"
    low, high = found.interval
    doubt = "" if low > 0 else "; short trainings may not rank architectures as full trainings do"
    return f"{text}, {LEVEL:.0%} interval {low:+.2f} to {high:+.2f}{doubt}"


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
