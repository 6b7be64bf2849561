"""The ledger: the record of jobs, trials, measurements and outcomes, in SQLite or PostgreSQL.

The contract, which `tests/conformance/ledger.py` checks for both databases:

1. A method either does all it says in one transaction, or raises and changes nothing. Every change of a job or trial
   writes its event in that transaction, and an outbox row where the tracker must know.
2. A state changes by compare-and-set along `TRIAL_MOVES` and `JOB_MOVES`; any other move raises Conflict. A trial's
   terminal state is never left, a job's only when its budget is extended (`change_budget`).
3. A job has at most one owner. `claim` gives it a lease, and a fence that rises with every claim; every write of the
   owner is checked against both and raises LeaseLost once another owner, or none, holds the job. A lease that has run
   out still works until another owner claims the job. Leases are measured by the database's clock.
4. A trial's writes name the attempt; those of a superseded attempt raise LeaseLost. An epoch is measured once.
5. Trial numbers are unique per job; event ids are 1, 2, 3, ... per job in order of commit.
6. Pages (`jobs`, `trials`, `events`) follow a key, so nothing is shown twice or left out while rows are added.
7. Every method may raise Unavailable when the database does not answer. The ledger may be shared by threads.
"""

from contextlib import ExitStack

from search.ledger.columns import Columns
from search.ledger.datasets import Datasets
from search.ledger.engine import Database
from search.ledger.finals import Finals
from search.ledger.jobs import Jobs
from search.ledger.leases import Leases
from search.ledger.migrate import migrate
from search.ledger.notices import Notices
from search.ledger.outbox import Outbox
from search.ledger.plans import Plans
from search.ledger.steering import Steering
from search.ledger.trials import Trials
from search.ledger.values import (
    Attempt,
    Control,
    ControllerState,
    DatasetRow,
    Event,
    Finalist,
    Job,
    JobFields,
    Lease,
    OutboxRow,
    Role,
    StoredMeasurement,
    Trial,
    Wanted,
)

__all__ = [
    "Attempt",
    "Control",
    "ControllerState",
    "DatasetRow",
    "Event",
    "Finalist",
    "Job",
    "JobFields",
    "Lease",
    "Ledger",
    "OutboxRow",
    "Role",
    "StoredMeasurement",
    "Trial",
    "Wanted",
    "open_ledger",
]


class Ledger(Jobs, Steering, Leases, Notices, Trials, Columns, Finals, Plans, Outbox, Datasets):
    """The contract is the module's text. Made by `open_ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        """Close all connections."""
        self._database.close()


def open_ledger(url: str) -> Ledger:
    """Open the ledger at an SQLAlchemy URL (sqlite:///path, postgresql://...) and bring its schema up to date.

    Raises ConfigurationError for an invalid URL or a database that a newer archsmith wrote, Unavailable.
    """
    with ExitStack() as undo:
        database = Database(url)
        undo.callback(database.close)
        database.prepare()
        migrate(database)
        undo.pop_all()
        return Ledger(database)
