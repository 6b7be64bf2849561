"""Joules, where the machine can measure them: processors through Linux's RAPL counters, GPUs through NVML.

Both count the whole package or card, including idle power and other work on it, so compare figures of one quiet machine
only. RAPL's files are readable by root alone unless an administrator changes that (CVE-2020-8694), and most virtual
machines and containers have none, so a job that asks for energy checks a worker first.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

RAPL = Path("/sys/class/powercap")
CHUNKS = 20
"""Readings of a GPU's power within one measurement."""


class Meter(Protocol):
    def joules(self, run: Callable[[], None], runs: int) -> float:
        """Joules spent while `run` is called `runs` times."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Rapl:
    """zones: folders of the packages, each with the counter energy_uj, which wraps around at max_energy_range_uj."""

    zones: tuple[Path, ...]

    def joules(self, run: Callable[[], None], runs: int) -> float:
        before = self.counters()
        for _ in range(runs):
            run()
        return self.between(before, self.counters())

    def counters(self) -> tuple[int, ...]:
        """Microjoules of each zone."""
        return tuple(_number(zone / "energy_uj") for zone in self.zones)

    def between(self, before: tuple[int, ...], after: tuple[int, ...]) -> float:
        """Joules between two readings, provided that no counter wrapped around twice."""
        ranges = (_number(zone / "max_energy_range_uj") + 1 for zone in self.zones)
        return sum((late - early) % span for early, late, span in zip(before, after, ranges, strict=True)) / 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Power:
    """A device whose power can be read. milliwatts: the current power."""

    milliwatts: Callable[[], float]

    def joules(self, run: Callable[[], None], runs: int) -> float:
        spent, done = 0.0, 0
        for chunk in range(1, CHUNKS + 1):
            start = time.perf_counter()
            while done < runs * chunk // CHUNKS:
                run()
                done += 1
            spent += (time.perf_counter() - start) * self.milliwatts() / 1000.0
        return spent


def meter(device: str, *, folder: Path = RAPL) -> Meter | str:
    """The energy meter of a device of this machine, or why there is none, in words."""
    return _nvml(device) if device.startswith("cuda") else _rapl(folder)


def _rapl(folder: Path) -> Meter | str:
    zones = tuple(sorted(path for path in folder.glob("intel-rapl:*") if path.name.count(":") == 1))
    if not zones:
        return f"this machine has no RAPL counters in {folder}"
    try:
        for zone in zones:
            _number(zone / "energy_uj"), _number(zone / "max_energy_range_uj")
    except OSError as error:
        return f"the RAPL counters of this machine cannot be read: {error.strerror}"
    return Rapl(zones=zones)


def _nvml(device: str) -> Meter | str:
    import torch

    try:
        torch.cuda.power_draw(device)
    except (ImportError, RuntimeError) as error:
        return f"NVML does not report this GPU's power: {str(error).splitlines()[0][:150]}"
    return Power(milliwatts=lambda: torch.cuda.power_draw(device))


def _number(path: Path) -> int:
    return int(path.read_text())
