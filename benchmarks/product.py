"""From one HTTP request to the finished product, for digits, Fashion-MNIST and TrashNet: search, report, smaller model.

    python -m benchmarks.product [--only digits] [--data ../shared/data] [--seconds 300] [--out FOLDER] [--json OUT]

Each job searches with `auto`, trains its finalists beside the baseline and the best of a random arm of equal cost, and
makes the winner smaller. What is told is read from the bundles, after `archsmith verify` has gone through them. Starts
a service of its own, or uses the one at --url.
"""

import argparse
import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

from archsmith import demo
from archsmith.client import Client
from benchmarks._service import add_arguments, running, search
from benchmarks.kinds import CASES, dataset_of

FINALISTS = {"top": 2, "seeds": 2, "fidelity": 4}
SHORT = [
    {"name": "prune_structured", "share": 0.3, "rounds": 1},
    {"name": "prune_magnitude", "rounds": 1, "epochs": 1},
    {"name": "cluster", "epochs": 1},
    "huffman",
]
JOBS: dict[str, dict[str, Any]] = {
    "digits": {
        "space": "tiny",
        "budget": {"trials": 30, "epochs": 6},
        "finalists": {**FINALISTS, "seeds": 3, "epochs": 20},
    },
    "fashion-mnist": {
        "space": "tiny",
        "budget": {"trials": 100, "epochs": 1},
        "finalists": {**FINALISTS, "fidelity": 0, "epochs": 4},
        "compress": {"steps": SHORT},
    },
    "trashnet": {
        "space": "chain",
        "budget": {"trials": 40, "epochs": 4},
        "trial": {"scheduler": "asha", "batch_size": 32},
        "finalists": {**FINALISTS, "fidelity": 0, "epochs": 12},
        "compress": {"steps": SHORT},
    },
}
"""What a job asks for beside data set, controller and seconds: an epoch of Fashion-MNIST takes half a core-minute."""


def request(name: str, dataset: str, options: argparse.Namespace) -> dict[str, Any]:
    job = JOBS[name]
    compress = {"max_drop": 0.01, **job.get("compress", {})}
    if options.steps:
        compress["steps"] = options.steps
    return {
        "name": name,
        "dataset": dataset,
        "controller": options.controller,
        "seed": options.seed,
        **job,
        "budget": {**job["budget"], "seconds": options.seconds},
        "compress": compress,
    }


def told(report: dict[str, Any]) -> list[str]:
    """What a report says, line by line."""
    lines = demo.summary_lines(report)
    lines += [f"warning: {warning}" for warning in report["warnings"]]
    lines += [f"{cost['phase']}: {cost['seconds']:.0f} s" for cost in report["costs"]]
    small = report["compression"] or {"failed": "not asked for"}
    if "failed" in small:
        return [*lines, f"not made smaller: {small['failed']}"]
    kept = ", ".join(step["name"] for step in small["steps"] if step["kept"])
    lines.append(f"{kept}: {small['bytes_before']:,} to {small['bytes']:,} bytes, {small['smaller']:.1f} times smaller")
    lines.append(
        f"{small['latency_before_ms']:.3f} to {small['latency_ms']:.3f} ms, {small['faster']:.2f} times faster"
    )
    lines.append(f"score {small['final_score']:.4f} on the test split, {small['lost']:.4f} lost")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")))
    parser.add_argument("--only", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--controller", default="auto")
    parser.add_argument("--steps", nargs="+", help="of the compression; the usual ones")
    add_arguments(parser)
    parser.set_defaults(seconds=300.0)
    options = parser.parse_args()
    cases = {case.name: case for case in CASES}
    reports: dict[str, Any] = {}
    with running(options) as url, Client(url) as client:
        for name in options.only:
            dataset = dataset_of(client, cases[name], options.data) if name in cases else name
            made = search(client, request(name, dataset, options), options.out)
            if made["state"] != "succeeded":
                print(f"{name}: {made['state']}: {made['reason']}", file=sys.stderr)
                continue
            bundle = options.out / f"{name}.zip"
            reports[name] = demo.check(bundle)
            with zipfile.ZipFile(bundle) as archive:
                sizes = ", ".join(f"{member.filename} {member.file_size:,}" for member in archive.infolist())
            print(f"\n== {name}", *told(reports[name]), f"files: {sizes}", sep="\n", flush=True)
            if options.json:
                options.json.write_text(json.dumps(reports, indent=2) + "\n")
    return 0 if set(reports) == set(options.only) else 1


if __name__ == "__main__":
    sys.exit(main())
