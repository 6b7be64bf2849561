"""The arrays of one job on their way to the trials: what crosses the wire, and what a process keeps on its device.

A search trial gets `search_data`, which holds no test split: no code that runs in it can open one.
"""

from dataclasses import dataclass, replace

import numpy as np

from workers.datasets import Dataset, GraphSplit, Split
from workers.weights.inherit import Donor


@dataclass(frozen=True, kw_only=True, slots=True)
class JobData:
    """key: names the content, for the cache of a process. val: None in the final stage. test: None in the search.

    task: one of the data set's; Split for "image" and "volume", else GraphSplit. mean, std: in the units of x, per
    channel or feature, as `Dataset` says. donor: whose weights new networks start from.
    """

    key: str
    train: Split | GraphSplit
    val: Split | GraphSplit | None
    test: Split | GraphSplit | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    task: str = "image"
    donor: Donor | None = None


def search_data(dataset: Dataset) -> JobData:
    """What search trials train and validate on."""
    train = dataset.search_train
    return JobData(
        key=_key(dataset, "search"),
        task=dataset.task,
        train=train,
        val=_sharing(dataset.search_val, train),
        test=None,
        mean=dataset.mean,
        std=dataset.std,
    )


def final_data(dataset: Dataset) -> JobData:
    """What finalists train on (train + validation; the source's training nodes alone where it names them) and are
    measured on, once."""
    train = dataset.final_train
    return JobData(
        key=_key(dataset, "final"),
        task=dataset.task,
        train=train,
        val=None,
        test=_sharing(dataset.test, train),
        mean=dataset.mean,
        std=dataset.std,
    )


def _sharing(split: Split | GraphSplit, other: Split | GraphSplit) -> Split | GraphSplit:
    """The split with the arrays of `other` where they are equal: what both see of one graph crosses the wire once."""
    if not isinstance(split, GraphSplit) or not isinstance(other, GraphSplit):
        return split
    same = split.x.shape == other.x.shape and np.shares_memory(split.x, other.x)
    return replace(split, x=other.x, edges=other.edges) if same and np.array_equal(split.edges, other.edges) else split


def _key(dataset: Dataset, stage: str) -> str:
    return f"{dataset.sha256}/{dataset.seed}/{dataset.task}/{stage}"
