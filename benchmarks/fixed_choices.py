"""The plan against the same job with a single fixed choice, at equal wall clock, on four data sets.

    python -m benchmarks.fixed_choices --json build/fixed_choices.json [--only digits mutag] [--choices "2 epochs"]
                                       [--seeds 2] [--share 1.0] [--data ../shared/data] [--url URL | --state FOLDER]

    plan          all defaults and a budget in seconds
    2, 8, 24      trials of so many epochs of batch 128, never stopped early
    no rungs      planned, `scheduler: none`: every trial is trained to its end
    full data     trials of one epoch: each sees every sample, where a plan gives it a share (large data sets)

Jobs with epochs have no plan and no time: their search is ended with `finish?within_seconds` after SEARCH of the time,
and what follows takes the rest. One that has not ended a quarter after it was due is cancelled. Without a score a job
counts as 0: nothing was there when it was due.

Each choice has the same seeds, so the same splits, and is compared with the plan seed by seed: mean difference of the
final scores on the test split with its 95 % interval (Student's t over the seeds, which is wide for two; no less than
the error by the number of test samples). Requirement: nowhere worse beyond that interval, and better in more than half
of the comparisons.

Seeds take turns, so that each finished seed is a whole comparison; 1 h 55 min a seed. Finished jobs are kept in --json.
"""

import argparse
import math
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

from archsmith.client import Client
from archsmith.exceptions import ConflictError
from archsmith.values import Job
from benchmarks._jobs import Watch, measured
from benchmarks._results import Results
from benchmarks._service import running
from benchmarks._sources import SOURCES, add_data, registered
from benchmarks._verdicts import Verdict, interval, status, table, verdict_table

SECONDS = {"digits": 120.0, "mutag": 120.0, "trashnet": 300.0, "fashion": 600.0}
CHOICES: dict[str, dict[str, Any]] = {
    "plan": {},
    "2 epochs": {"budget": {"epochs": 2}},
    "8 epochs": {"budget": {"epochs": 8}},
    "24 epochs": {"budget": {"epochs": 24}},
    "no rungs": {"trial": {"scheduler": "none"}},
    "full data": {"budget": {"epochs": 1}},
}
SEARCH = 0.55
"""Share of the time after which a search without a plan ends; a plan gives its search 0.45 to 0.75."""
GIVEN_UP = 1.25


def request(dataset: str, choice: str, seed: int, seconds: float) -> dict[str, Any]:
    """Jobs with epochs get as many trials as there is time for."""
    fixed = CHOICES[choice]
    budget = {"trials": 10_000, **fixed["budget"]} if "budget" in fixed else {"seconds": seconds}
    name = f"{dataset}-{choice.replace(' ', '-')}-{seed}"
    return {"dataset": dataset, "space": SOURCES[dataset].space, "seed": seed, **fixed, "name": name, "budget": budget}


class Ends:
    """Ends a job without a plan when its time is up. Called with each view of it."""

    def __init__(self, client: Client, seconds: float) -> None:
        self._client, self._seconds = client, seconds
        self._finished = self._cancelled = False

    def __call__(self, job: Job, watch: Watch) -> None:
        spent = watch.seconds
        if job.finished or self._cancelled:
            return
        if spent > GIVEN_UP * self._seconds:
            self._client.cancel(job.id)
            self._cancelled = True
        elif spent > SEARCH * self._seconds and not self._finished:
            try:
                self._client.finish(job.id, within_s=max(1.0, self._seconds - spent))
                self._finished = True
            except ConflictError:  # no trial has a score yet: asked again with the next view
                pass


def made(client: Client, dataset: str, choice: str, seed: int, seconds: float) -> dict[str, Any]:
    """The row of one job."""
    ends = Ends(client, seconds) if "budget" in CHOICES[choice] else None
    found = measured(client, request(dataset, choice, seed, seconds), budget_s=seconds, each=ends)
    test = next(known.document["test"] for known in client.datasets() if known.name == dataset)
    return found | {"test_samples": test}


