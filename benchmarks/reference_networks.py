"""A hand-made ResNet given the same time on the same processors as a whole job, and how the job compares with it.

    python -m benchmarks.reference_networks --only fashion --seconds 1800 [--whole] [--job] [--job-first] [--seed 0]
                                            [--rows build/budgets.json] [--data ../shared/data] [--json OUT]

The network (`_resnet.py`, plain PyTorch) is trained for --seconds on all processors and measured once on the test
split. It learns from the search's training split and tells its validation score along the way; with --whole it learns
from both, as the final trainings of a job do, which is the fair opponent. --job runs archsmith with that budget and all
defaults as well, after the network or with --job-first before it; without it the job is looked up among the finished
rows of `benchmarks.budgets`. Finished networks are kept in --json and not trained again.

The table's row "within 0.003 at 30 minutes, above it at 60, at least 0.940" is
`python -m benchmarks.reference_networks --only fashion --seconds 1800 3600 --whole --job --json build/resnet.json`.
"""

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from archsmith.client import Client
from benchmarks._jobs import measured
from benchmarks._resnet import Recipe, accuracy, train
from benchmarks._results import Results
from benchmarks._service import running
from benchmarks._sources import SOURCES, add_data, registered
from benchmarks._trainings import CASES, opened
from benchmarks._verdicts import Verdict, status, table, verdict_table
from workers.datasets import Dataset

HOW: dict[str, dict[str, Any]] = {
    "fashion": {},
    "trashnet": {"batch": 32, "shift": 6},
    "digits": {"batch": 32, "shift": 1, "mirror": False},
}
"""What differs from the network's own defaults. Mirrored digits are other digits or none."""
WITHIN, LONG_S, ABSOLUTE = 0.003, 3600.0, 0.940
"""Of the requirement on Fashion-MNIST."""


def network(name: str, seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    """Trains one; returns its row."""
    folder = options.folder
    case = replace(CASES[name], image_size=SOURCES[name].image_size)
    dataset = opened(case, data=options.data, folder=folder, seed=options.seed)
    split = dataset.final_train if options.whole else dataset.search_train
    held_out = None if options.whole else normalised(dataset, dataset.search_val)
    recipe = Recipe(seconds=seconds, seed=options.seed, threads=options.threads, **HOW[name])
    module, told, passes = train(*normalised(dataset, split), held_out, recipe)
    found = {
        "validation": told,
        "test": accuracy(module, *normalised(dataset, dataset.test)),
        "passes": passes,
        "trained_on": len(split),
    }
    print(f"{name}, {seconds:g} s: {json.dumps(found)}", flush=True)
    return found


def normalised(dataset: Dataset, split: Any) -> tuple[torch.Tensor, torch.Tensor]:
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (dataset.mean, dataset.std))
    x = (torch.from_numpy(split.x).float() - mean) / std
    return x.contiguous(memory_format=torch.channels_last), torch.from_numpy(split.y).long()


def job(client: Client, name: str, seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    registered(client, SOURCES[name], options.data)
    request = {"dataset": name, "space": SOURCES[name].space, "seed": options.seed, "budget": {"seconds": seconds}}
    return measured(client, {"name": f"{name}-{seconds:g}", **request}, budget_s=seconds)


def job_score(rows: dict[str, Any], name: str, seconds: float) -> float | None:
    """The mean final score of the finished jobs of this data set and budget."""
    found = [row["final_score"] for row in rows.values() if row["dataset"] == name and row["budget_s"] == seconds]
    scores = [score for score in found if score is not None]
    return statistics.fmean(scores) if scores else None


def judged(name: str, seconds: float, *, network: float | None, job: float | None) -> list[Verdict]:
    """Up to LONG_S the job may be WITHIN below the network, from there on it must be above it."""
    what, both = f"{name}, {seconds:g} s: job against ResNet", job is not None and network is not None
    apart = job - network if job is not None and network is not None else 0.0
    said = f"{job:.4f} - {network:.4f} = {apart:+.4f}" if both else "-"
    long = seconds >= LONG_S
    met = (apart > 0 if long else apart >= -WITHIN) if both else None
    verdicts = [Verdict(what=what, measured=said, required="> 0" if long else f">= -{WITHIN}", met=met)]
    if name == "fashion" and long:
        found = None if job is None else job >= ABSOLUTE
        said = "-" if job is None else f"{job:.4f}"
        verdicts.append(Verdict(what=f"{name}, {seconds:g} s", measured=said, required=f">= {ABSOLUTE:.3f}", met=found))
    return verdicts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(HOW), default=["fashion"])
    parser.add_argument("--seconds", type=float, nargs="+", default=[1800.0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: all processors")
    parser.add_argument("--whole", action="store_true", help="learn from the validation split as well")
    parser.add_argument("--job", action="store_true", help="run archsmith too")
    parser.add_argument("--job-first", action="store_true", help="and do so before the network")
    parser.add_argument("--rows", type=Path, default=Path("build/budgets.json"), help="finished jobs")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "archsmith-benchmarks")
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--state", type=Path, help="keep the service's state here")
    parser.add_argument("--json", type=Path)
    add_data(parser)
    options = parser.parse_args()
    results, rows = Results(options.json), Results(options.rows).rows
    verdicts, lines = [], []
    for name in options.only:
        for seconds in options.seconds:
            found = both(name, seconds, results, options)
            mine = found["job"]["final_score"] if "job" in found else job_score(rows, name, seconds)
            verdicts += judged(name, seconds, network=found["network"]["test"], job=mine)
            along = ", ".join(f"{score:.4f} at {at:.0f} s" for at, score in found["network"]["validation"])
            lines.append((name, seconds, found["network"]["passes"], along, found["network"]["test"], mine))
    print(table(("data", "seconds", "passes", "validation", "ResNet, test", "job, test"), lines))
    print(verdict_table(verdicts))
    return status(verdicts)


def both(name: str, seconds: float, results: Results, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The rows "network" and, where it is asked for, "job", in the order that is asked for."""
    key = f"{name}-{seconds:g}-{options.seed}"
    parts = ["network", "job"] if options.job or options.job_first else ["network"]
    found = {}
    for part in reversed(parts) if options.job_first else parts:
        if part == "network":
            kind = "whole" if options.whole else "held-out"
            found[part] = results.row(f"network-{kind}-{key}", partial(network, name, seconds, options))
        elif f"job-{key}" in results.rows:
            found[part] = results.rows[f"job-{key}"]
        else:
            with running(options) as url, Client(url) as client:
                found[part] = results.row(f"job-{key}", partial(job, client, name, seconds, options))
    return found


if __name__ == "__main__":
    sys.exit(main())
