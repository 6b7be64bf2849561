"""What all phases of one job share while a driver owns it."""

from dataclasses import dataclass
from pathlib import Path

from search.ledger import Job, Lease, Ledger
from search.planning.values import Plan, passes
from search.spec import JobSpec
from workers.job.clock import JobClock
from workers.job.phase_costs import PhaseCosts
from workers.settings import Settings
from workers.stop_signal import StopSignal


@dataclass(frozen=True, kw_only=True, slots=True)
class JobContext:
    """One job under one lease.

    lease: every write to the ledger carries it. stop: whether the search or the whole job must stop, and why.
    costs: of each phase. spec: the job's document; the random arm has a copy with a budget of its own.
    folder: of the job, in the state folder. clock: of the whole job.
    plan: of a planned job, once it is made; `spec` then has its epochs, limits and batch in the places of the user's.
    """

    settings: Settings
    ledger: Ledger
    lease: Lease
    stop: StopSignal
    costs: PhaseCosts
    spec: JobSpec
    folder: Path
    clock: JobClock
    plan: Plan | None = None

    @classmethod
    def of(cls, settings: Settings, ledger: Ledger, lease: Lease) -> "JobContext":
        """Continues from where the job's last driver stopped. Raises NotFound."""
        job = ledger.job(lease.job_id)
        costs = PhaseCosts.of_this_machine(job.phases)
        return cls(
            settings=settings,
            ledger=ledger,
            lease=lease,
            stop=StopSignal(used_s=job.seconds_used, limit_s=job.spec.budget.seconds),
            costs=costs,
            spec=job.spec,
            folder=settings.job_folder(lease.job_id),
            clock=JobClock(costs, started_at=job.started_at, first=lease.fence == 1),
        )

    def passes(self, epochs: int) -> float:
        """Passes over the training split of a trial of so many epochs."""
        return passes(self.plan, epochs)

    @property
    def job_id(self) -> str:
        return self.lease.job_id

    def job(self) -> Job:
        """The job's row as it is now."""
        return self.ledger.job(self.job_id)

    def begin_phase(self, phase: str) -> None:
        """Shows `phase` as the job's, and charges it from now on. Raises LeaseLost."""
        self.costs.begin(phase)
        self.ledger.update_job(self.lease, phase=phase, phases=self.costs.snapshot())
