"""The whole way in one go: serve, submit, watch, download, check."""

import json
import tempfile
import time
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from archsmith import programs, serving
from archsmith.client import Client
from archsmith.exceptions import ClientError
from archsmith.progress import view

TRIALS = 20
FINALISTS = {"top": 2, "seeds": 2, "fidelity": 0}
"""Fewer than a job has by default: the demo is to be over in two minutes."""


def run(url: str | None, *, folder: Path, trials: int = TRIALS, out: TextIO) -> Path:
    """Search on the digits, check the bundle, print what came out; returns the bundle's path.

    url: a service that runs already; None starts one of its own and stops it at the end.
    folder: gets a fresh folder for this run, with the service's state, its log and the bundle.
    Raises ClientError when the service does not start, the job does not succeed, or the bundle is not what it says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=folder.absolute()))
    if url is None:
        print("starting a service of its own: API, dispatcher, MLflow, Ray", file=out, flush=True)
    with serving.service(place / "state") if url is None else nullcontext(url) as base, Client(base) as client:
        job = client.submit(
            dataset="digits",
            name="demo",
            space="tiny",
            controller="tpe",
            budget={"trials": trials},
            finalists=FINALISTS,
        )
        print(f"job {job.id} at {base}; MLflow: {job.mlflow_url or 'see the job once it runs'}", file=out, flush=True)
        with view(out) as shown:
            job = client.wait(job.id, on_update=shown.show)
        if job.state != "succeeded":
            raise ClientError(f"the demo's job {job.state}: {job.reason or 'no reason given'}; its state is in {place}")
        bundle = client.download_bundle(job.id, place / "bundle.zip")
    report = check(bundle)
    for line in summary_lines(report):
        print(line, file=out)
    print(f"bundle: {bundle}", file=out, flush=True)
    return bundle


def check(bundle: Path) -> dict[str, Any]:
    """Hold a bundle to its word by `archsmith verify`; returns its report with `checks` added, one a form of the model.

    Raises ClientError that says what does not hold.
    """
    done = programs.run("verify", [str(bundle), "--json"], capture_output=True)
    try:
        checks = [json.loads(line) for line in done.stdout.splitlines()]
    except ValueError:
        checks = []
    wrong = [f"{one['what']} {one['detail']}" for one in checks if one["ok"] is False]
    if done.returncode != 0 or not checks:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ClientError(f"the bundle is not what it says: {'; '.join(wrong) or last}")
    with zipfile.ZipFile(bundle) as archive:
        report: dict[str, Any] = json.loads(archive.read("report.json"))
    return {**report, "checks": checks}


def summary_lines(report: dict[str, Any]) -> list[str]:
    """What the report says, for a terminal."""
    trials, forms = report["trials"], [one["what"] for one in report["checks"] if one["ok"]]
    ends = ", ".join(f"{count} {state}" for state, count in trials.items() if count)
    return [
        f"searched {sum(trials.values())} architectures: {ends}",
        f"search score {report['search_score']:.4f} (validation split, short training)",
        f"final score {report['final_score']:.4f} (test split, full training, each measured once)",
        *(gain["words"] for gain in report.get("gains", {}).values()),
        f"the bundle holds its word: {', '.join(forms)}",
    ]
