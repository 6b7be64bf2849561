"""Which number type and memory layout train fastest on this machine: measured in a few seconds, once per worker.

It depends on the processor (AMX, AVX-512 BF16, tensor cores), the library and the threads, so it is not looked up.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import nn

from workers.datasets import Split
from workers.train.data import TrainData
from workers.train.recipe import Recipe
from workers.train.trainer import Trainer

BUDGET_S = 2.5
MARGIN = 1.05
"""A setting must beat the plain one by this factor: below it the difference is noise, and fp32 is the safer choice."""
PLAIN = ("fp32", "nchw")
_PIXELS = 64 * 28 * 28
"""Pixels in one measured batch: 64 samples of 28 x 28."""
_BATCHES = 8
"""In one turn of one setting: about 0.1 s on one core."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Best training throughput seen of one setting: what disturbs a measurement only ever makes it slower.

    images_per_second: on a CPU per second of processor time, so that waiting for a busy machine does not count.
    """

    precision: str
    layout: str
    images_per_second: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """The fastest setting, and the table it was chosen from. threads: with how many it was measured."""

    precision: str
    layout: str
    device: str
    threads: int
    table: tuple[Timing, ...]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "table": [asdict(timing) for timing in self.table]}


def reference_network(input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Convolutions of 3 along each side, with 16, 32, 64 channels, each with batch norm, ReLU and, while it can be,
    a max-pool of 2. input_shape: (C, H, W) or (C, D, H, W)."""
    channels, *sides = input_shape
    volume = len(sides) == 3
    convolution, norm = (nn.Conv3d, nn.BatchNorm3d) if volume else (nn.Conv2d, nn.BatchNorm2d)
    layers: list[nn.Module] = []
    for out in (16, 32, 64):
        layers += [convolution(channels, out, 3, padding=1, bias=False), norm(out), nn.ReLU()]
        channels = out
        if min(sides) >= 2:
            layers.append(nn.MaxPool3d(2) if volume else nn.MaxPool2d(2))
            sides = [side // 2 for side in sides]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * math.prod(sides), classes))


def candidates(device: str) -> tuple[tuple[str, str], ...]:
    """(precision, layout), the plain one first. fp16 needs loss scaling and pays on a GPU only."""
    settings = (PLAIN, ("fp32", "nhwc"), ("bf16", "nhwc"))
    return (*settings, ("fp16", "nhwc")) if device.startswith("cuda") else settings


def calibrate(
    input_shape: tuple[int, ...], *, device: str = "cpu", threads: int = 1, budget_s: float = BUDGET_S
) -> Calibration:
    """Trains the reference network on noise of `input_shape` (C, H, W) in turns with each setting, about `budget_s`."""
    deadline = time.perf_counter() + budget_s
    runs = {numerics: _run(input_shape, numerics, device=device, threads=threads) for numerics in candidates(device)}
    for run in runs.values():
        run()  # not counted: the first pass also prepares kernels
    best = dict.fromkeys(runs, 0.0)
    while not best[PLAIN] or time.perf_counter() < deadline:
        for numerics, run in runs.items():  # in turns, so that a disturbance hits all alike
            best[numerics] = max(best[numerics], run())
    table = tuple(Timing(precision=p, layout=m, images_per_second=best[p, m]) for p, m in best)
    precision, layout = choose(table)
    return Calibration(precision=precision, layout=layout, device=device, threads=threads, table=table)


def choose(table: tuple[Timing, ...]) -> tuple[str, str]:
    """The fastest (precision, layout), but the plain one unless it is beaten by MARGIN."""
    speed = {(t.precision, t.layout): t.images_per_second for t in table}
    fastest = max(speed, key=lambda numerics: speed[numerics])
    return fastest if speed[fastest] >= MARGIN * speed[PLAIN] else PLAIN


def _run(input_shape: tuple[int, ...], numerics: tuple[str, str], *, device: str, threads: int) -> Callable[[], float]:
    """One epoch of a few batches at each call; gives images per second."""
    fewest, batches = (8, _BATCHES) if len(input_shape) == 3 else (2, _BATCHES // 4)  # a volume has many more voxels
    batch = max(fewest, _PIXELS // math.prod(input_shape[1:]))
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (batch * batches, *input_shape), dtype=np.uint8)
    noise = Split(x=x, y=generator.integers(0, 10, len(x)))
    channels = input_shape[0]
    data = TrainData.on(device, train=noise, val=None, mean=(127.5,) * channels, std=(74.0,) * channels)
    precision, layout = numerics
    recipe = Recipe(
        epochs=10**6, batch_size=batch, min_steps=1, precision=precision, layout=layout, device=device, threads=threads
    )
    trainer = Trainer(reference_network(input_shape, 10), data, recipe)

    clock = time.process_time if device == "cpu" else time.perf_counter

    def run() -> float:
        start = clock()
        trainer.train_epoch()  # reads its loss back, so a GPU has finished too
        return len(x) / (clock() - start)

    return run
