"""The choice among finalists where the validation split is too small for one: by the folds of training and validation.

On 30 samples an accuracy of 0.8 is known to 0.14 (95 %), so a choice by them is nearly a draw of lots. Here the samples
of both splits are dealt out to FOLDS folds, of each class alike; each candidate is trained FOLDS times without one of
them and scored on it, so that every sample is judged once: 200 of them in the place of 30. It is made in time that
would be left over only (`spare`), and costs FOLDS times the trainings. The test split takes no part in it.

Stone 1974, Cross-validatory choice and assessment of statistical predictions; five folds as in Hastie, Tibshirani &
Friedman 2009, section 7.10.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from search.streams import Stream, generator
from workers.datasets import Dataset
from workers.datasets.splits import Splits
from workers.datasets.strata import strata
from workers.finalists.selection import REPETITION, Selection
from workers.finalists.training import FinalistTask
from workers.train.job_data import JobData, search_data

FOLDS = 5
FEW = 100
"""Validation samples below which folds choose: 0.8 of 100 is known to 0.08."""
MOST = 2_000
"""Samples of both splits up to which they do: with more, a small validation split is the source's own choice."""
FIRST = REPETITION + 1
"""Number, within a trial's full trainings, of the one without the first fold."""


def possible(dataset: Dataset) -> bool:
    """Whether folds tell more than the validation split: that is small, and the samples stand alone.

    Nodes and links are of one graph; where samples come in groups, a fold would divide them.
    """
    sizes = dataset.split_sizes
    alone = dataset.task not in ("nodes", "links") and "groups" not in dataset.info.report
    both = sizes["search_train"] + sizes["search_val"]
    return alone and sizes["search_val"] < FEW and 2 * FOLDS <= both <= MOST


def fold_data(dataset: Dataset) -> tuple[JobData, ...]:
    """Of each fold: all other samples of training and validation split to train on, its own to validate on."""
    rows = dataset.splits.final_train
    place = dealt(strata(dataset.y[rows], dataset.problem), seed=dataset.seed)
    found = []
    for fold in range(FOLDS):
        splits = Splits(search_train=rows[place != fold], search_val=rows[place == fold], test=rows[:0])
        data = search_data(replace(dataset, splits=splits))
        found.append(replace(data, key=f"{data.key}/fold {fold}"))
    return tuple(found)


def dealt(labels: npt.NDArray[np.int64], *, seed: int) -> npt.NDArray[np.int64]:
    """labels: (N,) strata -> (N,) the fold of each sample. Sizes of folds differ by one, within a stratum too."""
    drawn = generator(Stream.FOLDS, seed)
    order = np.concatenate([drawn.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)])
    place = np.empty(len(labels), dtype=np.int64)
    place[order] = np.arange(len(order)) % FOLDS
    return place


def fold_of(task: FinalistTask) -> int:
    return task.seed - FIRST


def merged(
    tasks: Sequence[FinalistTask], found: Mapping[tuple[int, int], Selection], *, sizes: Sequence[int]
) -> dict[int, Selection]:
    """By rank, the mean score over the folds, each sample counted once; only where all folds are there.

    found: by rank and seed of the task. sizes: samples of each fold. One fold that failed fails the candidate.
    """
    whole = {}
    for rank in dict.fromkeys(task.rank for task in tasks):
        own = {fold_of(task): found.get((rank, task.seed)) for task in tasks if task.rank == rank}
        ended = {fold: one for fold, one in own.items() if one is not None}
        if len(ended) < len(own):
            continue
        scores = [(one.score, sizes[fold]) for fold, one in ended.items() if one.score is not None]
        failed = len(scores) < len(ended)
        mean = None if failed else sum(score * size for score, size in scores) / sum(size for _, size in scores)
        whole[rank] = Selection(
            score=mean,
            seconds=sum(one.seconds for one in ended.values()),
            epochs=sum(one.epochs for one in ended.values()),
            reason=next((one.reason for one in ended.values() if one.reason), None),
            folds=len(ended),
        )
    return whole
