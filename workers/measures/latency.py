"""What one forward pass costs on this worker, its time and its energy; and on a GPU, what the training takes of it.

Batch 1, as a service answers: one picture, one volume, one graph of middling size, or for nodes and links the whole
graph. In float32 and evaluation mode, as the bundle's `model.py` runs, in the memory layout of the training, with the
trial's threads. It is measured after the first epoch that the process trains, when all kernels are warm: the weights do
not change what a pass costs, and so trials that a scheduler stops early have their figures as well.
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
"""Passes before anything counts; then at least so many, and further ones up to so many seconds."""

ENERGY_S = 1.0
"""How long passes are repeated for their energy: the counters move in steps of 1 to 100 ms."""

Run = Callable[[], None]


def measure(trainer: "Trainer", wanted: Sequence[str]) -> dict[str, float]:
    """Those of the wanted measures that a worker tells, and what says how good they are.

    latency_ms: the median; latency_spread_ms: half of the interquartile range; latency_runs; latency_threads.
    energy_j: mean of a pass, the idle power of the device included. cuda_peak_mb, where memory_mb is wanted: the most
    that torch held on the GPU since the training began, the data set included. Raises TrialFailure (`unmeasured`).
    """
    found: dict[str, float] = {}
    if "memory_mb" in wanted and trainer.device.startswith("cuda"):
        found["cuda_peak_mb"] = torch.cuda.max_memory_allocated(trainer.device) / 2**20
    if {"latency_ms", "energy_j"} & set(wanted):
        found |= passes(trainer, with_energy="energy_j" in wanted)
    return found


def passes(trainer: "Trainer", *, with_energy: bool) -> dict[str, float]:
    """The time of one pass, and its energy."""
    gauge = meter(trainer.device) if with_energy else None
    if isinstance(gauge, str):
        raise TrialFailure(f"energy_j cannot be told: {gauge}", cause="unmeasured")
    run = forward(trainer)
    with memory_guard(), torch.inference_mode():
        seconds = timed(run)
        found = {**described(seconds), "latency_threads": float(torch.get_num_threads())}
        if gauge is not None:
            found["energy_j"] = energy(run, gauge, each_s=float(np.median(seconds)))
    return found


def forward(trainer: "Trainer") -> Run:
    """One pass, to its very end: a GPU is waited for."""
    module, inputs = trainer.module.eval(), trainer.example()
    cuda = trainer.device.startswith("cuda")

    def run() -> None:
        module(*inputs)
        if cuda:
            torch.cuda.synchronize()

    return run


def timed(run: Run, *, clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Seconds of each pass after the warm-up, by the wall's clock: what a caller would wait."""
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
