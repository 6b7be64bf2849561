"""`make sweep` on a handful of networks: it counts what passed, and shows what failed."""

import json
from pathlib import Path

import pytest

from space.architecture import Architecture
from tests import exactness
from tests.sweep import run as sweep

pytestmark = pytest.mark.integration


def plan(folder: Path, *stages: str) -> sweep.Plan:
    return sweep.Plan(space="tiny", shape=(1, 8, 8), seed=3, folder=folder, stages=("draw", "build", *stages))


def test_it_counts_what_passed(tmp_path: Path) -> None:
    tally = sweep.work((plan(tmp_path, "costs", "train"), range(6)))
    assert {stage: tally.done[stage] for stage in ("draw", "costs", "train")} == {"draw": 6, "costs": 6, "train": 6}
    assert "conv2d" in tally.operations
    assert len(tally.hashes) > 1
    assert not tally.failures
    assert sweep.work((plan(tmp_path), range(6))).hashes == tally.hashes


def test_a_failure_leaves_the_architecture_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("not what torch says")

    monkeypatch.setattr(exactness, "check_costs", never)
    folder = tmp_path / "cleaned away"
    tally = sweep.work((plan(folder, "costs", "train"), [4]))
    assert (tally.done["build"], tally.done["costs"], tally.done["train"]) == (1, 0, 0)
    assert tally.failures == [f"costs of network 4: AssertionError: not what torch says\n    {folder / '4.json'}"]
    assert Architecture.from_json(json.loads((folder / "4.json").read_text())).classes == 10
    assert "never" in (folder / "4.txt").read_text()


def test_networks_with_rare_operations_come_first() -> None:
    assert sweep.chosen(4, range(100), [7, 50]) == [7, 50, 0, 25]
    assert sweep.chosen(2, range(100, 200), [7, 50, 90]) == [7, 50, 90]
    assert sweep.chosen(500, range(5, 8)) == [5, 6, 7]
