"""Augmentation of whole batches on the device: random shifts by a view of windows, and mirror images.

All of it works on the stored type (uint8 stays uint8), so that a batch is touched as bytes before it becomes floats.
"""

import torch
from torch import Tensor


def shift_for(height: int, width: int) -> int:
    """How far a sample may be moved, pixels: one for each 28 of the shorter side, at most 4.

    Measured, validation accuracy: 20,000 samples of Fashion-MNIST (28 x 28), 12 epochs, with shifts of 0, 1, 2: 0.923,
    0.926, 0.920; digits (8 x 8), 8 epochs, with 0 and 1: 0.996 and 0.982.
    """
    return min(4, min(height, width) // 28)


def pad_reflect(x: Tensor, pad: int) -> Tensor:
    """(N, C, H, W) of any type -> (N, C, H + 2 pad, W + 2 pad), the border mirrored without repeating the edge.

    By index instead of `functional.pad`, which has no uint8 kernel. Needs pad < H and pad < W.
    """
    if not pad:
        return x
    rows, columns = (_mirror(size, pad).to(x.device) for size in x.shape[2:])
    return x.index_select(2, rows).index_select(3, columns)


def _mirror(size: int, pad: int) -> Tensor:
    inner = torch.arange(-pad, size + pad).abs()
    return torch.where(inner < size, inner, 2 * (size - 1) - inner)


class Windows:
    """The training samples, seen through windows that can be moved by up to `shift` pixels each way.

    The padded samples are stored once; `unfold` gives a view (N, 2s+1, 2s+1, ...) of all shifted versions without
    copying, so one gather per batch does sampling and shifting together.
    """

    def __init__(self, x: Tensor, *, shift: int, channels_last: bool) -> None:
        """x: (N, C, H, W) on its device."""
        self._shift = shift
        self._channels_last = channels_last
        height, width = x.shape[2:]
        padded = pad_reflect(x, shift)
        if channels_last:
            self._view = padded.permute(0, 2, 3, 1).contiguous().unfold(1, height, 1).unfold(2, width, 1)
        else:
            self._view = padded.contiguous().unfold(2, height, 1).unfold(3, width, 1)

    def batch(self, rows: Tensor, *, flip: bool, generator: torch.Generator) -> Tensor:
        """rows: (B,) on the device -> (B, C, H, W), channels last in memory when asked for so."""
        count, device = len(rows), rows.device
        span = 2 * self._shift + 1
        dy, dx = torch.randint(span, (2, count), generator=generator).to(device, non_blocking=True)
        x = self._view[rows, dy, dx] if self._channels_last else self._view[rows, :, dy, dx]
        if flip:
            mirrored = torch.rand(count, generator=generator).to(device, non_blocking=True) < 0.5
            x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
        return x.contiguous(memory_format=torch.channels_last) if self._channels_last else x
