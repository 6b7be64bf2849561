"""Seconds of one gradient step by architecture: how well the cost model predicts them, and which numerics are fastest.

    python -m benchmarks.step_cost [--presets chain,branching,mobile,resnet] [--count 30] [--json OUT | --read OUT]

Random architectures of each preset on Fashion-MNIST-shaped input (1×28×28, noise), batches of 128, one thread: a step
to prepare the kernels, then the fastest of three turns of a step or two, in seconds of processor time, under each
admissible pair of number type and layout, in turns.

Printed: for each preset the leave-one-out error of `search/surrogate/step_cost.py` as a factor (median, and the 90 %
quantile), fitted to 3, 8 and all other architectures; and for each pair of number type and layout its seconds over
those of the pair that is fastest for the reference network, with how much a choice per network saves.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

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


def seconds(make: Any, samples: TrainData) -> dict[str, float]:
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


def measured(options: argparse.Namespace) -> list[dict[str, Any]]:
    samples = data()
    rows = [{"preset": "reference", "seconds": seconds(lambda: reference_network(SHAPE, CLASSES), samples)}]
    for preset in options.presets.split(","):
        for architecture in drawn(preset, options.count):
            found = seconds(lambda architecture=architecture: build(architecture), samples)
            rows.append({"preset": preset, "architecture": architecture.to_json(), "seconds": found})
            print(preset, len(rows), {name: round(value, 4) for name, value in found.items()}, flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows), encoding="utf-8")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", default="chain,branching,mobile,resnet")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--read", type=Path)
    options = parser.parse_args()
    json.loads(options.read.read_text(encoding="utf-8")) if options.read else measured(options)


if __name__ == "__main__":
    main()
