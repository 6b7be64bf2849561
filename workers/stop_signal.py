"""Why a running search should stop: one small value shared by the driver's threads."""

import threading
import time


class StopSignal:
    """Thread-safe; the first reason wins.

    Reasons: "budget_seconds", "space_exhausted" and those of `search/stopping/end_of_search.py` (the search is over);
    "pause", "cancel" (the user's wish); "shutdown" (the service stops; the job goes back to the queue).

    used_s, limit_s: seconds of search that earlier drivers of the job used, and the ceiling for all together.
    """

    def __init__(self, *, used_s: float = 0.0, limit_s: float = float("inf")) -> None:
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._used_s, self._limit_s = used_s, limit_s
        self._since: float | None = None

    def start(self) -> None:
        """The search begins: time counts from now."""
        self._since = time.monotonic()

    def halt(self) -> None:
        """The search is over: time counts no longer."""
        self._used_s, self._since = self.seconds_used(), None

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
        """Whether the whole job, not only its search, must be put down now."""
        return self._reason in ("pause", "cancel", "shutdown")

    def part(self, *, used_s: float = 0.0, limit_s: float = float("inf")) -> "StopSignal":
        """For a part of the job that comes to its own end, and is put down with the whole."""
        return _Part(self, used_s=used_s, limit_s=limit_s)

    def suspend(self, reason: str) -> None:
        """A wish that also ends what follows the search; it takes the place of a reason to end the search."""
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
