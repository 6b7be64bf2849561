"""The driver's heartbeat: renews the lease, passes on what the user wants, and stops a driver that lost its job."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from archsmith.errors import ArchsmithError, LeaseLost
from workers.job.context import JobContext

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks at what the user wants: one read of a row. Beats, which write, are rarer."""

EXIT_LEDGER_AWAY = 69
EXIT_LEASE_LOST = 75
EXIT_CLUSTER_AWAY = 70
THE_CLUSTER = "the cluster"
"""What a job waits for that was put back because of it."""
BEATEN = "driver.beaten"
"""File in a job's folder that holds the fence of the last driver that renewed its own lease."""


def beaten(folder: Path, fence: int) -> bool:
    """Whether the driver with this fence has begun to renew its lease. folder: of the job."""
    try:
        return (folder / BEATEN).read_text() == str(fence)
    except OSError:
        return False


class Heartbeat(threading.Thread):
    """A thread that beats six times within a lease, and between that looks every LOOK_S at what the user wants.

    A driver that cannot renew for two thirds of its lease, or whose job has another owner, ends its own process at
    once: two drivers writing one job would be worse than none. So does one whose cluster is away, once its job is put
    back: the main thread may wait for Ray for ever.
    """

    def __init__(
        self,
        context: JobContext,
        *,
        waiting_for: Callable[[], str | None],
        away: Callable[[], str | None] = lambda: None,
        put_back: Callable[[], None] = lambda: None,
    ) -> None:
        """waiting_for: what the job waits for. away: why the cluster is of no use any more; the job is then put
        back."""
        super().__init__(name="heartbeat", daemon=True)
        self._ledger, self._lease, self._lease_s = context.ledger, context.lease, context.settings.lease_s
        self._stop_signal, self._costs, self._waiting_for = context.stop, context.costs, waiting_for
        self._folder = context.folder
        self._away, self._put_back = away, put_back
        self._finishing: tuple[float | None, float | None] | None = None  # as it was followed last
        self._done = threading.Event()

    def run(self) -> None:
        last, pause, begun = time.monotonic(), self._lease_s / 6, False
        while not self._done.wait(min(LOOK_S, pause)):
            try:
                if begun and time.monotonic() - last < pause:
                    self._look()
                    continue
                self._beat()
                if not begun:  # until now the dispatcher renewed
                    (self._folder / BEATEN).write_text(str(self._lease.fence))
                last, begun = time.monotonic(), True
            except LeaseLost as error:
                if error.given_back:  # the driver has just ended the job, and comes to `stop` next
                    return
                self._abandon("the lease is lost: another driver owns this job")
            except (ArchsmithError, OSError) as error:  # OSError: the energy counters; without beats the job is lost
                log.warning("cannot renew the lease: %s", error)
                if time.monotonic() - last > self._lease_s * 2 / 3:
                    self._abandon("the lease could not be renewed in time")

    def _beat(self) -> None:
        wanted = self._ledger.renew(self._lease, self._lease_s)
        if wanted in ("pause", "cancel"):
            self._stop_signal.suspend(wanted)
        self._look()
        if why := self._away():
            self._put_back()
            self._abandon(why, EXIT_CLUSTER_AWAY)
        self._ledger.update_job(
            self._lease,
            seconds_used=self._stop_signal.seconds_used(),
            waiting_for=self._waiting_for(),
            phases=self._costs.snapshot(),
        )

    def _look(self) -> None:
        """Follow what the user wants by now."""
        control, stop = self._ledger.control(self._lease), self._stop_signal
        if control.wanted in ("pause", "cancel"):
            stop.suspend(control.wanted)
        if stop.over and control.stopped_because is None:
            stop.suspend("continue")
        stop.follow(control.budget)
        if control.finishing is not None:
            self._finish(control.finishing["within_seconds"], control.finishing["until"])

    def _finish(self, within: float | None, until: float | None) -> None:
        """within: seconds of work from when this is seen first. until: the same in seconds of work of the whole job, as
        an earlier driver has noted it."""
        if self._finishing == (within, until):
            return
        spent = self._costs.total()
        if until is None and within is not None:
            until = spent + within
            if not self._ledger.begin_finish(self._lease, within_seconds=within, until=until):
                return
        self._stop_signal.finish(None if until is None else until - spent)
        self._finishing = within, until

    def _abandon(self, why: str, code: int = EXIT_LEASE_LOST) -> None:
        log.error("%s", why)
        os._exit(code)

    def stop(self) -> None:
        self._done.set()
        self.join(timeout=5)
