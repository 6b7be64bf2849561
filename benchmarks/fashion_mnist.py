"""A whole search on Fashion-MNIST through the API: uploaded once, registered by path once, one job per controller.

    python -m benchmarks.fashion_mnist --data ../shared/data/fashion_mnist [--controllers tpe reinforce] [--seconds 600]
                                       [--space chain] [--epochs 4] [--json OUT]

Starts a service of its own, or uses the one at --url (which must have the folder below its data roots). Prints, for
each controller, what the search saw (search_score) and what the final training reached on the test split (final_score).
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from archsmith.client import Client
from archsmith.progress import view
from archsmith.serving import service

GOAL = 0.92


def register(client: Client, data: Path) -> list[str]:
    """The data set twice: sent as files, and by its path. Both must be the same data."""
    known = {d.name: d for d in client.datasets()}
    by_path = known.get("fashion-path") or client.register_dataset("fashion-path", "idx", str(data))
    sent = known.get("fashion") or client.upload_dataset("fashion", "idx", sorted(data.glob("*.gz")))
    print(f"uploaded {sent.name}, registered {by_path.name}", flush=True)
    return [sent.name, by_path.name]


def search(client: Client, dataset: str, controller: str, options: argparse.Namespace) -> dict[str, Any]:
    job = client.submit(
        name=f"fashion-{controller}",
        dataset=dataset,
        space=options.space,
        controller=controller,
        seed=options.seed,
        budget={"trials": options.trials, "seconds": options.seconds, "epochs": options.epochs},
        trial={"scheduler": options.scheduler},
        finalists={"top": 3, "seeds": 1, "epochs": options.final_epochs},
    )
    with view(sys.stdout) as shown:
        job = client.wait(job.id, on_update=shown.show)
    trials = list(client.trials(job.id))
    result = {
        "controller": controller,
        "dataset": dataset,
        "state": job.state,
        "reason": job.reason,
        "trials": job.progress.trials,
        "search_seconds": job.progress.seconds_used,
        "search_score": None if job.best is None else job.best.search_score,
        "final_score": job.final_score,
        "finalists": job.document.get("finalists"),
        "params": next((t.params for t in trials if job.best and t.number == job.best.trial), None),
    }
    if job.state == "succeeded":
        client.download_bundle(job.id, options.out / f"fashion-{controller}.zip")
    return result


@contextmanager
def running(options: argparse.Namespace) -> Iterator[str]:
    if options.url:
        yield options.url
        return
    os.environ["ARCHSMITH_DATA_ROOTS"] = str(options.data)
    temporary = nullcontext(str(options.state)) if options.state else tempfile.TemporaryDirectory()
    with temporary as folder, service(Path(folder)) as url:
        yield url


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")) / "fashion_mnist"
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--controllers", nargs="+", default=["tpe", "reinforce"])
    parser.add_argument("--space", default="chain")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--final-epochs", type=int, default=12)
    parser.add_argument("--scheduler", default="asha")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--url")
    parser.add_argument("--state", type=Path, help="keep the service's state here")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.data = options.data.absolute()
    if not options.data.is_dir():
        print(f"no Fashion-MNIST at {options.data}; name its folder with --data", file=sys.stderr)
        return 2
    results = []
    with running(options) as url, Client(url) as client:
        names = register(client, options.data)
        for number, controller in enumerate(options.controllers):
            results.append(search(client, names[number % 2], controller, options))
            print(json.dumps(results[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if all((r["final_score"] or 0) >= GOAL for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
