"""The arrays of one job on their way to the trials: what crosses the wire, and what a process keeps on its device.

A search trial gets `search_data`, which holds no test split: no code that runs in it can open one.
"""

from dataclasses import dataclass

from workers.datasets import Dataset, Split


@dataclass(frozen=True, kw_only=True, slots=True)
class JobData:
    """key: names the content, for the cache of a process. val: None in the final stage. test: None in the search.

    mean, std: per channel over search_train, in the units of x.
    """

    key: str
    train: Split
    val: Split | None
    test: Split | None
    mean: tuple[float, ...]
    std: tuple[float, ...]


def search_data(dataset: Dataset) -> JobData:
    """What search trials train and validate on."""
    key = f"{dataset.sha256}/{dataset.seed}/search"
    return JobData(
        key=key, train=dataset.search_train, val=dataset.search_val, test=None, mean=dataset.mean, std=dataset.std
    )


def final_data(dataset: Dataset) -> JobData:
    """What finalists train on (train + validation) and are measured on, once."""
    key = f"{dataset.sha256}/{dataset.seed}/final"
    return JobData(key=key, train=dataset.final_train, val=None, test=dataset.test, mean=dataset.mean, std=dataset.std)
