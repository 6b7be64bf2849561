"""A job that searches nothing: the winner of an earlier one, made smaller."""

import json
import logging
from pathlib import Path

from archsmith.errors import JobFailure
from search.ledger import Job, Lease, Ledger
from search.trial import JobState
from workers import bundle
from workers.compress.chain import Winner
from workers.compress.product import compress, read_bundle, with_compressed
from workers.datasets import Dataset
from workers.job.phase_costs import PhaseCosts
from workers.probes.numerics import Numerics
from workers.report.contents import SCHEMA_VERSION
from workers.report.costs import of_phase
from workers.settings import Settings
from workers.stop_signal import StopSignal
from workers.train.prepare import final_epochs, recipe, trial_seed
from workers.weights.inherit import donor_of

log = logging.getLogger(__name__)


class CompressAgain:
    """The one phase of such a job under its lease."""

    def __init__(
        self, settings: Settings, ledger: Ledger, lease: Lease, control: StopSignal, costs: PhaseCosts | None = None
    ) -> None:
        self._settings, self._ledger, self._lease, self._control = settings, ledger, lease, control
        self._job: Job = ledger.job(lease.job_id)
        self._costs = costs or PhaseCosts(self._job.phases)

    def run(self, dataset: Dataset, numerics: Numerics) -> None:
        """Raises JobFailure where the earlier bundle is gone, its data set is another by now, or nothing came out.
        Returns early to be put down."""
        spec = self._job.spec
        self._ledger.update_job(self._lease, phase="compress")
        self._costs.enter("compress")
        source = self._source()
        old = read_bundle(source)
        report = json.loads(old["report.json"])
        if report["schema_version"] != SCHEMA_VERSION:
            raise JobFailure(f"the bundle of {source.parent.name} is of an older version: run its search again first")
        trained_on = report["dataset"]
        if (trained_on["sha256"], trained_on["split_hashes"]) != (dataset.info.sha256, dataset.split_hashes):
            name, of = dataset.info.name, source.parent.name
            raise JobFailure(f"{name!r} is not the data set any more that job {of} was trained on")
        values = recipe(
            spec,
            epochs=final_epochs(spec),
            seed=trial_seed(spec.seed, int(report["winner"]["trial"]), 1),
            precision=numerics.precision,
            layout=numerics.layout,
            channels=dataset.info.input_shape[0],
        )
        # the bundle's weights are those of the winner's first full training, so its own score is what may be lost
        first = next(one for one in report["finalists"] if one["trial"] == report["winner"]["trial"])
        winner = Winner(
            architecture=json.loads(old["architecture.json"]),
            weights=old["weights.safetensors"],
            final_score=float(first["final_score"]),
        )
        folder = self._settings.job_folder(self._job.id)
        made = compress(
            spec,
            winner,
            dataset,
            recipe=values,
            donor=donor_of(spec.init_from, self._settings.job_folder),
            folder=folder,
            should_stop=lambda: self._control.suspending,
        )
        if made is None:
            return
        files, entry = made
        if "failed" in entry:
            raise JobFailure(f"nothing came out: {entry['failed']}")
        phases = self._costs.look()
        self._ledger.update_job(self._lease, phases=phases)
        costs = [one for one in report["costs"] if one["phase"] != "compress"]
        report |= {"compression": entry | {"job": self._job.id}, "costs": [*costs, of_phase(phases, "compress")]}
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
        of = self._job.spec.compress.of if self._job.spec.compress else None
        path = self._settings.job_folder(str(of)) / "bundle.zip"
        if not path.is_file():
            raise JobFailure(f"job {of} has no bundle any more")
        return path
