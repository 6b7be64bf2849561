"""Data sets, networks and stored results of the benchmarks that train many networks in this process."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from archsmith.errors import NotFound, TrialFailure
from benchmarks._sources import FASHION
from search.streams import Stream, generator
from space import presets
from space.analysis import analyse
from space.architecture import Architecture
from space.decision import Decision, Option
from space.space import Space
from workers.datasets import Dataset, DataStore
from workers.datasets.ingest import ingest
from workers.train.data import TrainData
from workers.train.recipe import Recipe
from workers.train.resize import smaller_sides
from workers.train.trainer import Trainer

Row = dict[str, list[float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One data set and how its networks are trained.

    files: below the data folder; none for one that is built in. preset, macs: a space, and the most multiply-accumulate
    operations of a network from it. batch, steps: of a full training. side: pixels of the longest side, to which the
    samples are made smaller.
    """

    name: str
    preset: str
    batch: int
    steps: int
    macs: float = 30e6
    format: str = ""
    files: tuple[str, ...] = ()
    image_size: int | None = None
    side: int | None = None
    task: str | None = None


CASES = {
    case.name: case
    for case in (
        Case(name="digits", preset="chain", batch=32, steps=768),
        Case(name="mutag", preset="graph_class", batch=8, steps=768, format="tu", files=("mutag/MUTAG.zip",)),
        Case(name="cora", preset="graph_node", batch=1, steps=384, format="graph", files=("cora/cora.npz",)),
        Case(name="fashion", preset="chain", batch=128, steps=1500, format="idx", files=FASHION),
        Case(
            name="trashnet", preset="resnet", batch=32, steps=1000,
            format="images", files=("trashnet/trashnet_half.zip",), image_size=32,
        ),
        Case(
            name="adrenal", preset="volume3d", batch=32, steps=800, macs=60e6,
            format="npz", files=("adrenalmnist3d/adrenalmnist3d.npz",), side=14,
        ),
    )
}  # fmt: skip


def opened(case: Case, *, data: Path, folder: Path, seed: int = 0) -> Dataset:
    """The data set with the splits of that seed; read into a store below `folder` on first use."""
    store = DataStore(folder / "store")
    name = case.name if case.image_size is None else f"{case.name}-{case.image_size}"
    try:
        store.describe(name)
    except NotFound:
        files = [data / file for file in case.files]
        ingest(case.format, files, name=name, store=store, image_size=case.image_size)
    return store.open(name, seed=seed, task=case.task)


def on_cpu(case: Case, dataset: Dataset) -> TrainData:
    """The splits of the search."""
    data = TrainData.on(
        "cpu",
        task=dataset.task,
        train=dataset.search_train,
        val=dataset.search_val,
        mean=dataset.mean,
        std=dataset.std,
    )
    return data.at(case.side)


def input_shape(case: Case, dataset: Dataset) -> tuple[int, ...]:
    """Of a sample, as the networks see it."""
    channels, *sides = dataset.info.input_shape
    return (channels, *(smaller_sides(tuple(sides), case.side) if case.side else sides))


def architectures(case: Case, dataset: Dataset) -> Iterator[Architecture]:
    """Different random architectures of the preset, always the same ones in the same order."""
    document = presets.load(case.preset)
    space = Space.parse(document, input_shape=input_shape(case, dataset), classes=dataset.classes)
    seen: set[str] = set()
    for draw in range(10_000):
        graph = space.sample(_uniform(generator(Stream.DRAW, 0, draw, 0)))
        if graph.hash not in seen and analyse(graph).macs <= case.macs:
            seen.add(graph.hash)
            yield graph


def _uniform(draws: np.random.Generator) -> Callable[[Decision], Option]:
    return lambda decision: decision.options[int(draws.integers(len(decision.options)))]


def trained(module: torch.nn.Module, data: TrainData, recipe: Recipe) -> Row:
    """The scores at the rungs, and the seconds of processor time that had passed; a diverged training scores 0."""
    start = time.process_time()
    trainer = Trainer(module, data, recipe)
    row: Row = {"scores": [], "seconds": []}
    for _ in range(recipe.epochs):
        try:
            score = trainer.epoch().score
        except TrialFailure:
            score = 0.0
        row["scores"].append(score)
        row["seconds"].append(time.process_time() - start)
        if not score:
            break
    missing = recipe.epochs - len(row["scores"])
    return {name: values + missing * values[-1:] for name, values in row.items()}


def settings(recipe: Recipe) -> dict[str, Any]:
    """What a stored row depends on: the fields that are not as by default."""
    named = {field.name: getattr(recipe, field.name) for field in fields(Recipe)}
    return {name: value for name, value in named.items() if value != getattr(Recipe(), name)}
