"""What phases cost: seconds and joules of several drivers, counters that wrap around."""

from pathlib import Path

import pytest

from workers.job.phase_costs import PhaseCosts
from workers.measures.energy import Rapl


def test_seconds_and_joules_go_to_the_phase_and_add_up_over_drivers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("9999999\n")
    clock = [100.0]

    def at(seconds: float, microjoules: int) -> None:
        clock[0] = seconds
        (zone / "energy_uj").write_text(f"{microjoules}\n")

    monkeypatch.setattr("workers.job.phase_costs.time.monotonic", lambda: clock[0])
    at(100.0, 5_000_000)
    spent = PhaseCosts({"search": {"seconds": 7.0, "energy_j": 1.0}}, rapl=Rapl(zones=(zone,)))
    at(150.0, 6_000_000)
    spent.begin("search")  # what was spent before is charged to no phase
    at(160.0, 9_000_000)
    assert spent.snapshot() == {"search": {"seconds": 17.0, "energy_j": 4.0}}
    at(161.0, 1_000_000)  # it wrapped around
    spent.begin("finalists")
    at(165.0, 3_000_000)
    spent.begin(None)
    at(999.0, 4_000_000)
    assert spent.snapshot() == {
        "search": {"seconds": 18.0, "energy_j": 6.0},
        "finalists": {"seconds": 4.0, "energy_j": 2.0},
    }


def test_without_an_energy_counter_only_seconds_are_counted() -> None:
    spent = PhaseCosts({})
    spent.begin("search")
    assert set(spent.snapshot()["search"]) == {"seconds"}
