"""The arrays of one job as they are sent to the trials.

A search trial gets `search_data`, which has no test split, so no code in a trial can read one. (Of a large data set it
gets the path of the file and the rows of its own splits.)
"""

from dataclasses import dataclass, replace

import numpy as np

from workers.datasets import Dataset, GraphSplit, MappedSplit, Split
from workers.weights.inherit import Donor

AnySplit = Split | MappedSplit | GraphSplit


@dataclass(frozen=True, kw_only=True, slots=True)
class JobData:
    """key: identifies the content in the cache of a process. val: None in the final stage. test: None in the search.

    task: one of the data set's; Split for "image" and "volume", MappedSplit where they are large (then only the path of
    their file is sent), else GraphSplit. mean, std: in the units of x, per
    channel or feature, as `Dataset` says. donor: whose weights new networks start from. problem: one of
    `workers.conventions.PROBLEMS`. target_mean, target_std: of the targets of regression, in their own units; else ().
    """

    key: str
    train: AnySplit
    val: AnySplit | None
    test: AnySplit | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    task: str = "image"
    donor: Donor | None = None
    problem: str = "classification"
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()


def search_data(dataset: Dataset) -> JobData:
    """The splits that search trials train and validate on."""
    train = dataset.split("search_train")
    return JobData(
        key=_key(dataset, "search"),
        task=dataset.task,
        train=train,
        val=_sharing(dataset.split("search_val"), train),
        test=None,
        mean=dataset.mean,
        std=dataset.std,
        problem=dataset.problem,
        target_mean=dataset.target_mean,
        target_std=dataset.target_std,
    )


def final_data(dataset: Dataset) -> JobData:
    """The splits that finalists train on and are measured on, once.

    Training is on train + validation, or on the source's training nodes alone where it names them.
    """
    train = dataset.split("final_train")
    return JobData(
        key=_key(dataset, "final"),
        task=dataset.task,
        train=train,
        val=None,
        test=_sharing(dataset.split("test"), train),
        mean=dataset.mean,
        std=dataset.std,
        problem=dataset.problem,
        target_mean=dataset.target_mean,
        target_std=dataset.target_std,
    )


def _sharing(split: AnySplit, other: AnySplit) -> AnySplit:
    """The split with the arrays of `other` where they are equal, so that a graph in both is sent once."""
    if not isinstance(split, GraphSplit) or not isinstance(other, GraphSplit):
        return split
    same = split.x.shape == other.x.shape and np.shares_memory(split.x, other.x)
    return replace(split, x=other.x, edges=other.edges) if same and np.array_equal(split.edges, other.edges) else split


def _key(dataset: Dataset, stage: str) -> str:
    return f"{dataset.sha256}/{dataset.seed}/{dataset.task}/{stage}"
