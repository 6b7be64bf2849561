"""A running service and one search on it, for the benchmarks that go through the API."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from archsmith.client import Client
from archsmith.commands.progress import view
from archsmith.serving import service


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that `running` and `search` read."""
    parser.add_argument("--seconds", type=float, default=600.0, help="of each search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--state", type=Path, help="keep the service's state here")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()), help="folder for the bundles")
    parser.add_argument("--json", type=Path)


@contextmanager
def running(options: argparse.Namespace) -> Iterator[str]:
    """The address of the service at --url, or of one that lives as long as this."""
    if options.url:
        yield options.url
        return
    temporary = nullcontext(str(options.state)) if options.state else tempfile.TemporaryDirectory()
    with temporary as folder, service(Path(folder)) as url:
        yield url


def search(client: Client, request: dict[str, Any], out: Path) -> dict[str, Any]:
    """Submits a job, shows its progress, fetches its bundle as `out`/NAME.zip; returns what there is to say of it."""
    job = client.submit(**request)
    with view(sys.stdout) as shown:
        job = client.wait(job.id, on_update=shown.show)
    winner = next((t for t in client.trials(job.id) if job.best and t.number == job.best.trial), None)
    if job.state == "succeeded":
        out.mkdir(parents=True, exist_ok=True)
        client.download_bundle(job.id, out / f"{request['name']}.zip")
    return {
        "name": request["name"],
        "dataset": request["dataset"],
        "state": job.state,
        "reason": job.reason,
        "trials": job.progress.trials,
        "search_seconds": job.progress.seconds_used,
        "search_score": None if job.best is None else job.best.search_score,
        "final_score": job.final_score,
        "finalists": job.document.get("finalists"),
        "params": None if winner is None else winner.params,
    }
