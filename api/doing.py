"""What a job does now, in words."""

from search.ledger import Job
from search.trial import JobState, TrialState

PHASES = {
    "prepare": "opens the data set, joins the cluster and measures which precision and layout train fastest",
    "plan": "opens the data set, joins the cluster, times a few training steps and plans the job's time",
    "simple_models": "trains simple models on the same data, for comparison",
    "proxies": "ranks the first architectures without training them",
    "search": "trains architectures for a short time each",
    "random_arm": "trains random architectures at the same cost, for comparison",
    "finalists": "trains the best architectures in full and measures them on the test split",
    "compress": "makes the winner smaller",
    "bundle": "exports the winner and writes the report and the bundle",
}
WANTED = {"pause": "is about to be paused", "cancel": "is about to be cancelled"}


def doing(job: Job) -> str:
    """One sentence without its end."""
    if job.state is JobState.QUEUED:
        return "waits for its turn" if job.waiting_for is None else f"waits for {job.waiting_for}"
    if job.state is not JobState.RUNNING:
        return "is paused" if job.state is JobState.PAUSED else "has ended"
    if job.wanted in WANTED:
        return WANTED[job.wanted]
    parts = [PHASES.get(job.phase, job.phase)]
    if job.phase == "search":
        ended = sum(count for state, count in job.counts.items() if state.terminal)
        of = "" if job.spec.budget.trials is None else f" of {job.spec.budget.trials}"
        parts.append(f"{ended}{of} have ended, {job.counts[TrialState.RUNNING]} run")
    if job.finishing is not None:
        within = job.finishing["within_seconds"]
        parts.append("the search ends early" + ("" if within is None else f", the rest takes at most {within:g} s"))
    if job.waiting_for:
        parts.append(f"waits for {job.waiting_for}")
    return "; ".join(parts)
