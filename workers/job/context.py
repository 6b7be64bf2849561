"""What all phases of one job share while a driver owns it."""

from dataclasses import dataclass
from pathlib import Path

from search.ledger import Job, Lease, Ledger
from search.spec import JobSpec
from workers.job.phase_costs import PhaseCosts
from workers.settings import Settings
from workers.stop_signal import StopSignal


@dataclass(frozen=True, kw_only=True, slots=True)
class JobContext:
    """One job under one lease.

    lease: every write to the ledger carries it. stop: why the search, or the whole job, is to stop now.
    costs: of each phase. spec: the job's document; a phase of its own may put another budget into its copy.
    folder: the job's own, below the state folder.
    """

    settings: Settings
    ledger: Ledger
    lease: Lease
    stop: StopSignal
    costs: PhaseCosts
    spec: JobSpec
    folder: Path

    @classmethod
    def of(cls, settings: Settings, ledger: Ledger, lease: Lease) -> "JobContext":
        """Goes on where the job's last driver stood. Raises NotFound."""
        job = ledger.job(lease.job_id)
        return cls(
            settings=settings,
            ledger=ledger,
            lease=lease,
            stop=StopSignal(used_s=job.seconds_used, limit_s=job.spec.budget.seconds),
            costs=PhaseCosts.of_this_machine(job.phases),
            spec=job.spec,
            folder=settings.job_folder(lease.job_id),
        )

    @property
    def job_id(self) -> str:
        return self.lease.job_id

    def job(self) -> Job:
        """The job's row as it is now."""
        return self.ledger.job(self.job_id)

    def enter(self, phase: str) -> None:
        """The next phase begins: it is shown, and what is spent from now on is its cost. Raises LeaseLost."""
        self.costs.enter(phase)
        self.ledger.update_job(self.lease, phase=phase, phases=self.costs.look())
