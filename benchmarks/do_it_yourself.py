"""How soon a job passes what a do-it-yourself search reaches: Ray Tune, Optuna, ASHA and MLflow (`_tune_script.py`).

    python -m benchmarks.do_it_yourself [--only fashion] [--seconds 300] [--job-seconds 300] [--runs 1] [--job-first]
                                        [--data ../shared/data] [--json OUT]

The script runs for --seconds on all processors, then archsmith with all defaults and a budget of --job-seconds, on the
same training and validation split. The job is cancelled once its best validation score has passed the script's final
one and a bundle with such a score could be downloaded (--whole-job lets it go on). Seconds of the job count from before
its POST, those of the script from before Ray's start. The service itself is started beforehand, as it is in daily use.

The requirement: passed within a fifth of the script's time. With --job-first nothing is known of the script yet, and
the whole job is run. Finished parts are kept in --json.
"""

import argparse
import statistics
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from archsmith.client import Client
from archsmith.values import Job
from benchmarks._jobs import Watch, run
from benchmarks._results import Results
from benchmarks._service import running
from benchmarks._sources import SOURCES, add_data, registered
from benchmarks._trainings import CASES, opened
from benchmarks._verdicts import Verdict, status, table, verdict_table

SHARE = 0.2


def script(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The script on the splits of a job with that seed; its row."""
    from benchmarks._tune_script import search  # loads Ray

    case = replace(CASES[name], image_size=SOURCES[name].image_size)
    dataset = opened(case, data=options.data, folder=options.folder, seed=seed)
    train, val = dataset.search_train, dataset.search_val
    arrays = {"x": train.x, "y": train.y, "x_val": val.x, "y_val": val.y}
    with tempfile.TemporaryDirectory() as folder:
        found = search(arrays, seconds=options.seconds, folder=Path(folder), seed=seed)
    rises = ", ".join(f"{score:.4f} at {at:.0f} s" for at, score in found["rises"])
    print(f"{name}: {found['trials']} trials, {found['epochs']} epochs: {rises}", flush=True)
    return found


def job(name: str, seed: int, until: float | None, options: argparse.Namespace) -> dict[str, Any]:
    """Until both its scores are above `until`; its row."""
    with running(options) as url, Client(url) as client:
        registered(client, SOURCES[name], options.data)

        def enough(now: Job, watch: Watch) -> None:
            going = not now.finished and now.document["wanted"] != "cancel"
            if until is not None and going and None not in watch.passed(until):
                client.cancel(now.id)

        request = {"dataset": name, "space": SOURCES[name].space, "seed": seed, "name": f"{name}-{seed}"}
        request |= {"budget": {"seconds": options.job_seconds}}
        ended, watch = run(client, request, each=enough)
    return {"state": ended.state, "scored": watch.scored, "held": watch.held, "final_score": ended.final_score}


def passed(rises: list[list[float]], score: float) -> float | None:
    """Seconds after which a score was reached, None where it never was."""
    return next((at for at, found in rises if found >= score), None)


def shares(script: dict[str, Any], job: dict[str, Any], seconds: float) -> dict[str, float | None]:
    """When the job reached the script's final score, as shares of the script's time: measured, and to be downloaded."""
    final = script["rises"][-1][1] if script["rises"] else 0.0
    at = {name: passed(job[name], final) for name in ("scored", "held")}
    return {name: None if reached is None else reached / seconds for name, reached in at.items()}


def judged(name: str, found: list[dict[str, float | None]]) -> list[Verdict]:
    """By the median of the runs; a run in which the score was never reached counts as endless."""
    verdicts = []
    for kind, words in (("scored", "measured in a trial"), ("held", "of a bundle to download")):
        known = [one[kind] for one in found]
        middle = statistics.median(float("inf") if share is None else share for share in known)
        said = ", ".join("never" if share is None else f"{share:.2f}" for share in known)
        what = f"{name}: the script's final validation score is passed, {words}"
        verdicts.append(Verdict(what=what, measured=said, required=f"<= {SHARE} of its time", met=middle <= SHARE))
    return verdicts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=["fashion", "trashnet", "digits"], default=["fashion"])
    parser.add_argument("--seconds", type=float, default=300.0, help="of the script")
    parser.add_argument("--job-seconds", type=float, help="budget of the job; as much as the script")
    parser.add_argument("--runs", type=int, default=1, help="with seeds from 0 on")
    parser.add_argument("--job-first", action="store_true")
    parser.add_argument("--whole-job", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "archsmith-benchmarks")
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--state", type=Path, help="keep the service's state here")
    parser.add_argument("--json", type=Path)
    add_data(parser)
    options = parser.parse_args()
    options.job_seconds = options.job_seconds or options.seconds
    results, verdicts = Results(options.json), []
    for name in options.only:
        found = []
        for seed in range(options.runs):
            theirs, ours = both(name, seed, results, options)
            found.append(shares(theirs, ours, options.seconds))
            kinds = {"script": theirs["rises"], "job, trials": ours["scored"], "job, bundle": ours["held"]}
            for title, rises in kinds.items():
                print(table((f"{title}: seconds", "best validation score"), rises), end="\n\n")
        verdicts += judged(name, found)
    print(verdict_table(verdicts))
    return status(verdicts)


def both(name: str, seed: int, results: Results, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of script and job, in the order that is asked for."""
    key = f"{name}-{options.seconds:g}-{seed}"
    ours = f"job-{name}-{options.job_seconds:g}-{seed}"
    if options.job_first:
        mine = results.row(ours, partial(job, name, seed, None, options))
        return results.row(f"script-{key}", partial(script, name, seed, options)), mine
    theirs = results.row(f"script-{key}", partial(script, name, seed, options))
    until = None if options.whole_job or not theirs["rises"] else theirs["rises"][-1][1]
    return theirs, results.row(ours, partial(job, name, seed, until, options))


if __name__ == "__main__":
    sys.exit(main())
