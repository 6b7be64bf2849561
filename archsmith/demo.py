"""The whole way in one go: serve, submit, watch, download, check."""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from archsmith import serving, torch_only
from archsmith.client import Client
from archsmith.progress import view
from archsmith.refusals import ClientError

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
    report = check(bundle, place / "bundle")
    for line in summary_lines(report):
        print(line, file=out)
    print(f"bundle: {bundle}", file=out, flush=True)
    return bundle


def check(bundle: Path, folder: Path) -> dict[str, Any]:
    """Unpack a bundle into `folder` and hold it to its word; returns its report with `opened` added.

    Every file against SHA256SUMS, then the model built, loaded and run where torch is the only package.
    Raises ClientError that says what does not hold.
    """
    folder.mkdir(parents=True)
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            if Path(name).name != name:
                raise ClientError(f"{bundle} holds a file outside its own folder: {name!r}")
        archive.extractall(folder)
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for path in sorted(folder.iterdir()):
        if path.name != "SHA256SUMS" and hashlib.sha256(path.read_bytes()).hexdigest() != sums.pop(path.name, None):
            raise ClientError(f"{path.name} of {bundle} differs from its line in SHA256SUMS")
    if sums:
        raise ClientError(f"{bundle} lacks {', '.join(sorted(sums))}")
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return {**report, "opened": open_with_torch_only(folder)}


def open_with_torch_only(folder: Path) -> dict[str, Any]:
    """Build, load and run the model in a fresh interpreter that can import torch, and nothing else of this one's."""
    command = [sys.executable, "-I", "-B", torch_only.__file__, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ClientError(f"the bundle does not open with torch alone: {last}")
    opened: dict[str, Any] = json.loads(done.stdout)
    return opened


def summary_lines(report: dict[str, Any]) -> list[str]:
    """What the report says, for a terminal."""
    opened, trials = report["opened"], report["trials"]
    ends = ", ".join(f"{count} {state}" for state, count in trials.items() if count)
    return [
        f"searched {sum(trials.values())} architectures: {ends}",
        f"search score {report['search_score']:.4f} (validation split, short training)",
        f"final score {report['final_score']:.4f} (test split, full training, each measured once)",
        *(gain["words"] for gain in report.get("gains", {}).values()),
        f"the bundle is whole and opens with torch alone ({opened['parameters']:,} parameters)",
    ]
