"""A whole run of the service: serve, submit, watch, download, check."""

import json
import tempfile
import time
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from archsmith import programs, serving
from archsmith.client import Client
from archsmith.commands.progress import view
from archsmith.exceptions import ClientError

TRIALS = 20
SECONDS = 120
"""Of the whole job, from its start to its bundle."""
FINALISTS = {"top": 2, "seeds": 2, "fidelity": 0}


def run(url: str | None, *, folder: Path, trials: int = TRIALS, out: TextIO) -> Path:
    """Search on the digits data set, check the bundle and print the results; returns the bundle's path.

    url: a running service; None starts one and stops it at the end.
    folder: a new folder for this run is made in it, with the service's state, its log and the bundle.
    Raises ClientError if the service does not start, the job does not succeed, or the bundle fails its checks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=folder.absolute()))
    if url is None:
        print("starting a service for the demo: API, dispatcher, MLflow, Ray", file=out, flush=True)
    with serving.service(place / "state") if url is None else nullcontext(url) as base, Client(base) as client:
        job = client.submit(
            dataset="digits",
            name="demo",
            space="tiny",
            controller="tpe",
            budget={"seconds": SECONDS, "trials": trials},
            finalists=FINALISTS,
        )
        print(
            f"job {job.id} at {base}; MLflow: {job.mlflow_url or 'shown in the job once it runs'}", file=out, flush=True
        )
        with view(out) as shown:
            job = client.wait(job.id, on_update=shown.show)
        if job.state != "succeeded":
            raise ClientError(
                f"the demo's job is {job.state}: {job.reason or 'no reason given'}; its logs are in {place}"
            )
        bundle = client.download_bundle(job.id, place / "bundle.zip")
    report = check(bundle)
    for line in summary_lines(report):
        print(line, file=out)
    print(f"bundle: {bundle}", file=out, flush=True)
    return bundle


def check(bundle: Path) -> dict[str, Any]:
    """Run `archsmith verify` on a bundle; returns the bundle's report, with the results as `checks`.

    Raises ClientError that names the checks which failed.
    """
    done = programs.run("verify", [str(bundle), "--json"], capture_output=True)
    try:
        checks = [json.loads(line) for line in done.stdout.splitlines()]
    except ValueError:
        checks = []
    failed = [f"{check['what']} {check['detail']}" for check in checks if check["ok"] is False]
    if done.returncode != 0 or not checks:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ClientError(f"the bundle {bundle} failed its checks: {'; '.join(failed) or last}")
    with zipfile.ZipFile(bundle) as archive:
        report: dict[str, Any] = json.loads(archive.read("report.json"))
    return {**report, "checks": checks}


def summary_lines(report: dict[str, Any]) -> list[str]:
    """The main figures of a report with `checks`, for a terminal."""
    trials, passed = report["trials"], [check["what"] for check in report["checks"] if check["ok"]]
    ends = ", ".join(f"{count} {state}" for state, count in trials.items() if count)
    return [
        f"searched {sum(trials.values())} architectures: {ends}",
        f"search score {report['search_score']:.4f} (validation split, short training)",
        f"final score {report['final_score']:.4f} (test split, full training, each measured once)",
        *(gain["words"] for gain in report.get("gains", {}).values()),
        f"checks passed: {', '.join(passed)}",
    ]
