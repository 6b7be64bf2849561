"""How well a dry run predicts costs: ten small jobs, each priced first and then run, their cost against the range.

    python -m benchmarks.dry_run [--url URL] [--state DIR] [--jobs N] [--json OUT]

Starts a service of its own, or uses the one at --url, which should be free. Prints one line a job: the priced range of
seconds, the seconds that it took from claim to end, and whether they lie within; the same of the disk it left. Fails
when fewer than eight of ten lie within.
"""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from archsmith.client import Client
from archsmith.values import Job
from benchmarks._service import add_arguments, running

SHARE = 0.8
SMALL = {"top": 1, "seeds": 1, "epochs": 4, "baseline": False, "random_arm": False, "fidelity": 0}
FAIR = {"top": 2, "seeds": 2, "epochs": 4, "fidelity": 0}
JOBS: tuple[dict[str, Any], ...] = (
    {"space": "tiny", "controller": "random", "budget": {"trials": 8, "epochs": 2}, "finalists": SMALL},
    {"space": "tiny", "controller": "tpe", "budget": {"trials": 12, "epochs": 3}, "finalists": FAIR},
    {"space": "chain", "controller": "random", "budget": {"trials": 6, "epochs": 2}, "finalists": SMALL},
    {"space": "chain", "controller": "evolution", "budget": {"trials": 8, "epochs": 2}, "finalists": FAIR},
    {"space": "resnet", "controller": "random", "budget": {"trials": 5, "epochs": 2}, "finalists": SMALL},
    {"space": "mobile", "controller": "tpe", "budget": {"trials": 5, "epochs": 2}, "finalists": SMALL},
    {"space": "branching", "controller": "random", "budget": {"trials": 6, "epochs": 1}, "finalists": SMALL},
    {
        "space": "tiny", "controller": "random", "budget": {"trials": 30, "epochs": 9}, "finalists": SMALL,
        "trial": {"scheduler": "asha"},
    },
    {
        "space": "chain", "controller": "random", "finalists": SMALL,
        "budget": {"trials": 20, "epochs": 2},
    },
    {"space": "tiny", "controller": "policy_model", "budget": {"trials": 12, "epochs": 2}, "finalists": FAIR},
)  # fmt: skip


def compare(client: Client, number: int, job: dict[str, Any]) -> dict[str, Any]:
    """Prices a job, runs it, and says whether it cost what was said."""
    document = {"dataset": "digits", "name": f"dry-run-{number}", "seed": number, **job}
    priced = client.price(document)
    ended = client.wait(client.submit(document).id)
    seconds = took(ended)
    span = priced["seconds"]
    return {
        "job": f"{job['space']}, {job['controller']}",
        "state": ended.state,
        "low": span["low"],
        "expected": span["expected"],
        "high": span["high"],
        "took": seconds,
        "within": ended.state == "succeeded" and span["low"] <= seconds <= span["high"],
        "phases": priced["phases"],
    }


def took(job: Job) -> float:
    """From the claim to the end, seconds of wall clock."""
    begun, ended = (datetime.fromisoformat(job.document[name]) for name in ("started_at", "finished_at"))
    return (ended - begun).total_seconds()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=len(JOBS), help="only so many of the ten")
    add_arguments(parser)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with running(options) as url, Client(url) as client:
        for number, job in enumerate(JOBS[: options.jobs]):
            rows.append(compare(client, number, job))
            row = rows[-1]
            said = f"{row['low']:.0f} to {row['high']:.0f} s, expected {row['expected']:.0f} s"
            verdict = "within" if row["within"] else "OUTSIDE"
            print(f"{row['job']:24} {said:40} took {row['took']:6.0f} s  {verdict}", flush=True)
    within = sum(row["within"] for row in rows)
    print(f"{within} of {len(rows)} within the range")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if within >= SHARE * len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
