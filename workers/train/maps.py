"""Images, volumes, series: batches gathered from stored bytes, shifted, mirrored, normalised on the device."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from workers.train.augment import Moves, crop, cut_out, memory_format, shift_for
from workers.train.data import Samples, TrainData
from workers.train.recipe import Recipe
from workers.train.task import Batch, batch_length

SCORE_PIXELS = 2**20
"""Pixels in one evaluation batch: 1337 samples of 28 x 28, 256 of 64 x 64, 47 of 28 x 28 x 28."""


class Maps:
    """The network is called with x (B, C, H, W), (B, C, D, H, W) or (B, C, T), float32."""

    def __init__(self, data: TrainData, recipe: Recipe) -> None:
        self._data, self._recipe = data, recipe
        sides = data.train.shape[1:]
        self._channels_last = recipe.layout == "nhwc" and len(sides) > 1  # torch has no such format for series
        shift = shift_for(*sides, share=recipe.shift) if recipe.augment else 0
        self._hole = round(recipe.cutout * min(sides)) if recipe.augment else 0
        self._zoom = recipe.zoom if recipe.augment else 0.0
        self._windows = data.windows(shift=shift, channels_last=self._channels_last)
        # A volume has no upright orientation, so it is mirrored along each axis; a photograph has one.
        self._mirror = () if not recipe.flip else (2, 3, 4) if len(sides) == 3 else (1 + len(sides),)
        self._rows = data.part(recipe.subset)
        samples = len(self._rows)
        self._length = batch_length(samples, batch_size=recipe.batch_size, min_steps=recipe.min_steps)
        self._steps = max(1, samples // self._length)
        column = (1, -1, *[1] * len(sides))
        self._mean = torch.tensor(data.mean, device=recipe.device).view(column)
        self._scale = 1.0 / torch.tensor(data.std, device=recipe.device).view(column)

    @property
    def steps(self) -> int:
        return self._steps

    def batches(self, generator: torch.Generator, *, skip: int = 0) -> Iterator[Batch]:
        """Augmented batches: x (B, C, sides), y (B,). The last, smaller batch is left out."""
        share = float(self._recipe.augment)
        order = self._rows[torch.randperm(len(self._rows), generator=generator).to(self._rows.device)]
        for step, rows in enumerate(order[: self._steps * self._length].view(self._steps, self._length)):
            moves = self._windows.draw(self._length, mirror=self._mirror, share=share, generator=generator)
            seed = int(torch.randint(2**62, (), generator=generator)) if self._zoom or self._hole else 0
            if step >= skip:
                x = self._ready(self._windows.batch(rows, moves))
                yield Batch(inputs=(self._changed(x, moves.changed, seed),), y=self._answers(rows, moves, seed))

    def _answers(self, rows: Tensor, moves: Moves, seed: int) -> Tensor:  # noqa: ARG002  # masks are moved too
        """The answers to the samples of a batch. rows: (B,); moves, seed: as they were moved and changed."""
        return self._data.train.answers(rows)

    def whole(self, samples: Samples, *, pixels: int = SCORE_PIXELS) -> Iterator[Batch]:
        """Batches of at most so many pixels, but two samples (one has no variance), normalised only."""
        size = max(2, pixels // math.prod(samples.shape[1:]))
        for start in range(0, len(samples.y), size):
            places = slice(start, start + size)
            yield Batch(inputs=(self._ready(samples.take(places)),), y=samples.answers(places))

    def few(self, count: int) -> Iterator[Batch]:
        rows, train = self._data.order[:count], self._data.train
        yield from self.whole(Samples(x=train.take(rows), y=train.answers(rows)))

    def _changed(self, x: Tensor, changed: Tensor, seed: int) -> Tensor:
        """x: (B, C, sides) normalised -> with crops and cut-outs where the recipe has them."""
        generator = torch.Generator().manual_seed(seed)
        if self._zoom:
            x = crop(x, changed, zoom=self._zoom, generator=generator)
        if self._hole:
            x = cut_out(x, changed, side=self._hole, generator=generator)
        return x.contiguous(memory_format=memory_format(x)) if self._channels_last else x

    def _ready(self, x: Tensor) -> Tensor:
        """Stored values, any shape of `Samples.x` -> normalised float32 in the recipe's layout."""
        x = (x.to(torch.float32) - self._mean) * self._scale
        return x.contiguous(memory_format=memory_format(x)) if self._channels_last else x
