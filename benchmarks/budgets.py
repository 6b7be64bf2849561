"""Whether a job's bundle is there within its budget: jobs on a real service, their wall clock and what they found.

    python -m benchmarks.budgets [--only digits-120 mutag-120] [--data ../shared/data] [--url URL | --state FOLDER]
                                 [--json OUT]

A job keeps its budget where its bundle is there within 5 % or 15 s of it. The wall clock is from the job's start to its
end, as the service has them; waiting in the queue does not count. Other work on the machine makes steps slower and
trials fewer; the load is printed beside each row.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from archsmith.client import Client
from archsmith.progress import view
from archsmith.values import Job
from benchmarks._service import running

LATE, LATE_S = 0.05, 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One job. files: of its data set, below the data folder; () for digits, which every service has."""

    name: str
    dataset: str
    seconds: float
    files: tuple[str, ...] = ()
    format: str = ""
    image_size: int | None = None
    space: str = "chain"


FASHION = tuple(
    f"fashion_mnist/{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
)
CASES = (
    Case(name="digits-120", dataset="digits", seconds=120),
    Case(
        name="mutag-120", dataset="mutag", seconds=120, files=("mutag/MUTAG.zip",), format="tu", space="graph_class"
    ),
    Case(name="cora-300", dataset="cora", seconds=300, files=("cora/cora.npz",), format="graph", space="graph_node"),
    Case(
        name="trashnet-300", dataset="trashnet", seconds=300, files=("trashnet/trashnet_half.zip",), format="images",
        image_size=64, space="resnet",
    ),
    Case(name="fashion-600", dataset="fashion", seconds=600, files=FASHION, format="idx"),
    Case(name="fashion-1800", dataset="fashion", seconds=1800, files=FASHION, format="idx"),
)  # fmt: skip


def registered(client: Client, case: Case, data: Path) -> None:
    """Sends the case's data set, unless the service has it."""
    if case.dataset in {dataset.name for dataset in client.datasets()}:
        return
    client.upload_dataset(case.dataset, case.format, [data / file for file in case.files], image_size=case.image_size)


def measured(client: Client, case: Case) -> dict[str, Any]:
    """Runs one job; returns its row."""
    load = os.getloadavg()[0]
    job = client.submit(dataset=case.dataset, space=case.space, name=case.name, budget={"seconds": case.seconds})
    with view(sys.stdout) as shown:
        job = client.wait(job.id, on_update=shown.show)
    return row(case, job) | {"load": [round(load, 1), round(os.getloadavg()[0], 1)]}


def row(case: Case, job: Job) -> dict[str, Any]:
    document = job.document
    started, finished = (document.get(name) for name in ("started_at", "finished_at"))
    seconds = None
    if started and finished:
        seconds = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
    late = max(LATE * case.seconds, LATE_S)
    plan = document.get("plan") or {}
    return {
        "name": case.name,
        "state": job.state,
        "reason": job.reason,
        "budget_s": case.seconds,
        "wall_s": None if seconds is None else round(seconds, 1),
        "within": job.state == "succeeded" and seconds is not None and abs(seconds - case.seconds) <= late,
        "not_late": job.state == "succeeded" and seconds is not None and seconds - case.seconds <= late,
        "trials": {state: count for state, count in job.progress.trials.items() if count},
        "planned": plan.get("architectures"),
        "pace": plan.get("pace"),
        "search_score": None if job.best is None else job.best.search_score,
        "final_score": job.final_score,
        "trainings": sum(final["state"] == "completed" for final in document.get("finalists", ())),
    }


def told(rows: list[dict[str, Any]]) -> str:
    lines = ["| job | budget, s | wall clock, s | within 5 % or 15 s | trials | search score | final score | load |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for found in rows:
        kept = "yes" if found["within"] else "earlier" if found["not_late"] else f"no ({found['state']})"
        values = (
            found["name"], found["budget_s"], found["wall_s"], kept, sum(found["trials"].values()),
            found["search_score"], found["final_score"], found["load"],
        )  # fmt: skip
        lines.append("| " + " | ".join(f"{value:.4f}" if isinstance(value, float) else str(value) for value in values))
        lines[-1] += " |"
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[case.name for case in CASES], help="these cases alone")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")))
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--state", type=Path, help="keep the service's state here")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    data = options.data.absolute()
    rows = []
    with running(options) as url, Client(url) as client:
        for case in [case for case in CASES if options.only is None or case.name in options.only]:
            registered(client, case, data)
            rows.append(measured(client, case))
            print(json.dumps(rows[-1]), flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=2) + "\n")
    print(told(rows))
    return 0 if all(found["not_late"] for found in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
