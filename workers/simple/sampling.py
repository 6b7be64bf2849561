"""The samples that simple models see: all of a small data set, some thousands of a large one.

Only the rows that are drawn are read from the files, and only they are sent to the cluster.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from search.streams import Stream, generator
from workers.datasets import Dataset, GraphSplit, Split
from workers.datasets.splits import Splits

Stage = Literal["search", "final"]

TRAINED = 5_000
"""Samples that a model is fitted to, at most."""

MEASURED = 10_000
"""Samples that a model is measured on, at most: the whole test split of most public data sets."""

BYTES = 256 * 1024**2
"""Of the pictures or volumes in a part, as stored."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Some of a split. of: how many samples the split has."""

    data: Split | GraphSplit
    of: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """What a simple model is fitted to and measured on.

    task: "image", "volume", "nodes", "graphs" or "links". classes: of the task, or its labels or targets.
    mean, std: per feature of nodes, as `Dataset` has them. problem: what an answer is.
    """

    task: str
    classes: int
    train: Part
    held_out: Part
    mean: tuple[float, ...]
    std: tuple[float, ...]
    problem: str = "classification"


def samples(dataset: Dataset, stage: Stage) -> Samples:
    """Of the search: its training and validation split. Of the final stage: train + validation, and the test split."""
    seed = dataset.seed
    if stage == "search":
        train = _part(dataset, "search_train", TRAINED, generator(Stream.SIMPLE_MODELS, seed, 0))
        held_out = _part(dataset, "search_val", MEASURED, generator(Stream.SIMPLE_MODELS, seed, 1))
    else:
        train = _part(dataset, "final_train", TRAINED, generator(Stream.SIMPLE_MODELS, seed, 2))
        held_out = _part(dataset, "test", MEASURED, generator(Stream.SIMPLE_MODELS, seed, 3))
    return Samples(
        task=dataset.task,
        classes=dataset.classes,
        train=train,
        held_out=held_out,
        mean=dataset.mean,
        std=dataset.std,
        problem=dataset.problem,
    )


def _part(dataset: Dataset, name: str, most: int, rng: np.random.Generator) -> Part:
    """name: of a split of the data set."""
    rows: Rows = getattr(dataset.splits, name)
    total = int(rows.shape[-1])
    if dataset.task in ("nodes", "links"):  # questions about one graph, which is sent whole
        split: Split | GraphSplit = getattr(dataset, name)
        kept = _drawn(total, most, rng)
        if isinstance(split, GraphSplit):
            split = replace(split, index=split.index[..., kept], y=split.y[kept])
        return Part(data=split, of=total)
    if dataset.task in ("image", "volume"):
        most = max(1, min(most, BYTES // max(1, dataset.x[:1].nbytes)))
    kept = rows[_drawn(total, most, rng)]
    fewer = replace(dataset, splits=Splits(search_train=kept, search_val=kept[:0], test=kept[:0]))
    return Part(data=fewer.search_train, of=total)


def _drawn(total: int, most: int, rng: np.random.Generator) -> Rows:
    """Places of at most `most` of `total`, ascending."""
    if total <= most:
        return np.arange(total)
    return np.sort(rng.choice(total, most, replace=False))
