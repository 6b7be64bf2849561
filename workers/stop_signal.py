"""Whether and why a running search must stop, shared by the driver's threads."""

import threading
import time


class StopSignal:
    """Thread-safe; the first reason wins.

    Reasons: "budget_seconds", "space_exhausted" and those of `search/stopping/end_of_search.py` (the search is over);
    "pause", "cancel" (by the user); "shutdown" (the service stops; the job goes back to the queue).

    used_s, limit_s: seconds of search that earlier drivers of the job used, and the ceiling for all together.
    """

    def __init__(self, *, used_s: float = 0.0, limit_s: float = float("inf")) -> None:
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._used_s, self._limit_s = used_s, limit_s
        self._since: float | None = None

    def start(self) -> None:
        """The search begins, and its time counts from now."""
        self._since = time.monotonic()

    def halt(self) -> None:
        """The search is over, and its time counts no longer."""
        self._used_s, self._since = self.seconds_used(), None

    def limit(self, seconds: float) -> None:
        """From now on the ceiling is so many seconds of search more than were used until now; for a plan's changes."""
        self._limit_s = self.seconds_used() + seconds

    @property
    def searching(self) -> bool:
        return self._since is not None

    def seconds_used(self) -> float:
        running = time.monotonic() - self._since if self._since is not None else 0.0
        return self._used_s + running

    def end(self, reason: str) -> None:
        with self._lock:
            self._reason = self._reason or reason

    @property
    def reason(self) -> str | None:
        if self._reason is None and self._since is not None and self.seconds_used() >= self._limit_s:
            self.end("budget_seconds")
        return self._reason

    @property
    def stopping(self) -> bool:
        return self.reason is not None

    @property
    def suspending(self) -> bool:
        """Whether the whole job, not only its search, must be suspended now."""
        return self._reason in ("pause", "cancel", "shutdown")

    def part(self, *, used_s: float = 0.0, limit_s: float = float("inf")) -> "StopSignal":
        """A signal for a part of the job that has its own end, and is suspended with the whole job."""
        return _Part(self, used_s=used_s, limit_s=limit_s)

    def suspend(self, reason: str) -> None:
        """Suspend the whole job; this replaces a reason that only ends the search."""
        with self._lock:
            if self._reason not in ("pause", "cancel", "shutdown"):
                self._reason = reason


class _Part(StopSignal):
    def __init__(self, whole: StopSignal, *, used_s: float, limit_s: float) -> None:
        super().__init__(used_s=used_s, limit_s=limit_s)
        self._whole = whole

    @property
    def reason(self) -> str | None:
        if self._whole.suspending and self._whole.reason is not None:
            self.suspend(self._whole.reason)
        return super().reason