def differences(plan: list[dict[str, Any]], fixed: list[dict[str, Any]]) -> list[float]:
    """Plan minus fixed choice, of the seeds that both have. A job without a score counts as 0: nothing was there."""
    return [(a["final_score"] or 0.0) - (b["final_score"] or 0.0) for a, b in zip(plan, fixed, strict=False)]


def compared(plan: list[dict[str, Any]], fixed: list[dict[str, Any]]) -> tuple[float, float]:
    """Mean difference and half-width of its interval.

    The error by the test samples is that of one score: half of the variance of two is taken to be common to both.
    """
    share = statistics.fmean(row["final_score"] or 0.0 for row in plan)
    seeds = min(len(plan), len(fixed))
    error = math.sqrt(max(0.0, share * (1 - share)) / (plan[0]["test_samples"] * seeds))
    return interval(differences(plan, fixed), least=error)


def judged(found: dict[tuple[str, str], tuple[float, float]], *, whole: bool) -> list[Verdict]:
    """found: mean difference and half-width by data set and choice. whole: whether nothing that was asked for lacks."""
    worse = [f"{dataset}, {choice}" for (dataset, choice), (mean, half) in found.items() if mean + half < 0]
    better = sum(mean > 0 for mean, _ in found.values())
    said = f"worse in {len(worse)} of {len(found)}" + (f" ({'; '.join(worse)})" if worse else "")
    most = better > len(found) / 2
    return [
        Verdict(
            what="plan against fixed choices, beyond noise",
            measured=said,
            required="never worse",
            met=False if worse else True if whole and found else None,
        ),
        Verdict(
            what="plan against fixed choices, mean",
            measured=f"better in {better} of {len(found)}",
            required="better in most",
            met=most if whole and found else None,
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SECONDS, default=list(SECONDS))
    parser.add_argument("--choices", nargs="+", choices=CHOICES, default=list(CHOICES))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="of the time of each job")
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--state", type=Path, help="keep the service's state here")
    parser.add_argument("--json", type=Path, help="keep finished jobs here")
    add_data(parser)
    options = parser.parse_args()
    results = Results(options.json)
    choices = list(dict.fromkeys(["plan", *options.choices]))
    with running(options) as url, Client(url) as client:
        for seed in range(options.seeds):
            for dataset in options.only:
                registered(client, SOURCES[dataset], options.data)
                for choice in choices if seed % 2 == 0 else reversed(choices):
                    seconds = options.share * SECONDS[dataset]
                    key = f"{dataset}-{choice}-{seconds:g}-{seed}"
                    results.row(key, partial(made, client, dataset, choice, seed, seconds))
    verdicts = report(results, choices, options)
    return status(verdicts)


def report(results: Results, choices: list[str], options: argparse.Namespace) -> list[Verdict]:
    """Prints the tables."""
    lines, found = [], {}
    for dataset in options.only:
        seconds = options.share * SECONDS[dataset]
        rows = {
            choice: [results.rows[f"{dataset}-{choice}-{seconds:g}-{seed}"] for seed in range(options.seeds)]
            for choice in choices
        }
        for choice in choices:
            lines.append(line(dataset, choice, rows))
            if choice != "plan":
                found[dataset, choice] = compared(rows["plan"], rows[choice])
    head = ("data", "choice", "final score", "± 95 %", "plan minus choice", "taken, s", "scored", "search", "no score")
    print(table(head, lines))
    verdicts = judged(found, whole=True)
    print(verdict_table(verdicts))
    return verdicts


def line(dataset: str, choice: str, rows: dict[str, list[dict[str, Any]]]) -> tuple[object, ...]:
    own = rows[choice]
    scores = [row["final_score"] for row in own if row["final_score"] is not None]
    mean, half = interval(scores) if scores else (None, math.inf)
    apart = None if choice == "plan" else "{:+.4f} ± {:.4f}".format(*compared(rows["plan"], own))
    taken = [row["taken_s"] for row in own if row["taken_s"] is not None]
    return (
        dataset, choice, mean, half if math.isfinite(half) else None, apart,
        statistics.fmean(taken) if taken else None, statistics.fmean(row["scored"] for row in own),
        statistics.fmean(row["search_s"] for row in own), len(own) - len(scores),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
