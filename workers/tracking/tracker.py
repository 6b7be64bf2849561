"""MLflow as a view of the ledger: the outbox rows of one job become runs, metrics, files and a registered model.

    job -> parent run · trial -> child run (decisions as params once, a metric per epoch, architecture.json and .svg)
    final training -> run below its trial's · end -> description, bundle as artifacts, registered model

Delivery is at least once, and repeating it changes nothing: runs are found again by their key, params and metrics are
the same rows (same step and time).
"""

import contextlib
import itertools
import json
import logging
import os
from collections.abc import Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from search.ledger import Ledger, OutboxRow
from search.trial import RANDOM, RANDOM_ARM, RANDOM_ARM_FROM
from space.architecture import Architecture
from space.picture.drawing import draw
from workers.settings import Settings
from workers.tracking import naming
from workers.tracking.about import dataset_input, description
from workers.tracking.registry import register

log = logging.getLogger(__name__)

EXPERIMENT = "archsmith"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # else the pages open on language-model traces
BATCH = 500
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # The outbox is the retry: it looks for a run before it creates one. The client's own retry of a request that was
    # only slow makes a second run, and seven tries would block for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
RUN_STATUS = {"completed": "FINISHED", "pruned": "FINISHED", "succeeded": "FINISHED", "cancelled": "KILLED"}
NOTE = "mlflow.note.content"
ROLES = {RANDOM: "random", RANDOM_ARM: "random", "prior": "prior", "baseline": "baseline", "user": "user"}
"""Provenance of a trial -> the tag `archsmith.role` of its run; all others are "trial"."""

Payload = dict[str, Any]


