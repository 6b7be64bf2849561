"""What a worker measures besides the score, and how it fails where it cannot."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from archsmith.errors import TrialFailure
from workers.measures import latency as module
from workers.measures.energy import Power, Rapl, meter
from workers.measures.latency import RUNS, WARM_UP, described, measure, timed
from workers.train.data import GraphSamples, Samples, TrainData, one_of
from workers.train.recipe import Recipe
from workers.train.trainer import Trainer


class Clock:
    """Time moves only by what a pass takes."""

    def __init__(self, each_s: list[float]) -> None:
        self.now, self._each = 0.0, each_s
        self.passes = 0

    def run(self) -> None:
        self.now += self._each[self.passes % len(self._each)]
        self.passes += 1

    def __call__(self) -> float:
        return self.now


def test_the_warm_up_is_not_counted_and_short_passes_are_repeated_longer() -> None:
    slow = Clock([0.1])
    assert timed(slow.run, clock=slow) == pytest.approx([0.1] * RUNS)
    assert slow.passes == WARM_UP + RUNS
    quick = Clock([0.001])
    assert len(timed(quick.run, clock=quick)) == pytest.approx(300, abs=1)


def test_one_slow_pass_moves_the_median_little() -> None:
    found = described([0.002] * 59 + [3.0])
    assert (found["latency_ms"], found["latency_spread_ms"], found["latency_runs"]) == (2.0, 0.0, 60.0)


def trainer() -> Trainer:
    from workers.datasets import Split

    rng = np.random.default_rng(0)
    split = Split(x=rng.integers(0, 255, (40, 1, 8, 8), dtype=np.uint8), y=np.arange(40) % 3)
    data = TrainData.on("cpu", train=split, val=split, mean=(100.0,), std=(50.0,))
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 3))
    return Trainer(network, data, Recipe(epochs=2, precision="fp32"))


def test_a_pass_is_one_sample_and_leaves_the_training_as_it_was() -> None:
    measured, plain = trainer(), trainer()
    plain.module.load_state_dict(measured.module.state_dict())
    assert [tuple(x.shape) for x in measured.example()] == [(1, 1, 8, 8)]
    measured.epoch(), plain.epoch()
    found = measure(measured, ("score", "latency_ms", "params"))
    assert found.keys() == {"latency_ms", "latency_spread_ms", "latency_runs", "latency_threads"}
    assert 0 < found["latency_ms"] < 1000
    assert found["latency_threads"] == 1
    measured.epoch(), plain.epoch()
    for one, other in zip(measured.module.parameters(), plain.module.parameters(), strict=True):
        assert torch.equal(one, other)


def test_nothing_is_measured_that_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "forward", None)
    assert measure(trainer(), ("score", "params", "memory_mb")) == {}


def test_a_trial_fails_where_energy_cannot_be_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "meter", lambda _: meter("cpu", folder=tmp_path))
    with pytest.raises(TrialFailure, match="energy_j cannot be measured: this machine has no RAPL counters") as caught:
        measure(trainer(), ("score", "energy_j"))
    assert caught.value.cause == "unmeasured"


def test_one_sample_of_many_graphs_is_the_median_one() -> None:
    sizes = [1, 4, 2]
    index = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes))
    edges = torch.tensor([[1, 2, 5, 6], [2, 1, 6, 5]])
    samples = GraphSamples(x=torch.arange(7)[:, None], y=torch.tensor([7, 8, 9]), edges=edges, index=index)
    one = one_of(samples, "graphs")
    assert isinstance(one, GraphSamples)
    assert (one.x.flatten().tolist(), one.y.tolist(), one.index.tolist()) == ([5, 6], [9], [0, 0])
    assert one.edges.tolist() == [[0, 1], [1, 0]]
    assert one_of(samples, "nodes") is samples
    pictures = Samples(x=torch.zeros(5, 1, 2, 2), y=torch.arange(5))
    assert one_of(pictures, "image").x.shape == (1, 1, 2, 2)


def zone(folder: Path, name: str, energy: int, largest: int = 10**9) -> Path:
    path = folder / name
    path.mkdir()
    (path / "energy_uj").write_text(f"{energy}\n")
    (path / "max_energy_range_uj").write_text(f"{largest}\n")
    return path


def test_packages_are_added_up_and_counters_wrap_around(tmp_path: Path) -> None:
    first, second = zone(tmp_path, "intel-rapl:0", 500), zone(tmp_path, "intel-rapl:1", 900, largest=999)
    zone(tmp_path, "intel-rapl:0:0", 0)  # a part of the first, counted in it
    gauge = meter("cpu", folder=tmp_path)
    assert isinstance(gauge, Rapl)
    assert gauge.zones == (first, second)

    def run() -> None:
        for path, spent in ((first, 2_000_000), (second, 60)):
            number = int((path / "energy_uj").read_text()) + spent
            (path / "energy_uj").write_text(str(number % (int((path / "max_energy_range_uj").read_text()) + 1)))

    assert gauge.joules(run, 3) == pytest.approx(6.00018)


def test_unreadable_counters_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone(tmp_path, "intel-rapl:0", 1)

    def refused(self: Path, *args: Any, **options: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    assert meter("cpu", folder=tmp_path) == "the RAPL counters of this machine cannot be read: Permission denied"


def test_power_times_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([0.5])
    monkeypatch.setattr("workers.measures.energy.time.perf_counter", clock)
    assert Power(milliwatts=lambda: 4000.0).joules(clock.run, 50) == pytest.approx(4.0 * 25.0)
    assert clock.passes == 50
