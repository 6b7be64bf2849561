"""What a failed job's reason says where more time would have helped."""

from archsmith.errors import ArchsmithError, InvalidInput
from search.ledger import Job

BY_TIME = ("timeout", "the search ended", "none was run", "left no time", "time was over")
"""What reasons of trials and trainings say that ended for want of time."""
FACTOR = 2
"""Times the budget, which is proposed where the least that would do is not known."""


def reason(error: ArchsmithError, job: Job) -> str:
    """Why the job fails, in words, and how it gets more time if that is what it lacks."""
    words = error.words if isinstance(error, InvalidInput) else str(error).splitlines()[0]
    seconds = _wanted(error, words, job)
    if seconds is None:
        return words[:500]
    how = f"`archsmith extend {job.id} --seconds {seconds}` goes on with more"
    if job.spec.reproducible:  # its budget is fixed when it is posted
        how = f"post it again with {seconds} seconds"
    return f"{words[:400]}; {how}"


def _wanted(error: ArchsmithError, words: str, job: Job) -> int | None:
    """Seconds of a budget that would do, or twice what it had; None where time is not what is missing."""
    if isinstance(error, InvalidInput):
        small = next((fault for fault in error.faults if fault.rule == "budget_too_small"), None)
        return None if small is None else int(small.allowed["minimum"])
    budget = job.spec.budget.seconds
    ended = (job.stopped_because or "") == "budget_seconds"
    if not ended or not any(text in words for text in BY_TIME):
        return None
    return round(FACTOR * budget)
