"""How long a job has run, from its start and without pauses, whichever drivers ran it.

While the machine sleeps it does not run: phases, budgets and deadlines are measured with `time.monotonic`, which
stands still then (CLOCK_MONOTONIC), so that no job believes that it is late when the machine wakes up. Only leases are
times of day, since several machines compare them. If one ends in a sleep, either its driver wakes first and renews it,
or another one takes the job over from the ledger; the sleep is counted by neither.
"""

from datetime import UTC, datetime

from workers.job.phase_costs import PhaseCosts

LONGEST_START_S, LONGEST_RESTART_S = 600.0, 60.0
"""Most seconds counted between the first claim of a job and its driver's first phase: more is a clock that was set; and
where the job was claimed before, since it may have been paused in between. A driver took 150 s to start at a load of 17
on two processors."""


class JobClock:
    """Reads the seconds of all phases. A planned job charges each moment of its drivers to some phase.

    start_s: seconds that the first driver's process needed to start, 0 in any other.
    """

    def __init__(self, costs: PhaseCosts, *, started_at: datetime | None, first: bool = True) -> None:
        """started_at: when the job was first claimed; only counted before its first phase. first: whether this driver
        is the one of that claim.
        """
        self._costs = costs
        self.start_s = 0.0
        if started_at is not None and not costs.snapshot():
            lag = (datetime.now(UTC) - started_at).total_seconds()
            self.start_s = min(LONGEST_START_S if first else LONGEST_RESTART_S, max(0.0, lag))

    def seconds(self) -> float:
        return self.start_s + sum(cost.get("seconds", 0.0) for cost in self._costs.snapshot().values())
