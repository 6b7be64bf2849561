"""One thread per job delivers its outbox to MLflow; nothing is ever read back from there.

Delivery is at least once, see `workers.tracking.tracker`, so MLflow may be down for any length of time: rows wait in
the outbox.
"""

import logging
import threading
from collections.abc import Iterable

from mlflow.exceptions import MlflowException

from search.ledger import Ledger
from workers.settings import Settings
from workers.tracking.tracker import MlflowTracker

log = logging.getLogger(__name__)


class OutboxWriter(threading.Thread):
    """Delivers one job's outbox until `finish` is called; while MLflow is down, rows wait and the job continues."""

    def __init__(self, settings: Settings, ledger: Ledger, job_id: str) -> None:
        super().__init__(name="tracking", daemon=True)
        self._settings, self._ledger, self._job_id = settings, ledger, job_id
        self._finish = threading.Event()
        self._tracker: MlflowTracker | None = None

    def run(self) -> None:
        pause = 1.0
        while True:
            last = self._finish.is_set()
            try:
                self._drain()
                pause = 1.0
            except (MlflowException, OSError) as error:
                log.warning(
                    "MLflow does not accept rows, which stay in the outbox: %s", str(error).splitlines()[0][:200]
                )
                pause = min(30.0, pause * 2)
            if last:
                return
            self._finish.wait(pause)

    def _drain(self) -> None:
        if self._tracker is None:
            self._tracker = MlflowTracker(self._settings, self._ledger, self._job_id)
        while rows := self._ledger.outbox(self._job_id, limit=200):
            self._tracker.deliver(rows)
            self._ledger.acknowledge([row.id for row in rows])

    def finish(self, timeout_s: float) -> None:
        """Deliver what is left, for at most `timeout_s` seconds; the rest stays in the outbox."""
        self._finish.set()
        self.join(timeout=timeout_s)


def deliver_leftovers(settings: Settings, ledger: Ledger, job_ids: Iterable[str]) -> None:
    """Deliver the outbox of jobs that no longer have a driver."""
    for job_id in job_ids:
        writer = OutboxWriter(settings, ledger, job_id)
        writer.start()
        writer.finish(timeout_s=300)
