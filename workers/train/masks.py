"""Pictures with a mask each: the mask is moved with its picture, and not judged where nothing is known of it."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from workers.train.augment import Moves, Windows, crop, cut_out, shift_for
from workers.train.data import Samples, TrainData
from workers.train.maps import SCORE_PIXELS, Maps
from workers.train.of_pixels import NOT_JUDGED
from workers.train.recipe import Recipe
from workers.train.task import Batch

CLASSES = 16
"""Up to which the logits of an evaluation batch are hardly larger than the maps that they are made of."""


class Masks(Maps):
    """The network is called with x (B, C, H, W) float32; y is (B, H, W) uint8, 255 where a pixel is not judged."""

    def __init__(self, data: TrainData, recipe: Recipe) -> None:
        super().__init__(data, recipe)
        y = data.train.y
        shift = shift_for(*y.shape[1:], share=recipe.shift) if recipe.augment else 0
        self._masks = MaskWindows(y, shift=shift)
        self._classes = 1 + int(torch.where(y == NOT_JUDGED, 0, y).max())

    def whole(self, samples: Samples, *, pixels: int = SCORE_PIXELS) -> Iterator[Batch]:
        yield from super().whole(samples, pixels=pixels * CLASSES // max(CLASSES, self._classes))

    def _answers(self, rows: Tensor, moves: Moves, seed: int) -> Tensor:
        """(B, H, W). What a shift mirrors in at the edge and what a cut-out hides are not judged."""
        masks, generator = self._masks.batch(rows, moves), torch.Generator().manual_seed(seed)
        if self._zoom:
            masks = crop_masks(masks, moves.changed, zoom=self._zoom, generator=generator)
        if self._hole:
            seen = torch.ones(masks.shape, device=masks.device)
            hidden = cut_out(seen, moves.changed, side=self._hole, generator=generator) == 0
            masks = masks.masked_fill(hidden, NOT_JUDGED)
        return masks.squeeze(1).to(self._recipe.device, non_blocking=True)


class MaskWindows(Windows):
    """As `Windows`, with pixels that are not judged around each mask."""

    def __init__(self, y: Tensor, *, shift: int) -> None:
        """y: (N, H, W) uint8 on its device."""
        self._shift, self._channels_last, self._axes = shift, False, 2
        padded = F.pad(y.unsqueeze(1), (shift,) * 4, value=NOT_JUDGED)
        self._view = padded.unfold(2, y.shape[1], 1).unfold(3, y.shape[2], 1)


def crop_masks(masks: Tensor, changed: Tensor, *, zoom: float, generator: torch.Generator) -> Tensor:
    """(B, 1, H, W) -> the same shape and type: what `crop` with the same generator shows, of the nearest pixel each.

    The places that are shown are those of a map of places that is cropped alike.
    """
    height, width = masks.shape[2:]
    places = [torch.arange(side, dtype=torch.float32, device=masks.device) for side in (height, width)]
    grid = torch.stack(torch.meshgrid(*places, indexing="ij")).expand(len(masks), 2, height, width)
    found = crop(grid, changed, zoom=zoom, generator=generator).round().long()
    flat = found[:, 0].clamp(0, height - 1) * width + found[:, 1].clamp(0, width - 1)
    return masks.flatten(2).gather(2, flat.flatten(1).unsqueeze(1)).view(masks.shape)
