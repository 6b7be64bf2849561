"""A whole search on Fashion-MNIST through the API: uploaded once, registered by path once, one job per controller.

    python -m benchmarks.fashion_mnist --data ../shared/data/fashion_mnist [--controllers tpe reinforce] [--seconds 600]
                                       [--space chain] [--epochs 4] [--report] [--json OUT]

Starts a service of its own, or uses the one at --url (which must have the folder below its data roots). Prints, for
each controller, what the search saw (search_score) and what the final training reached on the test split (final_score).
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from archsmith.client import Client
from benchmarks._service import add_arguments, running, search

GOAL = 0.92
ALONE = {"seeds": 1, "baseline": False, "random_arm": False, "fidelity": 0}
"""What a search finds, and nothing to compare it with."""


def register(client: Client, data: Path) -> list[str]:
    """The data set twice: sent as files, and by its path. Both must be the same data."""
    known = {d.name: d for d in client.datasets()}
    by_path = known.get("fashion-path") or client.register_dataset("fashion-path", "idx", str(data))
    sent = known.get("fashion") or client.upload_dataset("fashion", "idx", sorted(data.glob("*.gz")))
    print(f"uploaded {sent.name}, registered {by_path.name}", flush=True)
    return [sent.name, by_path.name]


def request(dataset: str, controller: str, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "name": f"fashion-{controller}",
        "dataset": dataset,
        "space": options.space,
        "controller": controller,
        "seed": options.seed,
        "budget": {"trials": options.trials, "seconds": options.seconds, "epochs": options.epochs},
        "trial": {"scheduler": options.scheduler},
        "finalists": {"epochs": options.final_epochs, **({} if options.report else ALONE)},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")) / "fashion_mnist"
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--controllers", nargs="+", default=["tpe", "reinforce"])
    parser.add_argument("--space", default="chain")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--final-epochs", type=int, default=12)
    parser.add_argument("--scheduler", default="asha")
    parser.add_argument("--report", action="store_true", help="with random arm, baseline and all seeds: twice as long")
    add_arguments(parser)
    options = parser.parse_args()
    options.data = options.data.absolute()
    if not options.data.is_dir():
        print(f"no Fashion-MNIST at {options.data}; name its folder with --data", file=sys.stderr)
        return 2
    os.environ["ARCHSMITH_DATA_ROOTS"] = str(options.data)  # before the service starts
    results = []
    with running(options) as url, Client(url) as client:
        names = register(client, options.data)
        for number, controller in enumerate(options.controllers):
            made = search(client, request(names[number % 2], controller, options), options.out)
            results.append({"controller": controller, **made})
            print(json.dumps(results[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if all((r["final_score"] or 0) >= GOAL for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
