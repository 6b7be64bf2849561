"""Small valid values for tests that are about something else."""

from typing import Any

from search.ledger import Lease, Ledger
from search.spec import JobSpec
from search.trial import Measurement, Outcome, TrialState


def job_spec(**changes: Any) -> JobSpec:
    """A whole job description; `changes` replace its fields."""
    return JobSpec(**{"dataset": "digits", "space": {"version": 1, "name": "toy"}, **changes})


def trial_fields(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Keyword arguments of `Ledger.add_trial`. The architecture is a stand-in that the ledger never opens."""
    return {
        "number": number,
        "architecture": {"schema_version": "1", "nodes": [], "name": f"toy{number}"},
        "hash": f"{number:016x}",
        "choices": {"stages.0.width": 16, "stages.0.kernel": 3, "head": "linear"},
        "behaviour": {"stages.0.width": 0.5},
        "params": 1000 + number,
        "macs": 2000 + number,
        **changes,
    }


def measurement(epoch: int = 1, **changes: Any) -> Measurement:
    """One epoch; the score rises with the epoch."""
    fields = {"epoch": epoch, "score": round(1 - 1 / (epoch + 1), 6), "train_loss": 1 / epoch, "seconds": 0.25}
    return Measurement(**{**fields, **changes})


def completed(number: int = 0, value: float = 0.9, epochs: int = 1) -> Outcome:
    """The outcome of a trial that trained to its end."""
    return Outcome(number=number, state=TrialState.COMPLETED, value=value, epochs=epochs)


def ended(number: int, state: TrialState) -> Outcome:
    """An outcome in any terminal state."""
    trained = state in (TrialState.COMPLETED, TrialState.PRUNED)
    value, reason = (0.5, None) if trained else (None, f"made to be {state}")
    return Outcome(number=number, state=state, value=value, epochs=int(trained), reason=reason)


def owned_job(ledger: Ledger, *, owner: str = "driver-1", lease_s: float = 30.0, **changes: Any) -> Lease:
    """A new job that `owner` has claimed; nothing else may be queued in the ledger."""
    job, _ = ledger.create_job(job_spec(**changes))
    lease = ledger.claim(owner, lease_s)
    assert lease is not None
    assert lease.job_id == job.id
    return lease


def running_trial(ledger: Ledger, lease: Lease, number: int = 0, **changes: Any) -> int:
    """Add a trial and start it -> its attempt."""
    ledger.add_trial(lease, **trial_fields(number, **changes))
    return ledger.start_attempt(lease, number)
