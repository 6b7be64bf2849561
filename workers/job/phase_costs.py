"""What each phase of a job costs: wall clock, and joules where the driver's machine can measure them.

The energy counters are read with every heartbeat, because RAPL's wrap around after some 262 kJ, which is an hour of a
busy processor. A killed driver loses the costs since its last heartbeat, at most a sixth of its lease.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

from workers.measures.energy import Rapl, meter

Phases = dict[str, dict[str, float]]


class PhaseCosts:
    """Costs by phase. Thread-safe. before: those of the job's earlier drivers."""

    def __init__(self, before: Mapping[str, Any], *, rapl: Rapl | None = None) -> None:
        self._lock = threading.Lock()
        self._phases: Phases = {name: dict(cost) for name, cost in before.items()}
        self._rapl = rapl
        self._phase: str | None = None
        self._since = time.monotonic()
        self._joules = rapl.counters() if rapl else ()

    @classmethod
    def of_this_machine(cls, before: Mapping[str, Any]) -> "PhaseCosts":
        found = meter("cpu")
        return cls(before, rapl=found if isinstance(found, Rapl) else None)

    def begin(self, phase: str | None) -> None:
        """Charge `phase` from now on; None: charge no phase."""
        self.snapshot()
        self._phase = phase

    def total(self) -> float:
        """Seconds of all phases up to now."""
        return sum(cost["seconds"] for cost in self.snapshot().values())

    def snapshot(self) -> Phases:
        """The costs of all phases up to now: seconds, and energy_j in joules where it is measured."""
        with self._lock:
            now, joules = time.monotonic(), self._rapl.counters() if self._rapl else ()
            if self._phase is not None:
                cost = self._phases.setdefault(self._phase, {"seconds": 0.0})
                cost["seconds"] += now - self._since
                if self._rapl:
                    cost["energy_j"] = cost.get("energy_j", 0.0) + self._rapl.between(self._joules, joules)
            self._since, self._joules = now, joules
            return {name: {key: round(value, 3) for key, value in cost.items()} for name, cost in self._phases.items()}
