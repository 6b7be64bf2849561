"""The time and energy of one forward pass on this worker; and on a GPU, the memory of the training.

Batch 1, as in serving: one image, one volume, one graph of median size, or for nodes and links the whole graph. In
float32 and evaluation mode, as the bundle's `model.py` runs, in the memory layout of the training, with the trial's
threads. It is measured after the first epoch, when all kernels are warm: the weights do not change what a pass costs,
and so trials that a scheduler stops early have their figures as well.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from archsmith.errors import TrialFailure
from workers.measures.energy import Meter, meter
from workers.train.memory import memory_guard

if TYPE_CHECKING:
    from workers.train.trainer import Trainer

WARM_UP, RUNS, SECONDS = 10, 50, 0.3
"""Passes that do not count; then the fewest that do, and the seconds up to which more are run."""

ENERGY_S = 1.0
"""Seconds for which passes are repeated to measure energy: the counters are updated every 1 to 100 ms."""

Run = Callable[[], None]


def measure(trainer: "Trainer", wanted: Sequence[str]) -> dict[str, float]:
    """Those of the wanted measures that a worker measures, with figures on their precision.

    latency_ms: the median; latency_spread_ms: half of the interquartile range; latency_runs; latency_threads.
    energy_j: mean joules of a pass, including the idle power of the device. cuda_peak_mb, where memory_mb is wanted:
    the peak memory in MiB that torch has held on the GPU since the training began, including the data set.
    Raises TrialFailure (`unmeasured`, `out_of_memory`).
    """
    found: dict[str, float] = {}
    if "memory_mb" in wanted and trainer.device.startswith("cuda"):
        found["cuda_peak_mb"] = torch.cuda.max_memory_allocated(trainer.device) / 2**20
    if {"latency_ms", "energy_j"} & set(wanted):
        found |= passes(trainer, with_energy="energy_j" in wanted)
    return found


def passes(trainer: "Trainer", *, with_energy: bool) -> dict[str, float]:
    """Milliseconds and, if asked for, joules of one forward pass, by name as in `measure`.

    Raises TrialFailure (`unmeasured`) where the machine has no energy counter that can be read, (`out_of_memory`).
    """
    gauge = meter(trainer.device) if with_energy else None
    if isinstance(gauge, str):
        raise TrialFailure(f"energy_j cannot be measured: {gauge}", cause="unmeasured")
    run = forward(trainer)
    with memory_guard(), torch.inference_mode():
        seconds = timed(run)
        found = {**described(seconds), "latency_threads": float(torch.get_num_threads())}
        if gauge is not None:
            found["energy_j"] = energy(run, gauge, each_s=float(np.median(seconds)))
    return found


def forward(trainer: "Trainer") -> Run:
    """A function that runs one pass on one sample (`Trainer.example`) and waits for a GPU to finish."""
    module, inputs = trainer.module.eval(), trainer.example()
    cuda = trainer.device.startswith("cuda")

    def run() -> None:
        module(*inputs)
        if cuda:
            torch.cuda.synchronize()

    return run


def timed(run: Run, *, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Wall-clock seconds of each pass after the warm-up, which is what a caller waits."""
    for _ in range(WARM_UP):
        run()
    seconds: list[float] = []
    began = clock()
    while len(seconds) < RUNS or (clock() - began < SECONDS and len(seconds) < 20 * RUNS):
        start = clock()
        run()
        seconds.append(clock() - start)
    return seconds


def described(seconds: Sequence[float]) -> dict[str, float]:
    """Median, spread and count of the passes, by name as in `measure`."""
    low, middle, high = np.quantile(seconds, (0.25, 0.5, 0.75))
    return {
        "latency_ms": 1000.0 * float(middle),
        "latency_spread_ms": 500.0 * float(high - low),
        "latency_runs": float(len(seconds)),
    }


def energy(run: Run, gauge: Meter, *, each_s: float) -> float:
    """Joules of one pass."""
    runs = max(RUNS, int(ENERGY_S / max(each_s, 1e-6)))
    return gauge.joules(run, runs) / runs
