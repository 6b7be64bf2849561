"""Series: networks of the preset `series` beside simple models and, where it can be computed, the best possible score.

    python -m benchmarks.series [--only bursts fashion digits] [--data ../shared/data] [--steps 600] [--networks 4]

bursts   generated: 1 channel of 256 steps of white noise with nothing in it, a rising chirp, a falling one, or a tone,
         64 steps long, at any place and phase. The best possible classifier is known: with templates s, places and
         phases of equal probability, p(x | class) is the mean over them of exp(x · s - |s|² / 2).
fashion  Fashion-MNIST read as series, 28 channels (rows) of 28 steps (columns); 20,000 training pictures.
digits   scikit-learn's digits read as series, 8 channels of 8 steps.

On two cores: a job of four random trials of three epochs on 3,000 bursts gave 0.891 on 599 test series, where the best
possible is 0.913 and simple models have 0.578 and 0.583. Digits, 400 steps: baseline 0.995, simple models 0.981, 0.977.

A network is trained for --steps gradient steps on the training split and scored on the validation split; `base` is the
preset's baseline, `random` the best of --networks random ones. --augment compares shifts, zooms, cut-outs and mirror
images on the baseline.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks._sources import FASHION
from benchmarks._trainings import trained
from search.streams import Stream, generator
from space import presets
from space.architecture import Architecture
from space.build import build
from space.decision import Decision, Option
from space.space import Space, replay
from workers.datasets import Dataset, DataStore
from workers.datasets.ingest import ingest
from workers.simple.models import MODELS, SimpleTask, fit_and_score
from workers.simple.sampling import samples
from workers.train.data import TrainData
from workers.train.recipe import Recipe

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

CLASSES = ("nothing", "rising", "falling", "tone")
STEPS, BURST, PHASES, LEVEL = 256, 64, 8, 1.5
"""Of a series, of a burst; phases that a burst may have; its amplitude, where the noise has a deviation of 1."""


def templates() -> Floats:
    """(classes - 1, PHASES, BURST): what may be hidden in the noise."""
    t = np.arange(BURST) / BURST
    cycles = (4 * t + 8 * t**2, 20 * t - 8 * t**2, 12 * t)  # 4 to 20 cycles, 20 to 4, 12 throughout
    phases = np.arange(PHASES)[:, None] / PHASES
    window = np.hanning(BURST)
    return np.stack([LEVEL * window * np.sin(2 * np.pi * (one + phases)) for one in cycles]).astype(np.float32)


def bursts(count: int, seed: int) -> tuple[Floats, Labels]:
    """x (count, 1, STEPS), y (count,)."""
    rng = generator(Stream.DRAW, seed, 0, 0)
    x = rng.standard_normal((count, 1, STEPS)).astype(np.float32)
    y = rng.integers(0, len(CLASSES), count)
    places, phases = rng.integers(0, STEPS - BURST + 1, count), rng.integers(0, PHASES, count)
    for row in np.flatnonzero(y):
        x[row, 0, places[row] : places[row] + BURST] += templates()[y[row] - 1, phases[row]]
    return x, y


def best_possible(x: Floats, y: Labels) -> float:
    """The accuracy of the classifier by Bayes' rule."""
    right = 0
    for row, label in zip(x[:, 0].astype(np.float64), y, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(row, BURST)
        scores = [0.0]
        for own in templates().astype(np.float64):
            exponent = windows @ own.T - (own**2).sum(1) / 2  # (places, phases)
            scores.append(float(np.log(np.exp(exponent - exponent.max()).mean()) + exponent.max()))
        right += int(np.argmax(scores) == label)
    return right / len(x)


def opened(name: str, data: Path, folder: Path) -> Dataset:
    store = DataStore(folder / "store")
    if name == "bursts":
        x, y = bursts(6_000, seed=0)
        np.savez(folder / "bursts.npz", x=x, y=y)
        ingest("npz", folder / "bursts.npz", name=name, store=store)
    elif name == "fashion":
        files = [data / file for file in FASHION]
        ingest("idx", files, name=name, store=store, kind="series")
    else:
        pictures = store.open("digits", seed=0)
        np.savez(folder / "digits.npz", x=pictures.x[:, 0], y=pictures.y)
        ingest("npz", folder / "digits.npz", name="rows", store=store, kind="series")
        name = "rows"
    return store.open(name, seed=0)


def on_cpu(dataset: Dataset, most: int) -> TrainData:
    train = dataset.search_train
    few = replace(train, x=train.x[:most], y=train.y[:most])
    return TrainData.on("cpu", task=dataset.task, train=few, val=dataset.search_val, mean=dataset.mean, std=dataset.std)


def networks(dataset: Dataset, preset: str, count: int) -> Mapping[str, Architecture]:
    space = Space.parse(presets.load(preset), input_shape=dataset.info.input_shape, classes=dataset.classes)
    found = {"base": space.sample(replay(space.baseline()))}
    for number in range(count):
        found[f"random {number}"] = space.sample(_uniform(generator(Stream.DRAW, 1, number, 0)))
    return found


def _uniform(draws: np.random.Generator) -> Callable[[Decision], Option]:
    return lambda decision: decision.options[int(draws.integers(len(decision.options)))]


def score(graph: Architecture, data: TrainData, steps: int, **changes: float) -> tuple[float, float]:
    """Accuracy on the validation split, and seconds of processor time."""
    torch.manual_seed(0)
    row = trained(build(graph), data, Recipe(epochs=1, rungs=(steps,), min_steps=1, batch_size=64, **changes))  # type: ignore[arg-type]
    return row["scores"][-1], row["seconds"][-1]


def simple(dataset: Dataset) -> list[str]:
    found = []
    for model in MODELS:
        fitted = fit_and_score(SimpleTask(model=model, score="accuracy", seed=0), samples(dataset, "search"))
        found.append(f"{model} {fitted.score:.3f} ({fitted.seconds:.1f} s, {fitted.features} features)")
    return found


CHANGES: dict[str, dict[str, float]] = {
    "as it is": {},
    "none": {"augment": 0.0},
    "shift 0.1": {"shift": 0.1},
    "zoom 0.2": {"zoom": 0.2},
    "cut-out 0.2": {"cutout": 0.2},
    "mirrored": {"flip": True},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=("bursts", "fashion", "digits"))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")))
    parser.add_argument("--preset", default="series")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--most", type=int, default=20_000, help="training samples")
    parser.add_argument("--augment", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.only or ("bursts", "fashion", "digits"):
        with tempfile.TemporaryDirectory() as folder:
            dataset = opened(name, options.data, Path(folder))
            print(f"{name}: {len(dataset.search_train)} training series, {', '.join(simple(dataset))}", flush=True)
            if name == "bursts":
                val = dataset.search_val
                print(f"  best possible {best_possible(val.x, val.y):.3f} of {len(val)}", flush=True)
            data = on_cpu(dataset, options.most)
            for what, graph in networks(dataset, options.preset, options.networks).items():
                accuracy, seconds = score(graph, data, options.steps)
                print(f"  {what}: {accuracy:.3f} in {seconds:.0f} s", flush=True)
            for what, change in CHANGES.items() if options.augment else ():
                graph = networks(dataset, options.preset, 0)["base"]
                print(f"  base, {what}: {score(graph, data, options.steps, **change)[0]:.3f}", flush=True)


if __name__ == "__main__":
    main()
