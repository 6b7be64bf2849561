"""What MLflow's pages tell about a job: its description in Markdown, and the data set as an input."""

import json
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag

from archsmith.errors import NotFound
from search.ledger import Job
from workers.datasets import DataStore


def description(job: Job, run: str) -> str:
    """The text on top of the job's page. run: id of its run, for the links to its files."""
    spec, space = job.spec, job.spec.space.get("name", "custom")
    lines = [f"Architecture search on **{spec.dataset}** in the space `{space}`, controller `{spec.controller.name}`."]
    if job.best_score is not None:
        lines.append(f"Best so far: trial {job.best_trial}, search score {job.best_score:.4f}.")
    if job.final_score is not None:
        lines.append(f"Final score on the test split: **{job.final_score:.4f}**.")
    if job.state.terminal:
        lines.append(f"The job {job.state}{f': {job.reason}' if job.reason else ''}.")
    if job.bundle_sha256 is not None:
        lines.append(f"![the architecture]({_file(run, 'architecture.svg')})")
        lines.append(f"[Report]({_file(run, 'report.html')}) · [the network's code]({_file(run, 'model.py')})")
    return "\n\n".join(lines)


def dataset_input(folder: Path, name: str) -> DatasetInput | None:
    """The data set as MLflow shows it; None where it has been removed since. folder: of the data sets."""
    try:
        info = DataStore(folder).describe(name)
    except NotFound:
        return None
    profile = {"train": info.train, "validation": info.val, "test": info.test, "classes": info.classes}
    schema = {"input_shape": list(info.input_shape), "dtype": info.dtype, "class_names": list(info.class_names)[:50]}
    found = Dataset(
        name=name,
        digest=info.sha256[:16],
        source_type="archsmith",
        source=json.dumps({"name": name, "format": info.format, "sha256": info.sha256}),
        schema=json.dumps(schema),
        profile=json.dumps(profile),
    )
    return DatasetInput(found, [InputTag("mlflow.data.context", "training")])


def _file(run: str, name: str) -> str:
    """Relative to MLflow's page, so that it holds under any public address."""
    return f"get-artifact?path=bundle%2F{name}&run_uuid={run}"
