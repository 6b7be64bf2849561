"""Where the training differs between kinds of data: a task makes the batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from workers.train.data import Samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """inputs: what the network is called with. y: (n,) int64. rows: (n,) int64, the output rows of y; None = all."""

    inputs: tuple[Tensor, ...]
    y: Tensor
    rows: Tensor | None = None


class Task(Protocol):
    """One kind of data in one training. steps: batches of a pass over the training samples, always the same number."""

    @property
    def steps(self) -> int: ...

    def batches(self, generator: torch.Generator, *, skip: int = 0) -> Iterator[Batch]:
        """The batches of one pass, without the first `skip`; the others are the same whatever is skipped.

        All random numbers are drawn from `generator`, a generator of the CPU.
        """
        ...

    def few(self, count: int) -> Iterator[Batch]:
        """About `count` of the training samples, of each class alike, without augmentation: always the same ones."""
        ...

    def whole(self, samples: Samples) -> Iterator[Batch]:
        """All of `samples` once, without augmentation and in order, in batches that fit in memory."""
        ...


def batch_length(samples: int, *, batch_size: int, min_steps: int) -> int:
    """Samples per batch: `batch_size`, or fewer so that an epoch has `min_steps` steps; at least two if there are."""
    return min(samples, max(2, min(batch_size, samples // min_steps)))
