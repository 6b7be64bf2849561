"""The simple models in the report: what they score on the winner's splits, and whether the winner is below them.

The best of them is the one with the highest test score, so the bar is, if anything, a little too high.
"""

from typing import Any

from workers.simple.record import NAMES, StageScores


def simple_models(search: StageScores | None, final: StageScores | None, winner: float) -> dict[str, Any] | None:
    """search: scores on the validation split; final: on the test split; winner: its final score.

    None for a job without simple models.
    """
    if final is None:
        return None
    rows = [_row(name, search, final) for name in final.scores]
    scored = [row for row in rows if row["final_score"] is not None]
    best = max(scored, key=lambda row: float(row["final_score"]), default=None)
    return {
        "models": rows,
        "best": None if best is None else best["name"],
        "best_final_score": None if best is None else best["final_score"],
        "winner_below": None if best is None else winner < best["final_score"],
        "words": _words(rows, best, final, winner),
        "train": {"used": final.trained, "of": final.of_trained},
        "test": {"used": final.measured, "of": final.of_measured},
    }


def _row(name: str, search: StageScores | None, final: StageScores) -> dict[str, Any]:
    before, after = None if search is None else search.scores.get(name), final.scores[name]
    return {
        "name": name,
        "search_score": None if before is None else before.score,
        "final_score": after.score,
        "features": after.features,
        "seconds": after.seconds,
        "reason": after.reason,
    }


def _words(rows: list[dict[str, Any]], best: dict[str, Any] | None, final: StageScores, winner: float) -> str:
    """One sentence, without the full stop."""
    if best is None:
        reasons = "; ".join(f"{NAMES[row['name']]}: {row['reason']}" for row in rows)
        return f"no simple model to compare with: {reasons}"
    called, score = NAMES[best["name"]], best["final_score"]
    used = "" if final.whole else f", {_used(final)}"
    if winner < score:
        return (
            f"the winner is below a simple model: it scores {winner:.4f} on the test split, and {called} on simple "
            f"features {score:.4f} after {best['seconds']:.0f} s of training{used}; prefer the simple model, or search "
            "with a larger budget, more data or another space"
        )
    return f"the best simple model, {called} on simple features, scores {score:.4f} on the test split{used}"


def _used(final: StageScores) -> str:
    return (
        f"fitted to {final.trained:,} of {final.of_trained:,} training samples and measured on {final.measured:,} of "
        f"{final.of_measured:,} test samples"
    )
