"""Which short training ranks architectures as the full one does, and what it costs.

    python -m benchmarks.fidelity [--only digits mutag] [--architectures 10] [--seconds 600] [--data ../shared/data]
                                  [--folder build/fidelity] [--steps-share 1.0] [--json OUT]

Random architectures of one preset for each data set are trained in full, with two seeds whose mean is the reference,
and in each of these ways, with a seed of their own:

    one_cycle    one full training, scored on the way at 1/27, 1/9 and 1/3 of its steps; and at its end, which shows
                 how well even a full training agrees with the reference
    short        one rise and fall of the learning rate in so many steps, each from scratch
    cycles       one training with a rise and fall up to each rung
    wsd          one training at a constant rate, with a falling branch towards each rung
    subset       as short, on a third or a ninth of the samples, with the same passes
    half         as short, at half of the resolution, where the architecture accepts it

Shown are Kendall's tau-b with the reference over the architectures, its standard error (jackknife), the mean score, and
the processor seconds of one architecture up to that score, also as a share of a full training's. Trainings are kept in
--folder and not repeated, so a run that was interrupted, or stopped by --seconds, goes on where it was; architectures
that are incomplete are left out of the table.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

from benchmarks._results import Results
from benchmarks._trainings import CASES, Case, Row, architectures, on_cpu, opened, settings, trained
from space.architecture import Architecture
from space.build import build
from workers.train.data import TrainData
from workers.train.prepare import resolved, works_at
from workers.train.recipe import Recipe

PARTS = (27, 9, 3, 1)
REFERENCES = 2
"""Full trainings of an architecture whose mean score the others are compared with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One training that is scored at `places`, by name; a recipe says how."""

    name: str
    recipe: Recipe
    places: tuple[str, ...]


def ways(case: Case, graph: Architecture, steps: int, number: int) -> Iterator[Way]:
    """All trainings of one architecture, the references first."""
    whole = Recipe(batch_size=case.batch, min_steps=1, epochs=1, rungs=(steps,))
    for seed in range(REFERENCES):
        yield Way(name=f"reference-{seed}", recipe=replace(whole, seed=1000 * (seed + 1) + number), places=("1",))
    whole = replace(whole, seed=number)
    rungs = tuple(max(2, round(steps / part)) for part in PARTS)
    places = tuple(f"1/{part}" if part > 1 else "1" for part in PARTS)
    for schedule in ("one_cycle", "cycles", "wsd"):
        count = len(rungs) - (schedule == "cycles")  # its last cycle would tell nothing new
        values = replace(whole, rungs=rungs[:count], epochs=count, schedule=schedule)
        yield Way(name=schedule, recipe=values, places=places[:count])
    for rung, place in zip(rungs[:-1], places, strict=False):
        short = replace(whole, rungs=(rung,))
        yield Way(name="short", recipe=short, places=(place,))
        if graph.data in ("image", "volume", "graphs") and place != "1/27":
            yield Way(name="subset", recipe=replace(short, subset=rung / steps), places=(place,))
        side = max(graph.input_shape[1:], default=0) // 2
        if side and place != "1/27" and works_at(graph, side):
            yield Way(name="half", recipe=replace(short, resolution=side), places=(place,))


def train(graph: Architecture, data: TrainData, recipe: Recipe) -> Row:
    torch.manual_seed(recipe.seed)
    return trained(build(graph), data, resolved(recipe, task=data.task, training=graph.training))


def measured(case: Case, options: argparse.Namespace, until: float) -> list[dict[str, tuple[float, float]]]:
    """Of each architecture that is complete: by "way place", score and seconds."""
    results = Results(options.folder / f"{case.name}.json")
    dataset = opened(case, data=options.data, folder=options.folder)
    data, steps = on_cpu(case, dataset), max(54, round(case.steps * options.steps_share))
    found: list[dict[str, tuple[float, float]]] = []
    for number, graph in zip(range(options.architectures), architectures(case, dataset), strict=False):
        rows: dict[str, tuple[float, float]] = {}
        for way in ways(case, graph, steps, number):
            key = json.dumps([case.preset, graph.hash, settings(way.recipe)])
            if key not in results.rows and time.monotonic() > until:
                return found
            row = results.row(key, partial(train, graph, data, way.recipe))
            for place, score, seconds in zip(way.places, row["scores"], row["seconds"], strict=True):
                rows[f"{way.name} {place}"] = (score, seconds)
        found.append(rows)
        print(f"{case.name}: {len(found)} architectures", flush=True)
    return found


def tau(scores: np.ndarray, reference: np.ndarray) -> float:
    """Kendall's tau-b; 0 where all scores are equal."""
    return float(np.nan_to_num(kendalltau(scores, reference).statistic))


def jackknife(scores: np.ndarray, reference: np.ndarray) -> float:
    """Standard error of tau from leaving out one architecture at a time (Efron 1982)."""
    count = len(scores)
    left = np.array([tau(np.delete(scores, one), np.delete(reference, one)) for one in range(count)])
    return float(np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum()))


def table(found: list[dict[str, tuple[float, float]]]) -> list[dict[str, Any]]:
    """A line for each way and place that at least three architectures have."""
    named = [f"reference-{seed} 1" for seed in range(REFERENCES)]
    lines = []
    for name in dict.fromkeys(name for rows in found for name in rows):
        having = [rows for rows in found if name in rows]
        if name in named or len(having) < 3:
            continue
        reference = np.array([statistics.fmean(rows[one][0] for one in named) for rows in having])
        full = statistics.fmean(rows[one][1] for rows in having for one in named)
        scores = np.array([rows[name][0] for rows in having])
        seconds = statistics.fmean(rows[name][1] for rows in having)
        lines.append(
            {
                "way": name,
                "architectures": len(having),
                "tau": tau(scores, reference),
                "error": jackknife(scores, reference),
                "score": float(scores.mean()),
                "seconds": seconds,
                "share": seconds / full,
            }
        )
    return lines


def shown(name: str, lines: list[dict[str, Any]], reference: float) -> str:
    head = f"\n{name}, full trainings {reference:.3f}\n{'way':16}  n   tau        score  seconds  share"
    rows = [
        f"{line['way']:16} {line['architectures']:2d}  {line['tau']:5.2f} ± {line['error']:4.2f}  {line['score']:.3f}"
        f"  {line['seconds']:7.1f}  {line['share']:5.2f}"
        for line in sorted(lines, key=lambda line: line["seconds"])
    ]
    return "\n".join([head, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--architectures", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=600.0, help="no training is started after this long")
    parser.add_argument("--steps-share", type=float, default=1.0, help="of each full training's steps")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folder", type=Path, default=Path("build/fidelity"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    began, told = time.monotonic(), {}
    for place, name in enumerate(options.only, start=1):
        found = measured(CASES[name], options, began + options.seconds * place / len(options.only))
        told[name] = table(found)
        full = [rows[f"reference-{seed} 1"][0] for rows in found for seed in range(REFERENCES)]
        print(shown(name, told[name], statistics.fmean(full) if full else float("nan")), flush=True)
    if options.json:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
