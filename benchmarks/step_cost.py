"""Seconds of one gradient step by architecture: how well the cost model predicts them, and which numerics are fastest.

    python -m benchmarks.step_cost [--presets chain,branching,mobile,resnet] [--count 30] [--json OUT | --read OUT]

Random architectures of each preset on Fashion-MNIST-shaped input (1×28×28, noise), batches of 128, one thread: a step
to prepare the kernels, then the fastest of three turns of a step or two, in seconds of processor time, under each
admissible pair of number type and layout, in turns.

Printed: for each preset the error of `search/planning/step_cost.py` for an architecture that it was not fitted to, as a
factor; and for each pair of number type and layout how much of its seconds a choice per network would need.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from search.planning.step_cost import fit, work_of
from search.proposing.walks import draw_walk, uniform
from space import presets
from space.architecture import Architecture
from space.build import build
from space.space import Space
from workers.datasets import Split
from workers.measures.calibrate import candidates, reference_network
from workers.train.data import TrainData
from workers.train.recipe import Recipe
from workers.train.trainer import Trainer

Row = dict[str, Any]
SECONDS = "seconds"
SHAPE, CLASSES, BATCH = (1, 28, 28), 10, 128
TURNS = 3


def drawn(preset: str, count: int) -> Iterator[Architecture]:
    space = Space.parse(presets.load(preset), input_shape=SHAPE, classes=CLASSES)
    number = 0
    while count:
        draw = draw_walk(space, space.constraints, uniform(np.random.default_rng(number)))
        number += 1
        if draw is not None and not draw.violation:
            count -= 1
            yield draw.architecture


def data() -> TrainData:
    rng = np.random.default_rng(0)
    noise = Split(x=rng.integers(0, 256, (4 * BATCH, *SHAPE), dtype=np.uint8), y=rng.integers(0, CLASSES, 4 * BATCH))
    return TrainData.on("cpu", train=noise, val=None, mean=(127.5,), std=(74.0,))


def seconds(make: Callable[[], nn.Module], samples: TrainData) -> dict[str, float]:
    """Of one step, by "precision/layout". make: a fresh module."""
    runs = {}
    for precision, layout in candidates("cpu"):
        recipe = Recipe(
            epochs=1 + TURNS + 1, rungs=(*range(1, 2 + TURNS), 10**6), batch_size=BATCH, min_steps=1,
            precision=precision, layout=layout,
        )  # fmt: skip
        runs[f"{precision}/{layout}"] = Trainer(make(), samples, recipe)
    for trainer in runs.values():
        trainer.train_epoch()
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(TURNS):
        for name, trainer in runs.items():
            began = time.process_time()
            trainer.train_epoch()
            best[name] = min(best[name], time.process_time() - began)
    return best


def measured(options: argparse.Namespace) -> list[Row]:
    samples = data()
    rows: list[Row] = [{"preset": "reference", SECONDS: seconds(partial(reference_network, SHAPE, CLASSES), samples)}]
    for preset in options.presets.split(","):
        for architecture in drawn(preset, options.count):
            found = seconds(partial(build, architecture), samples)
            rows.append({"preset": preset, "architecture": architecture.to_json(), SECONDS: found})
            print(preset, len(rows), {name: round(value, 4) for name, value in found.items()}, flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def errors(rows: Sequence[Row], pair: str, count: int | None) -> tuple[float, float]:
    """Median and 90 % quantile of the factor between predicted and measured, for one that the model has not seen.

    count: of the others it is fitted to, drawn ten times; None for all of them.
    """
    works = [work_of(Architecture.from_json(row["architecture"])) for row in rows]
    seconds = [row[SECONDS][pair] for row in rows]
    rng, found = np.random.default_rng(0), list[float]()
    for place in range(len(rows)):
        others = [number for number in range(len(rows)) if number != place]
        for _ in range(1 if count is None else 10):
            known = others if count is None else [int(one) for one in rng.permutation(others)[:count]]
            model = fit([works[one] for one in known], [seconds[one] for one in known])
            found.append(abs(math.log(float(model.seconds([works[place]])[0]) / seconds[place])))
    return math.exp(float(np.median(found))), math.exp(float(np.quantile(found, 0.9)))


def report(rows: Sequence[Row]) -> None:
    pairs = list(rows[0][SECONDS])
    print("reference network, s:", {pair: round(value, 4) for pair, value in rows[0][SECONDS].items()})
    print("\nerror as a factor, median / 90 %, after 2, 8 and all other networks\n")
    kinds = list(dict.fromkeys(row["preset"] for row in rows[1:]))
    for kind in kinds:
        own = [row for row in rows if row["preset"] == kind]
        for pair in pairs:
            told = "  ".join("{:.2f} / {:.2f}".format(*errors(own, pair, count)) for count in (2, 8, None))
            print(f"{kind:10} {pair:10} {told}")
    print("\nmean seconds of a step, and the share of it that the fastest pair of each network takes\n")
    for kind in kinds:
        table = np.array([[row[SECONDS][pair] for pair in pairs] for row in rows if row["preset"] == kind])
        best = table.min(axis=1).sum()
        for place, pair in enumerate(pairs):
            fastest = float((table.argmin(axis=1) == place).mean())
            share = best / table[:, place].sum()
            print(f"{kind:10} {pair:10} {table[:, place].mean():.4f}  {share:.2f}  fastest for {fastest:.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", default="chain,branching,mobile,resnet")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--read", type=Path)
    options = parser.parse_args()
    report(json.loads(options.read.read_text(encoding="utf-8")) if options.read else measured(options))


if __name__ == "__main__":
    main()
