"""The bundle of a job as one version of a registered model."""

import contextlib
import json
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from search.ledger import Job
from workers.tracking import naming
from workers.tracking.mlmodel import mlflow_files

CHAMPION = "champion"
SCORE = "archsmith.final_score"


def register(client: MlflowClient, job: Job, folder: Path, *, run: str, at: int) -> None:
    """One version for each round of a job, with the alias `champion` for the best final score of all versions.

    With the files of `workers.tracking.mlmodel` beside the bundle it can be loaded by `mlflow.pyfunc`. folder: of the
    bundle, which is an artifact of `run` already. at: milliseconds.
    """
    if job.spec.compress is not None and job.spec.compress.of is not None:
        return  # the bundle's main network is the first job's, which is registered already
    for path, text in mlflow_files(folder, run=run, at=at).items():
        client.log_text(run, text, f"bundle/{path}")
    tell(client, folder, run=run, at=at)
    model = naming.model(job.name, job.spec.dataset, job.id)
    with contextlib.suppress(MlflowException):  # it exists already: an earlier job of the same name
        client.create_registered_model(model, description=f"The best networks found on {job.spec.dataset}.")
    tags = {"archsmith.job": job.id, "archsmith.round": str(job.rounds)}
    if job.final_score is not None:
        tags[SCORE] = repr(job.final_score)
    made = client.search_model_versions(f"run_id = '{run}'")
    if not any(version.tags.get("archsmith.round", "0") == tags["archsmith.round"] for version in made):
        about = naming.job(job.name, job.spec.dataset, job.id)
        client.create_model_version(
            model, f"runs:/{run}/bundle", run_id=run, tags=tags, description=about, await_creation_for=0
        )
    _crown(client, model)


def tell(client: MlflowClient, folder: Path, *, run: str, at: int) -> None:
    """What the scores are, all of them on the test split, and the gains in words. Errors are in targets' units."""
    report = json.loads((folder / "report.json").read_text())
    client.set_tag(run, "archsmith.score", report["score"])
    client.set_tag(run, "archsmith.problem", report["dataset"].get("problem", "classification"))
    measures = [Metric(f"final_{name}", value, at, 0) for name, value in report.get("measures", {}).items()]
    client.log_batch(run, metrics=measures)
    for name, gain in report.get("gains", {}).items():
        client.set_tag(run, f"archsmith.gain_{name}", gain["words"])


def _crown(client: MlflowClient, model: str) -> None:
    scored = [
        (float(one.tags[SCORE]), int(one.version))
        for one in client.search_model_versions(f"name = '{model}'")
        if SCORE in one.tags
    ]
    if scored:
        client.set_registered_model_alias(model, CHAMPION, str(max(scored)[1]))
