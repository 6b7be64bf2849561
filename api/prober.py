"""Whether the Ray cluster works: a child runs a task on it every two seconds, as the drivers of jobs would.

Each answer touches the file CLUSTER_BEAT in the state folder, which the API looks at: neither it nor the dispatcher
loads Ray.
"""

import logging
import subprocess
import sys
import time

from api import process
from api.routes.health import BEAT_S, CLUSTER_BEAT
from workers.settings import Settings

log = logging.getLogger("archsmith.dispatcher")

AGAIN_S = 2.0
FIRST_S = 90.0
"""To load Ray, join the cluster and start a process there: 6 s on a quiet machine."""


class Prober:
    """Only the main thread may use it. A driver's own private cluster is not looked at: it is never away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._beat = settings.state / CLUSTER_BEAT
        self._child: subprocess.Popen[bytes] | None = None
        self._due = self._started = 0.0
        self._failed = False

    def look(self) -> None:
        """Start the child, or start it again."""
        if not self._settings.ray_address:
            return
        if self._child is not None:
            if process.ended(self._child):
                self.doubt()
            elif self._silent():
                log.warning("the cluster runs no task; see logs/ray-probe.log")
                self.doubt()
        if self._child is None and time.monotonic() >= self._due:
            arguments = [sys.executable, "-m", "workers.cluster.probe", "--address", self._settings.ray_address]
            arguments += ["--beat", str(self._beat)]
            state = self._settings.state
            path = state / "logs" / "ray-probe.log"
            self._beat.unlink(missing_ok=True)
            self._child = process.spawn(arguments, cwd=state, env=process.environment(), log=path)
            self._started = time.monotonic()

    def doubt(self) -> None:
        """The cluster is away until a new child's task comes back."""
        if self._settings.ray_address:
            self.close()
            self._failed = True
            self._due = time.monotonic() + AGAIN_S

    @property
    def away(self) -> bool:
        """As far as is known: nothing is before the first answer."""
        return self._failed and self._last() is None

    def alive_after(self, when: float) -> bool | None:
        """Whether the cluster ran a task after that moment (`time.time()`); None: that is not known yet."""
        if not self._settings.ray_address:
            return True
        if self.away:
            return False
        last = self._last()
        return True if last is not None and last > when else None

    def close(self) -> None:
        if self._child is not None:
            process.stop([self._child], grace_s=0.5)
            self._child = None
        self._beat.unlink(missing_ok=True)

    def _silent(self) -> bool:
        last = self._last()
        if last is None:
            return time.monotonic() - self._started > FIRST_S
        return time.time() - last > BEAT_S

    def _last(self) -> float | None:
        try:
            return self._beat.stat().st_mtime
        except FileNotFoundError:
            return None
