"""The names of runs and models in MLflow, as a person would give them."""

from search.trial import RANDOM, RANDOM_ARM, RANDOM_ARM_FROM

UNNAMED = "search"
"""The name of a job that was given none."""
WORDS = {RANDOM: "random", "baseline": "baseline", "user": "own", "prior": "prior"}
FINALS = {"finalist": "finalist", "baseline": "baseline", "random": "random", "fidelity": "ranking check"}


def job(name: str, dataset: str, job_id: str) -> str:
    """`digits · first try`, `digits · 0193a5c2` where the job has no name of its own."""
    return f"{dataset} · {job_id[:8] if name == UNNAMED else name}"


def trial(
    number: int, *, provenance: str = "", params: int | None = None, score: float | None = None, state: str = ""
) -> str:
    """`trial 12 · 0.934 · 70k params`; a pruned or failed one says so, `random 3` is the random arm's."""
    arm = provenance == RANDOM_ARM or number >= RANDOM_ARM_FROM
    name = f"random {number - RANDOM_ARM_FROM}" if arm else f"trial {number}"
    parts = [name, WORDS.get(provenance, ""), "" if score is None else f"{score:.3f}"]
    parts += ["" if state in ("", "completed") else state, "" if params is None else f"{short(params)} params"]
    return " · ".join(part for part in parts if part)


def final(role: str, *, rank: int, seed: int, trial: int) -> str:
    """`final: winner, seed 1`; the other finalists by their rank, the rest by why they are trained."""
    who = "winner" if (role, rank) == ("finalist", 1) else FINALS.get(role, role)
    which = f" {rank}" if role == "finalist" and rank > 1 else f" (trial {trial})" if role == "fidelity" else ""
    return f"final: {who}{which}, seed {seed}"


def model(name: str, dataset: str, job_id: str) -> str:
    """Of the registered model: of a named job its versions are those of all jobs of that name on the data set."""
    return f"{dataset}-{job_id[:8] if name == UNNAMED else name}".replace("/", "-").replace(":", "-")


def short(count: int) -> str:
    """`950`, `70k`, `1.2M`."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= unit:
            value = count / unit
            return f"{value:.0f}{letter}" if value >= 10 else f"{value:.1f}{letter}"
    return str(count)