class MlflowTracker:
    """Writes one job's outbox rows to MLflow. Raises MlflowException when the server does not answer."""

    def __init__(self, settings: Settings, ledger: Ledger, job_id: str) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._settings, self._ledger, self._job_id = settings, ledger, job_id
        self._client = MlflowClient(tracking_uri=settings.mlflow_url, registry_uri=settings.mlflow_url)
        self._folder = settings.job_folder(job_id)
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
            "job_continued": self._job_continued,
            "trial_started": self._trial_started,
            "trial_ended": self._trial_ended,
            "incumbent": self._incumbent,
            "finalist_ended": self._finalist_ended,
            "job_ended": self._job_ended,
        }.get(row.kind)
        if handler is None:
            log.warning("outbox row %d of unknown kind %s", row.id, row.kind)
        else:
            handler(row.payload, _millis(row))

    # ---- runs

    def _run(self, key: str, name: str, at: int, parent: str | None = None, **tags: str) -> str:
        """The run of `key` ("job", "trial/3"): known, found by its tag after a crash, or created now."""
        run_id = self._known(key)
        if run_id is None:
            tags = {"archsmith.job": self._job_id, "archsmith.key": key, **tags}
            if parent:
                tags["mlflow.parentRunId"] = parent
            run = self._client.create_run(self._experiment_id(), run_name=name, start_time=at, tags=tags)
            run_id = str(run.info.run_id)
        if key not in self._runs:
            self._ledger.set_run(self._job_id, key, run_id)
            self._runs[key] = run_id
        return run_id

    def _known(self, key: str) -> str | None:
        if key in self._runs:
            return self._runs[key]
        found = self._search(f" and tags.`archsmith.key` = '{key}'", most=1)
        return found[0] if found else None

    def _search(self, more: str = "", *, most: int = 1000) -> list[str]:
        """Ids of this job's runs."""
        query = f"tags.`archsmith.job` = '{self._job_id}'{more}"
        found = self._client.search_runs([self._experiment_id()], filter_string=query, max_results=most)
        return [str(run.info.run_id) for run in found]

    def _remove_doubles(self) -> None:
        """Runs that a slow server created after the request for them was given up."""
        for run_id in set(self._search()) - set(self._runs.values()):
            self._client.delete_run(run_id)

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

    def _trial(self, number: int, at: int) -> str:
        return self._run(f"trial/{number}", naming.trial(number), at, self._parent(at))

    # ---- what happened

    def _job_started(self, payload: Payload, at: int) -> None:
        run = self._run("job", naming.job(payload["name"], payload["dataset"], self._job_id), at)
        spec = {k: v for k, v in payload["spec"].items() if k != "space"}
        params = {**_flat(spec), "space": payload["spec"]["space"].get("name", "custom")}
        self._client.log_batch(run, params=_params(params))
        self._client.log_text(run, json.dumps(payload["spec"], indent=2), "job.json")
        given = dataset_input(self._settings.datasets, payload["dataset"])
        if given is not None:
            self._client.log_inputs(run, datasets=[given])
        self._client.set_tag(run, NOTE, description(self._ledger.job(self._job_id), run))
        self._client.update_run(run, status="RUNNING")

    def _job_continued(self, payload: Payload, at: int) -> None:
        run = self._parent(at)
        self._client.set_tag(run, "archsmith.round", str(payload["round"]))
        self._client.update_run(run, status="RUNNING")

    def _trial_started(self, payload: Payload, at: int) -> None:
        number, provenance = payload["number"], payload["provenance"]
        name = naming.trial(number, provenance=provenance, params=payload["params"])
        role = ROLES.get(provenance, "trial")
        run = self._run(f"trial/{number}", name, at, self._parent(at), **{"archsmith.role": role})
        if self._client.get_run(run).data.params:
            return  # a second attempt, or a repeated delivery
        architecture = Architecture.from_json(payload["architecture"])
        about = {"hash": payload["hash"], "provenance": provenance}
        self._client.log_text(run, json.dumps(payload["architecture"], indent=1), "architecture.json")
        self._client.log_text(run, draw(architecture, title=naming.trial(number)), "architecture.svg")
        costs = [Metric(name, payload[name], at, 0) for name in ("params", "macs")]
        self._client.log_batch(run, params=_params({**about, **payload["choices"]}), metrics=costs)

    def _measurements(self, number: int, rows: Sequence[OutboxRow]) -> None:
        run = self._trial(number, _millis(rows[0]))
        metrics = [
            Metric(name, row.payload[name], _millis(row), row.payload["epoch"])
            for row in rows
            for name in ("score", "train_loss", "seconds")
            if row.payload.get(name) is not None
        ]
        for start in range(0, len(metrics), BATCH):
            self._client.log_batch(run, metrics=metrics[start : start + BATCH])

    def _trial_ended(self, payload: Payload, at: int) -> None:
        number, score = payload["number"], payload.get("search_score")
        run = self._trial(number, at)
        if score is not None:
            ends = {"search_score": score, **(payload.get("measures") or {})}
            self._client.log_batch(run, metrics=[Metric(name, value, at, 0) for name, value in ends.items()])
            if number >= RANDOM_ARM_FROM:
                step = number - RANDOM_ARM_FROM
                self._client.log_batch(self._parent(at), metrics=[Metric("random_arm_score", score, at, step)])
        told = {"state": payload["state"], "reason": payload.get("reason")}
        for tag, text in told.items():
            if text:
                self._client.set_tag(run, f"archsmith.{tag}", text)
        if "params" in payload:  # rows of an older version lack it
            how = {"provenance": payload["provenance"], "params": payload["params"], "state": payload["state"]}
            self._client.update_run(run, name=naming.trial(number, score=score, **how))
        self._end(run, payload["state"], at)

    def _incumbent(self, payload: Payload, at: int) -> None:
        """The best so far, a step for each ended trial; by time the points are charted as well."""
        best = {"best_score": payload["search_score"], "incumbent_params": payload["params"]}
        metrics = [Metric(name, value, at, payload["ended"]) for name, value in best.items() if value is not None]
        self._client.log_batch(self._parent(at), metrics=metrics)

    def _finalist_ended(self, payload: Payload, at: int) -> None:
        rank, seed, trial = payload["rank"], payload["seed"], payload["trial_number"]
        # A job that was continued after its end trains finalists of the same ranks again; a run's params are for good.
        again = f"/{payload['round']}" if payload.get("round") else ""
        role = payload.get("role", "finalist")
        name = naming.final(role, rank=rank, seed=seed, trial=trial) + again
        began = at - round(1000 * payload.get("seconds", 0.0))
        parent = self._known(f"trial/{trial}") or self._parent(at)
        key, tags = f"finalist/{rank}/{seed}{again}", {"archsmith.role": f"final_{role}"}
        run = self._run(key, name, began, parent, **tags)
        self._client.log_batch(run, params=_params({"rank": rank, "seed": seed, "trial": trial}))
        if payload.get("test_score") is not None:
            about = self._ledger.trial(self._job_id, trial)
            found = {"final_score": payload["test_score"], "params": about.params, "macs": about.macs}
            found |= {} if about.search_score is None else {"search_score": about.search_score}
            self._client.log_batch(run, metrics=[Metric(name, value, at, 0) for name, value in found.items()])
            self._client.log_batch(parent, metrics=[Metric("final_score", payload["test_score"], at, seed)])
        self._end(run, payload["state"], at)

    def _job_ended(self, payload: Payload, at: int) -> None:
        run, job = self._parent(at), self._ledger.job(self._job_id)
        if payload.get("final_score") is not None:
            # Of the trial's own run the last seed's is there; the job's is the mean over its seeds.
            self._client.log_batch(run, metrics=[Metric("final_score", payload["final_score"], at, 0)])
        for tag in ("reason", "stopped_because"):
            if payload.get(tag):
                self._client.set_tag(run, f"archsmith.{tag}", payload[tag])
        if (self._folder / "bundle").is_dir():
            self._client.log_artifacts(run, str(self._folder / "bundle"), "bundle")
            register(self._client, job, self._folder / "bundle", run=run, at=at)
        self._client.set_tag(run, NOTE, description(job, run))
        self._end(run, payload["state"], at)
        self._remove_doubles()

    def _end(self, run: str, state: str, at: int) -> None:
        self._client.set_terminated(run, RUN_STATUS.get(state, "FAILED"), end_time=at)


def _batch_key(row: OutboxRow) -> int | None:
    return int(row.payload["number"]) if row.kind == "measurement" else None


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
