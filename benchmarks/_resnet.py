"""A hand-made residual network and its training in plain PyTorch, for a given time: what a search is compared with.

Nothing of archsmith is used. One-cycle SGD over the time that is given, label smoothing, random shifts, mirroring where
it helps, batch norm, channels-last. With width 32 it has 0.3 million weights and takes 37 million multiply-accumulates
for a picture of 28 x 28 pixels.
"""

import math
import os
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """Two 3 x 3 convolutions around which the input is added: (B, C, H, W) -> (B, width, H/stride, W/stride)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width)])
        self.beside = nn.Conv2d(channels, width, 1, stride, bias=False) if channels != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.norms[1](self.second(y)) + self.beside(x))


def resnet(channels: int, classes: int, *, side: int, width: int = 32) -> nn.Sequential:
    """(B, channels, side, side) -> (B, classes). Pictures of more than 40 pixels are halved by the first layer."""
    stride = 2 if side > 40 else 1
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, classes),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """shift: pixels. rate: highest, for batches of 128. checks: shares of the time at which validation is measured."""

    seconds: float
    batch: int = 128
    rate: float = 0.1
    shift: int = 2
    mirror: bool = True
    smoothing: float = 0.1
    decay: float = 5e-4
    threads: int = 0
    seed: int = 0
    checks: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 1.0)


def rate_at(share: float) -> float:
    """Of the highest learning rate, after a share of the time: up in a fifth of it, then down by half a cosine."""
    return max(0.01, share / 0.2) if share < 0.2 else 0.5 * (1.0 + math.cos(math.pi * min(1.0, (share - 0.2) / 0.8)))


def changed(x: Tensor, recipe: Recipe) -> Tensor:
    """(B, C, H, W), each picture shifted and perhaps mirrored at random."""
    if recipe.mirror:
        x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
    if not recipe.shift:
        return x
    height, width = x.shape[2:]
    padded = F.pad(x, (recipe.shift,) * 4)
    down, right = torch.randint(0, 2 * recipe.shift + 1, (2, len(x), 1))
    rows, columns = down + torch.arange(height), right + torch.arange(width)
    picked = padded[torch.arange(len(x))[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def accuracy(module: nn.Module, x: Tensor, y: Tensor) -> float:
    module.eval()
    with torch.inference_mode():
        parts = zip(torch.split(x, 500), torch.split(y, 500), strict=True)
        right = sum(int((module(part).argmax(1) == of).sum()) for part, of in parts)
    module.train()
    return right / len(y)


def train(
    x: Tensor, y: Tensor, held_out: tuple[Tensor, Tensor] | None, recipe: Recipe
) -> tuple[nn.Module, list[list[float]], float]:
    """x: (N, C, H, W), normalised -> the network, [seconds, validation score] at the checks, passes over the data.

    The time holds for everything: validation is paid for out of it, except for the last one.
    """
    torch.set_num_threads(recipe.threads or os.cpu_count() or 1)
    torch.manual_seed(recipe.seed)
    module = resnet(x.shape[1], int(y.max()) + 1, side=x.shape[-1])
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    rate = recipe.rate * recipe.batch / 128
    optimizer = torch.optim.SGD(module.parameters(), rate, 0.9, weight_decay=recipe.decay, nesterov=True)
    began, seen, told = time.monotonic(), 0, []
    checks, order = list(recipe.checks), torch.empty(0, dtype=torch.long)
    while (share := (time.monotonic() - began) / recipe.seconds) < 1.0:
        if held_out and checks and share >= checks[0]:
            del checks[0]
            told.append([time.monotonic() - began, accuracy(module, *held_out)])
        if len(order) < recipe.batch:
            order = torch.cat([order, torch.randperm(len(x))])
        rows, order = order[: recipe.batch], order[recipe.batch :]
        for group in optimizer.param_groups:
            group["lr"] = rate * rate_at(share)
        logits = module(changed(x[rows], recipe))
        loss = F.cross_entropy(logits, y[rows], label_smoothing=recipe.smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seen += len(rows)
    if held_out:
        told.append([time.monotonic() - began, accuracy(module, *held_out)])
    return module, told, seen / len(x)
