"""Controllers on toy spaces with a known optimum, and what an ask costs.

    python -m benchmarks.controllers [--seeds 24] [--trials 100] [--workers 4] [--told 1000] [--json OUT]
        [--controllers tpe,predictor]

Found: the best true value among the trials, mean over the seeds, after a quarter, a half and all of them. Won: seeds
whose find after all trials is above random's of the same seed, ties left out; p: the chance of so many or more if the
controller were no better than random (sign test). Ask: of a controller that was told `--told` random trials of the
preset `branching` on 28×28 inputs (27 decisions on average, values without any pattern), median and largest of 20;
--seeds 0 measures nothing else.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search.controllers.random import RandomController
from search.factory import CONTROLLERS, make_controller
from search.spec import ControllerSpec
from search.testing.loop import search
from search.testing.toys import Faulty, Toy, chain
from search.trial import Outcome, TrialState
from space.presets import load
from space.space import Space

TOYS = {"chain of 2": (chain(2), 0.0), "chain of 3": (chain(3), 0.0), "chain of 3, 30 % fail": (chain(3), 0.3)}
NOISE = 0.01


def finds(spec: ControllerSpec, toy: Toy, seed: int, *, trials: int, workers: int, failing: float) -> list[float]:
    """The best true value so far after each trial, in order of their ends."""
    controller = make_controller(spec, space=toy, seed=seed)
    evaluator = Faulty(toy=toy, seed=seed, noise=NOISE, failing=failing)
    best, course = -math.inf, []
    for told in search(controller, evaluator, trials=trials, workers=workers):
        if told.outcome.state is TrialState.COMPLETED:
            best = max(best, toy.reward(told.proposal.choices))
        course.append(best)
    return course


def sign_test(won: int, lost: int) -> float:
    games = won + lost
    return float(sum(math.comb(games, k) for k in range(won, games + 1)) / 2**games)


def compare(
    names: Sequence[str], toy: Toy, *, seeds: int, trials: int, workers: int, failing: float
) -> list[dict[str, Any]]:
    """names: the first is the yardstick."""
    rows: list[dict[str, Any]] = []
    yardstick: list[float] = []
    for name in names:
        spec, began = ControllerSpec(name=name), time.process_time()
        courses = [finds(spec, toy, seed, trials=trials, workers=workers, failing=failing) for seed in range(seeds)]
        last = [course[-1] for course in courses]
        yardstick = yardstick or last
        won = sum(ours > theirs for ours, theirs in zip(last, yardstick, strict=True))
        lost = sum(ours < theirs for ours, theirs in zip(last, yardstick, strict=True))
        marks = (trials // 4, trials // 2, trials)
        rows.append(
            {
                "controller": name,
                "found": {mark: statistics.fmean(course[mark - 1] for course in courses) for mark in marks},
                "won": won,
                "lost": lost,
                "p": sign_test(won, lost),
                "cpu_seconds": (time.process_time() - began) / seeds,
            }
        )
    return rows


def ask_cost(names: Sequence[str], told: int) -> dict[str, tuple[float, float]]:
    """Processor milliseconds of an ask after `told` trials: median and largest of 20."""
    space = Space.parse(load("branching"), input_shape=(1, 28, 28), classes=10)
    source = RandomController(space, seed=1)
    history = []
    for number in range(told):
        value = (number * 7919 % 1009) / 1009
        outcome = Outcome(number=number, state=TrialState.COMPLETED, value=value, epochs=1)
        history.append((source.ask(number), outcome))
    costs = {}
    for name in names:
        controller = make_controller(ControllerSpec(name=name), space=space, seed=2)
        for proposal, outcome in history:
            controller.restore(proposal, outcome)
        controller.ask(told)  # the first one folds the history in
        times = []
        for number in range(told + 1, told + 21):
            began = time.process_time()
            controller.ask(number)
            times.append(1000 * (time.process_time() - began))
            controller.tell(Outcome(number=number, state=TrialState.COMPLETED, value=0.5, epochs=1))
        costs[name] = (statistics.median(times), max(times))
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--told", type=int, default=1000)
    parser.add_argument("--controllers", default=",".join(CONTROLLERS))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    names = ["random", *(name for name in args.controllers.split(",") if name != "random")]
    report: dict[str, Any] = {"arguments": {k: v for k, v in vars(args).items() if k != "json"}, "toys": {}}
    for title, (toy, failing) in TOYS.items() if args.seeds else ():
        rows = compare(names, toy, seeds=args.seeds, trials=args.trials, workers=args.workers, failing=failing)
        report["toys"][title] = rows
        marks = "".join(f"  found@{mark:<4}" for mark in rows[0]["found"])
        print(f"\n{title}, {args.seeds} seeds, {args.workers} workers\n{'':22}{marks}  won/lost        p  cpu s")
        for row in rows:
            found = "".join(f"  {value:10.4f}" for value in row["found"].values())
            score = f"{row['won']:3d}/{row['lost']:<3d}"
            print(f"{row['controller']:22}{found}  {score:>8} {row['p']:8.1e} {row['cpu_seconds']:6.2f}")
    report["ask_ms"] = ask_cost(names, args.told)
    print(f"\nask after {args.told} told trials, processor ms: median (largest of 20)")
    for name, (median, largest) in report["ask_ms"].items():
        print(f"{name:22}{median:8.1f} ({largest:.1f})")
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
