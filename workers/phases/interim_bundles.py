"""A bundle of the best network so far, while the job runs: from its first score on, and whenever a better one is there.

In a planned job the winner's first full training goes in the place of the best of the search as soon as it is stored
(`workers.phases.first_final`).

A thread of the driver. It looks at the folder into which trials put their best weights
(`workers.weights.best_weights`), and writes a provisional bundle now and then (EVERY_S), since a search may find
something better every few seconds. What it needs is in that folder and in the ledger, so the driver after a crash goes
on from there. Search and final trainings never wait.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from archsmith.errors import ArchsmithError, LeaseLost, NotFound
from search.ledger import Job, Trial
from search.trial import JobState
from space.architecture import Architecture
from workers import bundle
from workers.conventions import score_name
from workers.datasets import Dataset
from workers.finalists.plan import has_arm
from workers.job.context import JobContext
from workers.phases.first_final import first_final
from workers.weights import best_weights
from workers.weights.best_weights import BestWeights

log = logging.getLogger(__name__)

EVERY_S, EVERY_SHARE = 60.0, 0.03
"""Seconds of wall clock between two bundles of the search, and before one that failed is tried again: so many, or this
share of the budget where that is less. A bundle takes about a second."""
LOOK_S = 1.0


class InterimBundles(threading.Thread):
    """Of one job."""

    def __init__(self, context: JobContext, dataset: Dataset) -> None:
        super().__init__(name="interim-bundles", daemon=True)
        self._context, self._dataset = context, dataset
        self._every_s = min(EVERY_S, EVERY_SHARE * context.spec.budget.seconds)
        self._folder, self._total = context.folder / best_weights.FOLDER, context.spec.budget.trial_epochs
        self._preprocessing: bundle.Preprocessing | None = None
        self._due, self._again = 0.0, 0.0
        self._done = threading.Event()
        for left in self._folder.glob("*.part"):  # by a trial that was killed while it wrote
            left.unlink(missing_ok=True)

    def run(self) -> None:
        while not self._done.wait(LOOK_S):
            now = time.monotonic()
            look = self.look if now >= self._due else self.look_at_finals
            if now >= self._again and not self._looked(look):
                return

    def stop(self) -> None:
        """Ends the thread, and hands out what is the best by now. To be called while the lease still holds."""
        self._done.set()
        if self.is_alive():
            self.join()
        self._looked(self.look)

    def _looked(self, look: Callable[[], bool]) -> bool:
        """Whether there is any use in looking again. Without this bundle the job is worth the same."""
        try:
            look()
        except LeaseLost:
            return False
        except (ArchsmithError, OSError) as error:
            self._again = time.monotonic() + self._every_s
            log.warning("no provisional bundle for now: %s", error)
        return True

    def look(self) -> bool:
        """Hand out the best network if it is not yet -> whether it did. Raises LeaseLost, Unavailable, OSError."""
        return self.look_at_finals() or self._look_at_search()

    def look_at_finals(self) -> bool:
        """The same of the winner's first full training."""
        found = first_final(self._context)
        if found is None:
            return False
        job = self._context.job()
        if job.state is not JobState.RUNNING or not found.is_new(job.interim_bundle):
            return False
        provisional = found.provisional(job, self._score_name(job))
        self._interim(job, found.trial, found.weights, provisional, {})
        return True

    def _look_at_search(self) -> bool:
        best = next(iter(best_weights.found(self._folder)), None)
        job = self._context.job()
        if best is None or job.state is not JobState.RUNNING:
            return False
        if job.interim_bundle is not None and not _beats(best, job.interim_bundle):
            return False
        trial = self._measured(best)
        if trial is None:
            return False
        self._publish(best, trial, job)
        self._due = time.monotonic() + self._every_s
        return True

    def _measured(self, best: BestWeights) -> Trial | None:
        """The trial, once the measurement of these weights is in the ledger."""
        try:
            trial = self._context.ledger.trial(self._context.job_id, best.number)
        except NotFound:
            return None
        return trial if trial.epochs >= best.epoch else None

    def _score_name(self, job: Job) -> str:
        return score_name(job.spec.objective.score, self._dataset.task, self._dataset.problem)

    def _publish(self, best: BestWeights, trial: Trial, job: Job) -> None:
        provisional = bundle.Provisional(
            trial=best.number,
            epochs=best.epoch,
            epochs_total=self._total,
            score=self._score_name(job),
            search_score=best.score,
            missing=tuple(missing(job, best, self._total)),
        )
        self._interim(job, trial, best.path, provisional, {"value": best.value})
        best_weights.drop_all_but(best, self._folder)

    def _interim(
        self, job: Job, trial: Trial, weights: Path, provisional: bundle.Provisional, more: dict[str, float]
    ) -> None:
        """Write the bundle of these weights, and hand it out. more: values beside what it says of itself."""
        given = self._preprocessing = self._preprocessing or bundle.Preprocessing.of(self._dataset)
        made = bundle.publish_provisional(
            self._context.folder,
            architecture=Architecture.from_json(trial.architecture),
            weights=weights.read_bytes(),
            preprocessing=given,
            report=_about(job, self._dataset, provisional),
            provisional=provisional,
        )
        worth = {**provisional.to_json(), **more}
        values = {"file": made.path.name, "sha256": made.sha256, "bytes": made.bytes, "provisional": worth}
        self._context.ledger.set_interim_bundle(self._context.lease, values)
        log.info("%s; %d bytes", provisional, made.bytes)
        before = (job.interim_bundle or {}).get("file")
        for path in self._context.folder.glob("provisional-*.zip"):
            if path.name not in (made.path.name, before):  # the one before may be on its way to somebody
                path.unlink(missing_ok=True)


def missing(job: Job, best: BestWeights, total: int) -> Iterator[str]:
    """What a job has yet to do beyond this network, a sentence each. total: epochs of a whole trial."""
    spec = job.spec
    if best.epoch < total:
        yield f"the training of this trial: {best.epoch} of {total} epochs are done"
    if job.stopped_because is None:
        ended = sum(count for state, count in job.counts.items() if state.terminal)
        of = "" if spec.budget.trials is None else f" of {spec.budget.trials}"
        yield f"the rest of the search: {ended}{of} trials have ended"
    if has_arm(spec, planned=spec.budget.planned):
        yield "the random search that the result is compared with"
    yield "full trainings of the best architectures, and their scores on the test split"
    if spec.compress is not None:
        yield "the compression of the winner"
    yield "the exported forms (model.onnx, model.pt2), the example and the report"


def tidy(folder: Path) -> None:
    """Remove what was handed out before the final bundle. The best weights stay, should the job be continued."""
    for path in (*folder.glob("provisional-*.zip"), *folder.glob("bundle-*.zip")):
        path.unlink(missing_ok=True)


def _beats(best: BestWeights, handed_out: dict[str, Any]) -> bool:
    """Nothing of a search beats a full training, nor the final bundle that a continued job has from before."""
    old = handed_out.get("provisional")
    return old is not None and "value" in old and best.order > (old["value"], -old["trial"])


def _about(job: Job, dataset: Dataset, provisional: bundle.Provisional) -> dict[str, Any]:
    """What the card tells, by the names of `report.json`."""
    return {
        "job": {"name": job.name},
        "score": provisional.score,
        "dataset": {
            "name": dataset.info.name,
            "sha256": dataset.info.sha256,
            "sizes": dataset.split_sizes,
            "split_hashes": dataset.split_hashes,
        },
        "trials": {state.value: count for state, count in job.counts.items()},
        "search_seconds": round(job.seconds_used, 3),
    }
