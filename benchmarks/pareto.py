"""Controllers with two objectives on a table of trained architectures: the front of score and latency.

    python -m benchmarks.pareto --table nasbench201.csv.gz --latency latency.csv.gz --device c10_edgegpu_latency_ms

A search sees the validation score and the latency of one device, and pays the simulated seconds of every training. What
it found is judged by the test score and the latency: the hypervolume above the reference after a share of the budget,
against that at its end, and against that of the whole table. The reference is the median test score and the largest
latency of the table; "share of log" is the same with the logarithm of the latency.

A controller is a name of `search/factory.py`, with options after colons. Those with a surrogate weigh the objectives
anew for each ask (`search/pareto.py`).
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsmith.errors import SpaceExhausted
from benchmarks.search.simulate import looked_up
from benchmarks.search.spaces import Bench, Task, bench
from benchmarks.search.tables import rows
from search.factory import check_options, make_controller
from search.objective import Objective
from search.pareto import hypervolume, non_dominated
from search.proposing.controller import Controller, Proposal
from search.spec import ControllerSpec
from search.testing import loop

OBJECTIVE = Objective(minimize=("latency_ms",))
CONTROLLERS = "nsga2,tpe,random,evolution,predictor,auto"

SHARES = (0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """codes: of the trials, in order; spent: seconds when each ended."""

    codes: list[str]
    spent: list[float]


def search(controller: Controller, task: Task, latency: dict[str, float], *, seconds: float) -> Found:
    """One worker, until the seconds are spent or the space is."""
    found, spent = Found(codes=[], spent=[]), 0.0

    def begin(number: int) -> tuple[Proposal, loop.Run] | None:
        nonlocal spent
        try:
            proposal = controller.ask(number)
        except SpaceExhausted:
            return None
        code = task.key(proposal.choices)
        spent += task.trials.seconds[code]
        if spent > seconds:
            return None
        score = task.trials.score(code, np.random.default_rng(number)) / 100
        facts = {"score": score, "latency_ms": latency[code]}
        return proposal, looked_up(task, code, number, OBJECTIVE.value(facts), OBJECTIVE.values(facts))

    for told in loop.simulate(controller, begin):
        found.codes.append(task.key(told.proposal.choices))
        found.spent.append(told.at)
    return found


class Judged:
    """Hypervolume by the test column; read when all searches are over."""

    def __init__(self, found: Bench, latency: dict[str, float]) -> None:
        test = found.judge().test
        self.points = {code: (score / 100, -latency[code]) for code, score in test.items()}
        every = np.array(list(self.points.values()))
        self.reference = np.array([np.median(every[:, 0]), every[:, 1].min()])
        self.best = {log: self._volume(every, log=log) for log in (False, True)}
        self.front = int(non_dominated(every).sum())

    def volume(self, codes: list[str], *, log: bool = False) -> float:
        """Of what a search has tried."""
        return self._volume(np.array([self.points[code] for code in codes]), log=log) if codes else 0.0

    def _volume(self, points: NDArray[np.float64], *, log: bool) -> float:
        return hypervolume(scaled(points, log=log), scaled(self.reference[None], log=log)[0])


def scaled(points: NDArray[np.float64], *, log: bool) -> NDArray[np.float64]:
    return np.column_stack([points[:, 0], -np.log(-points[:, 1])]) if log else points


def measure(runs: list[Found], judged: Judged, seconds: float) -> dict[str, Any]:
    def at(run: Found, share: float, *, log: bool = False) -> float:
        return judged.volume(run.codes[: sum(spent <= share * seconds for spent in run.spent)], log=log)

    return {
        "of_full_cost": {str(s): statistics.fmean(at(run, s) / at(run, 1.0) for run in runs) for s in SHARES},
        "worst_of_full_cost": {str(s): min(at(run, s) / at(run, 1.0) for run in runs) for s in SHARES},
        "of_table": {str(s): statistics.fmean(at(run, s) for run in runs) / judged.best[False] for s in SHARES},
        "of_table_log": {
            str(s): statistics.fmean(at(run, s, log=True) for run in runs) / judged.best[True] for s in SHARES
        },
        "trials": statistics.fmean(len(run.codes) for run in runs),
    }


_SETUP: list[tuple[Task, dict[str, float]]] = []


def _begin(options: argparse.Namespace) -> None:
    _SETUP.append((bench(options).task(), latencies(options)))


def _one(text: str, seconds: float, seed: int) -> Found:
    [(task, latency)] = _SETUP
    controller = make_controller(controller_spec(text), space=task.space, seed=seed, objectives=len(OBJECTIVE.names))
    return search(controller, task, latency, seconds=seconds)


def controller_spec(text: str) -> ControllerSpec:
    name, *rest = text.split(":")
    options = {part.partition("=")[0]: json.loads(part.partition("=")[2]) for part in rest}
    spec = ControllerSpec(name=name, options=options)
    check_options(spec)
    return spec


def latencies(options: argparse.Namespace) -> dict[str, float]:
    """Milliseconds by the code of the architecture."""
    codes = {row["index"]: row["op_code"] for row in rows(options.table)}
    found = {}
    for row in rows(options.latency):
        if options.device not in row:
            names = ", ".join(name for name in row if name.endswith("_ms"))
            raise SystemExit(f"there is no device {options.device!r}; there are {names}")
        found[codes[row["index"]]] = float(row[options.device])
    return found


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    of = bench(options)
    of.task()  # what takes long is kept in files, so that the processes find it there
    context = multiprocessing.get_context("spawn")
    figures: dict[str, Any] = {}
    with ProcessPoolExecutor(options.processes, mp_context=context, initializer=_begin, initargs=(options,)) as pool:
        runs = {
            text: list(pool.map(partial(_one, text, options.budget_seconds), range(options.seeds)))
            for text in options.controllers.split(",")
        }
    judged = Judged(of, latencies(options))
    print(f"front of the table: {judged.front} points; reference: {judged.reference.round(4).tolist()}")
    heads = [f"{share:.0%}" for share in SHARES]
    print("controller            trials | of the full-cost value " + " ".join(heads) + " | of the table | of log")
    for text, found in runs.items():
        figures[text] = measured = measure(found, judged, options.budget_seconds)
        columns = [" ".join(f"{measured[key][str(s)]:.4f}" for s in SHARES) for key in ("of_full_cost", "of_table")]
        logs = " ".join(f"{measured['of_table_log'][str(s)]:.4f}" for s in SHARES)
        print(f"{text:22s} {measured['trials']:5.0f} | {columns[0]} | {columns[1]} | {logs}")
    options.json.write_text(json.dumps(figures, indent=1))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pareto", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, required=True, help="of NAS-Bench-201, CSV, also gzipped")
    parser.add_argument("--latency", type=Path, required=True, help="CSV with a column for each device")
    parser.add_argument("--device", default="c10_edgegpu_latency_ms", help="a column of it")
    parser.add_argument("--column-prefix", default="c10")
    parser.add_argument("--controllers", default=CONTROLLERS)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budget-seconds", type=float, default=1_000_000.0, help="simulated, about 480 trainings")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, default=Path(tempfile.gettempdir()) / "archsmith-pareto.json")
    options = parser.parse_args(arguments)
    # what the bench of one objective asks of a command line besides
    return argparse.Namespace(
        **vars(options), space="nasbench201", protocol="P1", noise_sd=0.0, cost_scale=1.0, zero_cost=None
    )


if __name__ == "__main__":
    main()
