"""What every database under the ledger must do. Subclassed with a fixture `url` of an empty ledger."""

from tests.conformance.ledger_events import EventConformance
from tests.conformance.ledger_jobs import JobConformance, RequestConformance
from tests.conformance.ledger_leases import LeaseConformance
from tests.conformance.ledger_steering import SteeringConformance
from tests.conformance.ledger_trials import TrialConformance


class LedgerConformance(
    JobConformance, RequestConformance, SteeringConformance, LeaseConformance, TrialConformance, EventConformance
):
    """All of it. Every test ends with the audit of `tests/invariants.py`."""
