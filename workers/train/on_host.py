"""Samples that are not copied to the device of a training: in a mapped file, or in host memory beside a card that is
too small. A batch of them is gathered when it is asked for, then sent, made smaller and augmented.

The batches are those of a training that holds its samples, bit for bit: the same rows, the same draws, the same
arithmetic, in another order.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from workers.datasets.mapped import MappedRows
from workers.datasets.raw import chunks
from workers.train.augment import Moves, Windows
from workers.train.resize import smaller, smaller_sides

CARD_SHARE = 1 / 8
"""Of a card's memory: a split with more bytes stays on the host. With its padded copy one below takes a quarter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnHost:
    """How a batch gets to the device.

    rows: (N,) int64, the samples' rows in the stored tensor; None, all in order. device: where batches are wanted.
    side: pixels of the longest side to which a batch is made smaller; None, as stored.
    """

    rows: Tensor | None
    device: str
    side: int | None = None

    def batch(self, x: Tensor, places: Tensor | slice) -> Tensor:
        """x: (M, C, H, W) or (M, C, D, H, W) as stored, on the host. Returns the samples `places`, (B, C, h, w) or so.

        Sent from pinned memory, so that a card computes meanwhile.
        """
        rows = places if self.rows is None else self.rows[places]
        found = x[rows] if isinstance(rows, slice) else x.index_select(0, rows)  # 12 times as fast as x[rows]
        if self.device != "cpu":
            found = found.pin_memory().to(self.device, non_blocking=True)
        return found if self.side is None else smaller(found, self.side)

    def shape(self, x: Tensor) -> tuple[int, ...]:
        """Of one sample in a batch: (C, h, w) or (C, d, h, w)."""
        channels, *sides = x.shape[1:]
        return channels, *(sides if self.side is None else smaller_sides(tuple(sides), self.side))


class GatheredWindows(Windows):
    """As `Windows`, of samples that are gathered batch by batch: only the batch is padded."""

    def __init__(self, take: Callable[[Tensor], Tensor], *, axes: int, shift: int, channels_last: bool) -> None:
        """take: rows (B,) -> samples (B, C, H, W) or (B, C, D, H, W) on the device. axes: 2, or 3 of volumes."""
        self._take, self._axes = take, axes
        self._shift, self._channels_last = shift, channels_last

    def batch(self, rows: Tensor, moves: Moves) -> Tensor:
        x = self._take(rows)
        windows = Windows(x, shift=self._shift, channels_last=self._channels_last)
        return windows.batch(torch.arange(len(x), device=x.device), moves)


def fits(size: int, device: str) -> bool:
    """Whether a split of `size` bytes may be copied to the device."""
    if device == "cpu":
        return True
    return size <= CARD_SHARE * torch.cuda.get_device_properties(device).total_memory


def viewed(x: npt.NDArray[Any]) -> Tensor:
    """The array as a tensor without a copy, only to be read: torch warns of arrays that cannot be written."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.from_numpy(x)


def sent(stored: MappedRows, device: str) -> Tensor:
    """All rows on the device, read a few at a time, so that the host never has them all."""
    out = torch.empty(stored.shape, dtype=viewed(np.empty(0, stored.dtype)).dtype, device=device)
    for piece in chunks(len(stored), stored.nbytes // max(1, len(stored))):
        out[piece] = torch.from_numpy(stored.read(piece)).to(device)
    return out
