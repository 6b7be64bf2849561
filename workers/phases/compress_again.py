"""A job without a search: it compresses the winner of an earlier job."""

import json
import logging
from pathlib import Path

from archsmith.errors import JobFailure
from search.streams import Stream, seed_of
from search.trial import JobState
from workers import bundle
from workers.compress.chain import Winner
from workers.compress.product import compress, read_bundle, with_compressed
from workers.datasets import Dataset
from workers.job.context import JobContext
from workers.report.contents import SCHEMA_VERSION
from workers.report.costs import of_phase
from workers.train.numerics import Numerics
from workers.train.prepare import final_recipe
from workers.weights.inherit import find_donor

log = logging.getLogger(__name__)


class CompressAgain:
    """The only phase of such a job."""

    def __init__(self, context: JobContext) -> None:
        self._context, self._ledger, self._lease = context, context.ledger, context.lease

    def run(self, dataset: Dataset, numerics: Numerics) -> None:
        """Raises JobFailure where the earlier bundle is gone, its data set has changed, or nothing came out.

        Returns early when the job must be suspended.
        """
        spec, folder = self._context.spec, self._context.folder
        self._context.begin_phase("compress")
        source = self._source()
        old = read_bundle(source)
        report = json.loads(old["report.json"])
        if report["schema_version"] != SCHEMA_VERSION:
            raise JobFailure(f"the bundle of {source.parent.name} is of an older version: run its search again first")
        trained_on = report["dataset"]
        if (trained_on["sha256"], trained_on["split_hashes"]) != (dataset.info.sha256, dataset.split_hashes):
            name, of = dataset.info.name, source.parent.name
            raise JobFailure(
                f"the data set {name!r} has changed since job {of} was trained on it: run its search again"
            )
        seed = seed_of(Stream.FINAL, spec.seed, int(report["winner"]["trial"]), 0)
        values = final_recipe(spec, numerics, dataset, None, seed=seed)
        # the bundle's weights are those of the winner's first full training, so its own score is what may be lost
        first = next(row for row in report["finalists"] if row["trial"] == report["winner"]["trial"])
        winner = Winner(
            architecture=json.loads(old["architecture.json"]),
            weights=old["weights.safetensors"],
            final_score=float(first["final_score"]),
        )
        made = compress(
            spec,
            winner,
            dataset,
            recipe=values,
            donor=find_donor(spec.init_from, self._context.settings.job_folder),
            folder=folder,
            should_stop=lambda: self._context.stop.suspending,
        )
        if made is None:
            return
        files, entry = made
        if "failed" in entry:
            raise JobFailure(f"nothing came out: {entry['failed']}")
        phases = self._context.costs.snapshot()
        self._ledger.update_job(self._lease, phases=phases)
        costs = [row for row in report["costs"] if row["phase"] != "compress"]
        report |= {
            "compression": entry | {"job": self._context.job_id},
            "costs": [*costs, of_phase(phases, "compress")],
        }
        published = bundle.write(folder, with_compressed(old, files, report))
        log.info("bundle of %d bytes, compressed %s", published.bytes, entry["smaller"])
        self._ledger.finish_job(
            self._lease,
            JobState.SUCCEEDED,
            final_score=entry["final_score"],
            bundle_sha256=published.sha256,
            bundle_bytes=published.bytes,
        )

    def _source(self) -> Path:
        compress = self._context.spec.compress
        of = compress.of if compress else None
        path = self._context.settings.job_folder(str(of)) / "bundle.zip"
        if not path.is_file():
            raise JobFailure(f"job {of} has no bundle any more")
        return path
