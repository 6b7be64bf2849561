"""MLflow as a view of the ledger: one writer thread delivers the outbox in batches; nothing is ever read back from it.

    job -> parent run · trial -> child run (decisions as params once, a metric per epoch, architecture.json and .svg)
    finalist -> child run · end -> bundle as artifacts, registered model

Delivery is at least once, and repeating it changes nothing: runs are found again by their key, params and metrics are
the same rows (same step and time). So MLflow may be down for any length of time: rows wait in the outbox.
"""

import contextlib
import itertools
import json
import logging
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from search.ledger import Ledger, OutboxRow
from search.trial import RANDOM_ARM_FROM
from space.architecture import Architecture
from space.picture.drawing import draw
from workers.settings import Settings
from workers.tracking.mlmodel import mlflow_files

log = logging.getLogger(__name__)

EXPERIMENT = "archsmith"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # else the pages open on language-model traces
BATCH = 500
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the outbox is the retry; seven tries would block for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
RUN_STATUS = {"completed": "FINISHED", "pruned": "FINISHED", "succeeded": "FINISHED", "cancelled": "KILLED"}

Payload = dict[str, Any]


class MlflowTracker:
    """Writes one job's outbox rows to MLflow. Raises MlflowException when the server does not answer."""

    def __init__(self, url: str, ledger: Ledger, job_id: str, folder: Path) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._client = MlflowClient(tracking_uri=url, registry_uri=url)
        self._ledger, self._job_id, self._folder = ledger, job_id, folder
        self._runs = ledger.runs(job_id)
        self._experiment = ""

    def deliver(self, rows: Sequence[OutboxRow]) -> None:
        """Log the rows in order; consecutive measurements of one trial are sent as one batch."""
        for key, group in itertools.groupby(rows, key=_batch_key):
            if key is None:
                for row in group:
                    self._deliver_row(row)
            else:
                self._measurements(key, list(group))

    def _deliver_row(self, row: OutboxRow) -> None:
        handler = {
            "job_started": self._job_started,
            "trial_started": self._trial_started,
            "trial_ended": self._trial_ended,
            "finalist_ended": self._finalist_ended,
            "job_ended": self._job_ended,
        }.get(row.kind)
        if handler is None:
            log.warning("outbox row %d of unknown kind %s", row.id, row.kind)
        else:
            handler(row.payload, _millis(row))

    # ---- runs

    def _run(self, key: str, name: str, at: int, parent: str | None = None) -> str:
        """The run of `key` ("job", "trial/3"): known, found by its tag after a crash, or created now."""
        if key in self._runs:
            return self._runs[key]
        tags = {"archsmith.job": self._job_id, "archsmith.key": key}
        if parent:
            tags["mlflow.parentRunId"] = parent
        query = f"tags.`archsmith.job` = '{self._job_id}' and tags.`archsmith.key` = '{key}'"
        found = self._client.search_runs([self._experiment_id()], filter_string=query, max_results=1)
        if found:
            run_id = str(found[0].info.run_id)
        else:
            run = self._client.create_run(self._experiment_id(), run_name=name, start_time=at, tags=tags)
            run_id = str(run.info.run_id)
        self._ledger.set_run(self._job_id, key, run_id)
        self._runs[key] = run_id
        return run_id

    def _experiment_id(self) -> str:
        if not self._experiment:
            experiment = self._client.get_experiment_by_name(EXPERIMENT)
            if experiment is None:
                # Two drivers may both find none; the second to create is refused and reads the first one's.
                with contextlib.suppress(MlflowException):
                    self._client.create_experiment(EXPERIMENT, tags=EXPERIMENT_TAGS)
                experiment = self._client.get_experiment_by_name(EXPERIMENT)
            if experiment is None:
                raise MlflowException(f"experiment {EXPERIMENT} could not be created")
            self._experiment = str(experiment.experiment_id)
            self._ledger.set_run(self._job_id, "experiment", self._experiment)
        return self._experiment

    def _parent(self, at: int) -> str:
        return self._run("job", f"job {self._job_id[:8]}", at)

    # ---- what happened

    def _job_started(self, payload: Payload, at: int) -> None:
        run = self._run("job", payload["name"], at)
        spec = {k: v for k, v in payload["spec"].items() if k != "space"}
        params = {**_flat(spec), "space": payload["spec"]["space"].get("name", "custom")}
        self._client.log_batch(run, params=_params(params))
        self._client.log_text(run, json.dumps(payload["spec"], indent=2), "job.json")
        self._client.update_run(run, status="RUNNING")

    def _trial_started(self, payload: Payload, at: int) -> None:
        run = self._run(f"trial/{payload['number']}", f"trial {payload['number']:04d}", at, self._parent(at))
        if self._client.get_run(run).data.params:
            return  # a second attempt, or a repeated delivery
        architecture = Architecture.from_json(payload["architecture"])
        about = {"hash": payload["hash"], "provenance": payload["provenance"]}
        self._client.log_text(run, json.dumps(payload["architecture"], indent=1), "architecture.json")
        self._client.log_text(run, draw(architecture, title=f"trial {payload['number']}"), "architecture.svg")
        costs = [Metric(name, payload[name], at, 0) for name in ("params", "macs")]
        self._client.log_batch(run, params=_params({**about, **payload["choices"]}), metrics=costs)

    def _measurements(self, number: int, rows: Sequence[OutboxRow]) -> None:
        first = _millis(rows[0])
        run = self._run(f"trial/{number}", f"trial {number:04d}", first, self._parent(first))
        metrics = [
            Metric(name, row.payload[name], _millis(row), row.payload["epoch"])
            for row in rows
            for name in ("score", "train_loss", "seconds")
            if row.payload.get(name) is not None
        ]
        for start in range(0, len(metrics), BATCH):
            self._client.log_batch(run, metrics=metrics[start : start + BATCH])

    def _trial_ended(self, payload: Payload, at: int) -> None:
        number = payload["number"]
        run = self._run(f"trial/{number}", f"trial {number:04d}", at, self._parent(at))
        if payload.get("search_score") is not None:
            score = payload["search_score"]
            ends = {"search_score": score, **(payload.get("measures") or {})}
            self._client.log_batch(run, metrics=[Metric(name, value, at, 0) for name, value in ends.items()])
            name, step = (
                ("random_arm_score", number - RANDOM_ARM_FROM) if _of_the_arm(number) else ("search_score", number)
            )
            self._client.log_batch(self._parent(at), metrics=[Metric(name, score, at, step)])
        self._client.set_tag(run, "archsmith.state", payload["state"])
        if payload.get("reason"):
            self._client.set_tag(run, "archsmith.reason", payload["reason"])
        self._end(run, payload["state"], at)

    def _finalist_ended(self, payload: Payload, at: int) -> None:
        rank, seed = payload["rank"], payload["seed"]
        # A job that was continued after its end trains finalists of the same ranks again; a run's params are for good.
        again = f"/{payload['round']}" if payload.get("round") else ""
        run = self._run(f"finalist/{rank}/{seed}{again}", f"finalist {rank} seed {seed}{again}", at, self._parent(at))
        self._client.log_batch(run, params=_params({"rank": rank, "seed": seed, "trial": payload["trial_number"]}))
        if payload.get("test_score") is not None:
            self._client.log_batch(run, metrics=[Metric("final_score", payload["test_score"], at, 0)])
        self._end(run, payload["state"], at)

    def _job_ended(self, payload: Payload, at: int) -> None:
        run = self._parent(at)
        if payload.get("final_score") is not None:
            self._client.log_batch(run, metrics=[Metric("final_score", payload["final_score"], at, 0)])
        for tag in ("reason", "stopped_because"):
            if payload.get(tag):
                self._client.set_tag(run, f"archsmith.{tag}", payload[tag])
        if (self._folder / "bundle").is_dir():
            self._register(run, at)
        self._end(run, payload["state"], at)

    def _register(self, run: str, at: int) -> None:
        """The bundle as artifacts and as one version of the registered model named after the job.

        With the files of `workers.tracking.mlmodel` beside them the version can be loaded by `mlflow.pyfunc`.
        """
        folder = self._folder / "bundle"
        self._client.log_artifacts(run, str(folder), "bundle")
        compress = self._ledger.job(self._job_id).spec.compress
        if compress is not None and compress.of is not None:
            return  # the bundle's main network is the first job's, which is registered already
        for path, text in mlflow_files(folder, run=run, at=at).items():
            self._client.log_text(run, text, f"bundle/{path}")
        self._report(run, at)
        name = f"archsmith-{self._ledger.job(self._job_id).name}"
        with contextlib.suppress(MlflowException):  # it exists already: an earlier job of the same name
            self._client.create_registered_model(name)
        tags = {"archsmith.job": self._job_id, "archsmith.round": str(self._ledger.job(self._job_id).rounds)}
        made = self._client.search_model_versions(f"run_id = '{run}'")
        if not any(version.tags.get("archsmith.round", "0") == tags["archsmith.round"] for version in made):
            source = f"runs:/{run}/bundle"
            self._client.create_model_version(name, source, run_id=run, tags=tags, await_creation_for=0)

    def _report(self, run: str, at: int) -> None:
        """What the scores are, all of them on the test split, and the gains in words. Errors are in targets' units."""
        report = json.loads((self._folder / "bundle" / "report.json").read_text())
        self._client.set_tag(run, "archsmith.score", report["score"])
        self._client.set_tag(run, "archsmith.problem", report["dataset"].get("problem", "classification"))
        measures = [Metric(f"final_{name}", value, at, 0) for name, value in report.get("measures", {}).items()]
        self._client.log_batch(run, metrics=measures)
        for name, gain in report.get("gains", {}).items():
            self._client.set_tag(run, f"archsmith.gain_{name}", gain["words"])

    def _end(self, run: str, state: str, at: int) -> None:
        self._client.set_terminated(run, _status(state), end_time=at)


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
            folder = self._settings.job_folder(self._job_id)
            self._tracker = MlflowTracker(self._settings.mlflow_url, self._ledger, self._job_id, folder)
        while rows := self._ledger.outbox(self._job_id, limit=200):
            self._tracker.deliver(rows)
            self._ledger.acknowledge([row.id for row in rows])

    def finish(self, timeout_s: float) -> None:
        """Deliver what is left, for at most `timeout_s` seconds; the rest stays in the outbox."""
        self._finish.set()
        self.join(timeout=timeout_s)


def _batch_key(row: OutboxRow) -> int | None:
    return int(row.payload["number"]) if row.kind == "measurement" else None


def _of_the_arm(number: int) -> bool:
    return number >= RANDOM_ARM_FROM


def _millis(row: OutboxRow) -> int:
    return int(row.at.timestamp() * 1000)


def _params(values: Payload) -> list[Param]:
    return [Param(str(name)[:250], str(value)[:6000]) for name, value in values.items()][:100]


def _flat(document: Payload, prefix: str = "") -> Payload:
    flat: Payload = {}
    for key, value in document.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _status(state: str) -> str:
    return RUN_STATUS.get(state, "FAILED")


def deliver_leftovers(settings: Settings, ledger: Ledger, job_ids: Iterable[str]) -> None:
    """Deliver the outbox of jobs that no longer have a driver."""
    for job_id in job_ids:
        writer = OutboxWriter(settings, ledger, job_id)
        writer.start()
        writer.finish(timeout_s=300)
