"""What the winner is worth: against the baseline, against random architectures, against its own noise."""

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
    other = None if trial is None else next((one for one in trained if one.trial.hash == trial.hash), None)
    if trial is None or other is None:
        words = f"gain over {_called(role)} unknown: {MISSING[role]}"
        return {"verdict": "unknown", "words": words, "value": None, "interval": None, "against": None}
    if other is winner:
        found = Gain(value=0.0, interval=(0.0, 0.0), samples=True)
        words = f"no gain over {_called(role)}: the winner is this very architecture"
    else:
        pool = [one.scores for one in trained]
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


def about(one: Trained) -> dict[str, Any]:
    """An architecture that was trained in full, in numbers."""
    trial, scores = one.trial, one.scores
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
    """Whether short trainings rank architectures as full ones do; only trials that ran to their end are asked."""
    both = [one for one in trained if one.trial.state is TrialState.COMPLETED and one.trial.search_score is not None]
    found = agreement([one.trial.search_score or 0.0 for one in both], [one.scores.mean for one in both])
    return {
        "architectures": [{"role": one.final.role, **about(one)} for one in both],
        "kendall_tau": found.tau,
        "interval": None if found.interval is None else list(found.interval),
        "level": LEVEL,
        "words": _ranks(found, len(both)),
    }


def _ranks(found: Agreement, count: int) -> str:
    if found.tau is None:
        return f"rank agreement of short and full training unknown: {count} architectures have both, or all are equal"
    told = f"Kendall's tau of search scores and full trainings {found.tau:+.2f} on {count} architectures"
    if found.interval is None:
        return f"{told}; too few for an interval"
    low, high = found.interval
    doubt = "" if low > 0 else ": it may be that short trainings do not rank architectures as full ones do"
    return f"{told}, {LEVEL:.0%} interval {low:+.2f} to {high:+.2f}{doubt}"


def noise(trained: Sequence[Trained], winner: Trained) -> dict[str, Any]:
    """How much one architecture varies from training to training, and whether that hides who is the best finalist."""
    finalists = [one.scores.mean for one in trained if one.final.role == "finalist"]
    gap = max(finalists) - min(finalists) if len(finalists) > 1 else None
    sd = winner.scores.sd
    warning = None
    if sd is not None and gap is not None and sd > gap:
        warning = (
            f"the noise of one training (standard deviation {sd:.4f}) exceeds the gap among the finalists ({gap:.4f}):"
            " which of them is the best is not known"
        )
    return {
        "trial": winner.trial.number,
        "scores": list(winner.scores.values),
        "sd": sd,
        "gap_among_finalists": gap,
        "warning": warning,
    }
