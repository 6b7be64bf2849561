"""A whole search on Fashion-MNIST through the API: uploaded once, registered by path once, one job per controller.

    python -m benchmarks.fashion_mnist --data ../shared/data/fashion_mnist [--controllers tpe reinforce] [--seconds 600]
                                       [--space chain] [--seeds 3] [--report] [--json OUT]

Starts a service of its own, or uses the one at --url (which must have the folder below its data roots). Prints, for
each controller, what the search saw (search_score) and what the final training reached on the test split (final_score);
with several seeds also the mean of a controller's final scores and its 95 % interval (Student's t over the searches).
"""

import argparse
import itertools
import json
import math
import os
import statistics
import sys
from pathlib import Path
from typing import Any

from scipy.stats import t

from archsmith.client import Client
from benchmarks._service import add_arguments, running, search

GOAL = 0.92
ALONE = {"top": 1, "seeds": 1, "baseline": False, "random_arm": False, "fidelity": 0}
"""What a search finds, and nothing to compare it with."""


def register(client: Client, data: Path) -> list[str]:
    """The data set twice: sent as files, and by its path. Both must be the same data."""
    known = {d.name: d for d in client.datasets()}
    by_path = known.get("fashion-path") or client.register_dataset("fashion-path", "idx", str(data))
    sent = known.get("fashion") or client.upload_dataset("fashion", "idx", sorted(data.glob("*.gz")))
    print(f"uploaded {sent.name}, registered {by_path.name}", flush=True)
    return [sent.name, by_path.name]


def request(dataset: str, controller: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "name": f"fashion-{controller}-{seed}",
        "dataset": dataset,
        "space": options.space,
        "controller": controller,
        "seed": seed,
        "budget": {"trials": options.trials, "seconds": options.seconds},
        "trial": {"scheduler": options.scheduler},
        "finalists": {"epochs": options.final_epochs, **({} if options.report else ALONE)},
    }


def told(results: list[dict[str, Any]]) -> str:
    """One line a controller."""
    by_controller: dict[str, list[float]] = {}
    for result in results:
        by_controller.setdefault(result["controller"], []).append(result["final_score"] or math.nan)
    lines = []
    for controller, scores in by_controller.items():
        mean, count = statistics.fmean(scores), len(scores)
        half = t.ppf(0.975, count - 1) * statistics.stdev(scores) / math.sqrt(count) if count > 1 else math.nan
        found = ", ".join(f"{score:.4f}" for score in scores)
        lines.append(f"{controller}: {mean:.4f} ± {half:.4f} ({found})")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")) / "fashion_mnist"
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--controllers", nargs="+", default=["tpe", "reinforce"])
    parser.add_argument("--space", default="chain")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--final-epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=1, help="searches of each controller, from --seed on")
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
        for seed, (number, controller) in itertools.product(
            range(options.seed, options.seed + options.seeds), enumerate(options.controllers)
        ):
            made = search(client, request(names[number % 2], controller, seed, options), options.out)
            results.append({"controller": controller, "seed": seed, **made})
            print(json.dumps(results[-1]), flush=True)
            if options.json:
                options.json.write_text(json.dumps(results, indent=2) + "\n")
    if options.seeds > 1:
        print(told(results))
    return 0 if all((r["final_score"] or 0) >= GOAL for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
