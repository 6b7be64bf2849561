"""Variants of the recipe side by side on several data sets.

    python -m benchmarks.recipe [--only digits trashnet] [--variants ema cutout] [--seeds 2] [--seconds 900]
                                [--steps-share 1.0] [--data ../shared/data] [--folder build/recipe] [--json OUT]

One small network (three convolutions, `workers.measures.calibrate`) is trained on the search's training split with each
variant and seed, all with the same steps and batches. Shown are, on the validation split, the plain recipe's mean score
and each variant's difference to it with its standard error (of paired seeds and of the samples, the larger), and on how
many data sets it is above. Trainings are kept in --folder, so an interrupted run goes on where it was.
"""

import argparse
import json
import math
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks._results import Results
from benchmarks._trainings import CASES, Case, Row, input_shape, on_cpu, opened, settings, trained
from workers.measures.calibrate import reference_network
from workers.train.data import TrainData
from workers.train.prepare import resolved
from workers.train.recipe import Recipe

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "ema 0.05": {"ema": 0.05},
    "flip": {"flip": True},
    "no shift": {"shift": 0.0},
    "shift 1/8": {"shift": 1 / 8},
    "cutout 1/3": {"cutout": 1 / 3},
    "zoom 0.3": {"zoom": 0.3},
    "no smoothing": {"label_smoothing": 0.0},
    "wsd": {"schedule": "wsd", "decay": 0.4},
    "rate 0.005": {"learning_rate": 0.005},
    "rate 0.02": {"learning_rate": 0.02},
    "decay 0.02": {"weight_decay": 0.02},
    "decay 0.2": {"weight_decay": 0.2},
}
STEPS = {"digits": 400, "trashnet": 900, "fashion": 600, "adrenal": 500}
BATCH = {"digits": 32, "trashnet": 32, "fashion": 64, "adrenal": 24}
SUBSET = {"fashion": 0.25, "digits": 0.15}
"""Share of the training split; all of digits leaves no room: 0.99 to 1.00 with every variant."""


def train(case: Case, data: TrainData, shape: tuple[int, ...], classes: int, recipe: Recipe) -> Row:
    torch.manual_seed(recipe.seed)
    return trained(reference_network(shape, classes), data, recipe)


def scores(case: Case, names: list[str], options: argparse.Namespace, until: float) -> dict[str, list[float]]:
    """By variant, the score of each seed; variants and seeds that are not done are missing at the end."""
    results = Results(options.folder / f"{case.name}.json")
    dataset = opened(case, data=options.data, folder=options.folder)
    data, shape = on_cpu(case, dataset), input_shape(case, dataset)
    steps = round(STEPS[case.name] * options.steps_share)
    found: dict[str, list[float]] = {name: [] for name in names}
    for seed in range(options.seeds):
        for name in names:
            plain = Recipe(
                epochs=1, rungs=(steps,), batch_size=BATCH[case.name], min_steps=1, seed=seed,
                subset=SUBSET.get(case.name, 1.0),
            )  # fmt: skip
            recipe = resolved(plain, task=data.task, training={"flip": False, **VARIANTS[name]})
            key = json.dumps(settings(recipe))
            if key not in results.rows and time.monotonic() > until:
                return found
            row = results.row(key, partial(train, case, data, shape, dataset.classes, recipe))
            found[name].append(row["scores"][-1])
    return found


def compared(plain: list[float], other: list[float], samples: int) -> tuple[float, float]:
    """Mean difference over the seeds that both have, and its standard error.

    The error is at least that of two independent scores on so many validation samples, shared by all seeds, of which
    half of the variance is taken to be common to both.
    """
    pairs = [b - a for a, b in zip(plain, other, strict=False)]
    mean = statistics.fmean(pairs)
    spread = statistics.stdev(pairs) / math.sqrt(len(pairs)) if len(pairs) > 1 else math.inf
    share = statistics.fmean(plain)
    return mean, max(spread if math.isfinite(spread) else 0.0, math.sqrt(share * (1 - share) / samples))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=900.0, help="no training is started after this long")
    parser.add_argument("--steps-share", type=float, default=1.0)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folder", type=Path, default=Path("build/recipe"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    names = list(dict.fromkeys(["plain", *options.variants]))
    began, columns, told = time.monotonic(), {}, {}
    for place, name in enumerate(options.only, start=1):
        case = CASES[name]
        found = scores(case, names, options, began + options.seconds * place / len(options.only))
        told[name] = found
        size = opened(case, data=options.data, folder=options.folder).split_sizes["search_val"]
        columns[name] = {other: compared(found["plain"], found[other], size) for other in names if found[other]}
        print(f"{name}: {sum(map(len, found.values()))} trainings after {time.monotonic() - began:.0f} s", flush=True)
    print(f"\n{'':14}{''.join(f'{name:>18}' for name in columns)}   above")
    for name in names:
        row, above = f"{name:14}", 0
        for column, values in columns.items():
            if name == "plain" and told[column]["plain"]:
                row += f"{statistics.fmean(told[column]['plain']):18.4f}"
            elif name in values:
                row += f"{values[name][0]:+9.4f} ± {values[name][1]:.4f}"
                above += values[name][0] > 0
            else:
                row += f"{'-':>18}"
        print(row if name == "plain" else f"{row}   {above} of {sum(name in values for values in columns.values())}")
    if options.json:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
