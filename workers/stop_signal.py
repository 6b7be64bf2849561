"""Whether and why a running search must stop, and how long the rest may take, shared by the driver's threads."""

import math
import threading
import time

from search.spec import Budget

SUSPENDING = ("pause", "cancel", "shutdown", "continue")


class StopSignal:
    """Thread-safe; the first reason wins.

    Reasons: "budget_seconds", "space_exhausted" and those of `search/stopping/end_of_search.py` (the search is over);
    "finish" (the user wants it to end now); "pause", "cancel" (by the user); "shutdown" (the service stops; the job
    goes back to the queue); "continue" (the user extended the budget after the end of the search; the same).

    used_s, limit_s: seconds of search that earlier drivers of the job used, and the ceiling for all together.
    over: whether the end of the search is in the ledger.
    """

    def __init__(self, *, used_s: float = 0.0, limit_s: float = float("inf")) -> None:
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._used_s, self._limit_s = used_s, limit_s
        self._since: float | None = None
        self._budget: Budget | None = None
        self._until = math.inf
        self._hurried = False
        self.over = False

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
        return self._reason in SUSPENDING

    def part(self, *, used_s: float = 0.0, limit_s: float = float("inf")) -> "StopSignal":
        """A signal for a part of the job that has its own end, and is suspended with the whole job."""
        return _Part(self, used_s=used_s, limit_s=limit_s)

    def suspend(self, reason: str) -> None:
        """Suspend the whole job; this replaces a reason that only ends the search."""
        with self._lock:
            if self._reason not in SUSPENDING:
                self._reason = reason

    # ---- what the user may change while the job runs

    @property
    def budget(self) -> Budget | None:
        """The budget as the user has changed it; None until that was looked up."""
        return self._budget

    def follow(self, budget: Budget) -> None:
        """The budget is this from now on."""
        self._budget = budget
        if not budget.planned:  # else its plan sets the limit of the search
            self._limit_s = budget.seconds

    def finish(self, left_s: float | None) -> None:
        """End the search now. left_s: seconds of wall clock for all that follows it, None = as long as it takes."""
        self._until = math.inf if left_s is None else time.monotonic() + left_s
        self._hurried = left_s is not None
        self.end("finish")

    @property
    def hurried(self) -> bool:
        """Whether what follows the search has a limit of time."""
        return self._hurried

    @property
    def left_s(self) -> float:
        """Seconds for what follows the search; infinite without a limit, 0 when they are over."""
        return max(0.0, self._until - time.monotonic())


class _Part(StopSignal):
    def __init__(self, whole: StopSignal, *, used_s: float, limit_s: float) -> None:
        super().__init__(used_s=used_s, limit_s=limit_s)
        self._whole = whole

    @property
    def reason(self) -> str | None:
        if self._whole.suspending and self._whole.reason is not None:
            self.suspend(self._whole.reason)
        if self._whole.hurried:
            self.end("finish")
        return super().reason
