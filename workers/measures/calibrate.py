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
"""Other numerics must beat PLAIN by this factor: below it the difference is noise, and fp32 is the safer choice."""
PLAIN = ("fp32", "nchw")
_PIXELS = 64 * 28 * 28
"""Pixels in one measured batch: 64 samples of 28 x 28."""
_BATCHES = 8
"""Batches in one timed turn of one candidate: about 0.1 s on one core."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Best training throughput of one candidate, since a disturbance can only make a measurement slower.

    images_per_second: on a CPU per second of processor time, so that waiting on a busy machine does not count.
    """

    precision: str
    layout: str
    images_per_second: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """The fastest numerics, and the table they were chosen from. threads: number used for the measurement."""

    precision: str
    layout: str
    device: str
    threads: int
    table: tuple[Timing, ...]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "table": [asdict(timing) for timing in self.table]}


_LAYERS: dict[int, tuple[Callable[..., nn.Module], ...]] = {
    1: (nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d),
    2: (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d),
    3: (nn.Conv3d, nn.BatchNorm3d, nn.MaxPool3d),
}
"""By the number of sides."""


def reference_network(input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Three blocks of convolution (kernel 3), batch norm and ReLU with 16, 32, 64 channels, then a linear layer.

    Each block ends with a max-pool of 2 while its sides allow. input_shape: (C, H, W), (C, D, H, W) or (C, T).
    The module maps (B, *input_shape) float32 to logits (B, classes).
    """
    channels, *sides = input_shape
    convolution, norm, pool = _LAYERS[len(sides)]
    layers: list[nn.Module] = []
    for out in (16, 32, 64):
        layers += [convolution(channels, out, 3, padding=1, bias=False), norm(out), nn.ReLU()]
        channels = out
        if min(sides) >= 2:
            layers.append(pool(2))
            sides = [side // 2 for side in sides]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * math.prod(sides), classes))


def candidates(device: str, *, sides: int = 2) -> tuple[tuple[str, str], ...]:
    """Pairs of (precision, layout), PLAIN first. fp16 needs loss scaling and pays on a GPU only.

    sides: of a sample. torch has no channels-last layout for series, of one side.
    """
    last = "nhwc" if sides > 1 else "nchw"
    pairs = (PLAIN, *((("fp32", last),) if sides > 1 else ()), ("bf16", last))
    return (*pairs, ("fp16", last)) if device.startswith("cuda") else pairs


def calibrate(
    input_shape: tuple[int, ...], *, device: str = "cpu", threads: int = 1, budget_s: float = BUDGET_S
) -> Calibration:
    """Times the candidates by training the reference network on noise, in turns, for about `budget_s` seconds.

    input_shape: (C, H, W), (C, D, H, W) or (C, T). Raises TrialFailure (`out_of_memory`).
    """
    deadline = time.perf_counter() + budget_s
    pairs = candidates(device, sides=len(input_shape) - 1)
    runs = {numerics: _run(input_shape, numerics, device=device, threads=threads) for numerics in pairs}
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
    """The fastest (precision, layout), or PLAIN unless that is beaten by MARGIN."""
    speed = {(t.precision, t.layout): t.images_per_second for t in table}
    fastest = max(speed, key=lambda numerics: speed[numerics])
    return fastest if speed[fastest] >= MARGIN * speed[PLAIN] else PLAIN


def _run(input_shape: tuple[int, ...], numerics: tuple[str, str], *, device: str, threads: int) -> Callable[[], float]:
    """A function that trains one epoch of a few batches and returns images per second."""
    fewest, batches = (2, _BATCHES // 4) if len(input_shape) == 4 else (8, _BATCHES)  # a volume has many more voxels
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
