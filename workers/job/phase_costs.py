"""What each phase of a job costs: wall clock, and joules where the driver's machine tells them.

The counters are looked at with every beat of the driver's heart, because RAPL's begin anew after some 262 kJ, which is
an hour of a busy processor. A killed driver loses what it spent since its last beat, at most a sixth of its lease.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

from workers.measures.energy import Rapl, meter

Phases = dict[str, dict[str, float]]


class PhaseCosts:
    """Thread-safe. before: what earlier drivers of the job spent, by phase."""

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

    def enter(self, phase: str | None) -> None:
        """What is spent from now on is spent on `phase`; None: on nothing."""
        self.look()
        self._phase = phase

    def look(self) -> Phases:
        """Everything up to now."""
        with self._lock:
            now, joules = time.monotonic(), self._rapl.counters() if self._rapl else ()
            if self._phase is not None:
                cost = self._phases.setdefault(self._phase, {"seconds": 0.0})
                cost["seconds"] += now - self._since
                if self._rapl:
                    cost["energy_j"] = cost.get("energy_j", 0.0) + self._rapl.between(self._joules, joules)
            self._since, self._joules = now, joules
            return {name: {key: round(value, 3) for key, value in cost.items()} for name, cost in self._phases.items()}
