"""What is trained in full: the best, what they are compared with, what checks the ranking; each architecture once."""

from dataclasses import replace
from typing import Any

import pytest

from search.ledger import Trial
from search.spec import Budget, ControllerSpec, FinalistSpec, JobSpec
from search.trial import RANDOM, RANDOM_ARM, RANDOM_ARM_FROM
from tests.unit.workers.finalists.test_training import trial
from workers.finalists.plan import has_arm, interleaves, is_its_own, plan, random_trials, spread
from workers.phases.random_arm import budget


def searched(count: int = 10, **changes: Any) -> list[Trial]:
    """The better the higher the number; trial 0 is the baseline. Each has a hash of its own."""
    rows = [trial(number, 0.5 + number / 100) for number in range(count)]
    rows = [replace(row, hash=f"h{row.number}", provenance="controller") for row in rows]
    return [replace(rows[0], provenance="baseline", **changes), *rows[1:]]


def arm(*hashes: str) -> list[Trial]:
    """The first is the best."""
    return [
        replace(trial(RANDOM_ARM_FROM + place, 0.55 - place / 100), hash=one, provenance=RANDOM_ARM)
        for place, one in enumerate(hashes)
    ]


def planned(rows: list[Trial], others: list[Trial], **finalists: Any) -> list[tuple[int, str, int, int]]:
    """(rank, role, trial, seeds)."""
    spec = JobSpec(dataset="digits", space={}, finalists=FinalistSpec(**finalists))
    return [(one.rank, one.role, one.trial.number, one.seeds) for one in plan(spec, rows, others)]


def test_by_default_the_winner_baseline_and_random_one_are_treated_alike() -> None:
    assert planned(searched(), arm("a", "b")) == [
        (1, "finalist", 9, 3),
        (2, "finalist", 8, 3),
        (3, "finalist", 7, 3),
        (4, "baseline", 0, 3),
        (5, "random", RANDOM_ARM_FROM, 3),
        (6, "fidelity", 1, 1),
    ]


def test_an_architecture_with_two_roles_is_trained_once() -> None:
    assert planned(searched(1), arm("h0"), fidelity=0) == [(1, "finalist", 0, 3)]
    assert planned(searched(3), arm("h2", "b"), top=1, fidelity=0) == [(1, "finalist", 2, 3), (2, "baseline", 0, 3)]


def test_a_baseline_that_failed_in_the_search_is_trained_all_the_same() -> None:
    rows = searched(3)
    rows[0] = replace(trial(0, None, state="failed"), hash="h0", provenance="baseline")
    assert planned(rows, [], top=1, seeds=1, fidelity=0) == [(1, "finalist", 2, 1), (2, "baseline", 0, 1)]


def test_a_baseline_that_was_stopped_early_is_no_point_of_the_ranking_check() -> None:
    rows = searched()
    rows[0] = replace(trial(0, 0.5, state="pruned"), hash="h0", provenance="baseline")
    roles = [role for _, role, _, _ in planned(rows, arm("a"), fidelity=6)]
    assert roles == ["finalist", "finalist", "finalist", "baseline", "random", "fidelity", "fidelity"]


def test_only_the_roles_that_the_job_asks_for_are_trained() -> None:
    alone = {"baseline": False, "random_arm": False, "fidelity": 0}
    assert planned(searched(), arm("a"), top=2, seeds=1, **alone) == [(1, "finalist", 9, 1), (2, "finalist", 8, 1)]


def test_a_check_of_fidelity_spreads_over_the_ranking_and_repeats_the_winner() -> None:
    found = planned(searched(), [], top=1, seeds=1, baseline=False, random_arm=False, fidelity=4)
    assert found == [(1, "finalist", 9, 3), (2, "fidelity", 6, 1), (3, "fidelity", 3, 1), (4, "fidelity", 0, 1)]
    few = planned(searched(2), [], top=1, seeds=1, baseline=False, random_arm=False, fidelity=6)
    assert few == [(1, "finalist", 1, 3), (2, "fidelity", 0, 1)]


@pytest.mark.parametrize(("controller", "numbers"), [("random", [1, 2]), ("tpe", [RANDOM_ARM_FROM])])
def test_a_random_search_is_its_own_arm(controller: str, numbers: list[int]) -> None:
    class Rows:
        """Of a ledger, what is asked here."""

        def history(self, job_id: str) -> list[Trial]:
            return searched(3)

        def random_arm(self, job_id: str) -> list[Trial]:
            return arm("a")

    spec, ledger = JobSpec(dataset="digits", space={}, controller=ControllerSpec(name=controller)), Rows()
    assert is_its_own(spec) == (controller == "random")
    assert [one.number for one in random_trials(spec, ledger, "j")] == numbers  # type: ignore[arg-type]


def test_random_trials_of_the_search_take_the_place_of_an_arm() -> None:
    class Rows:
        def history(self, job_id: str) -> list[Trial]:
            rows = searched(4)
            return [*rows[:2], replace(rows[2], provenance=RANDOM), rows[3]]

        def random_arm(self, job_id: str) -> list[Trial]:
            return []

    spec, ledger = JobSpec(dataset="digits", space={}, controller=ControllerSpec(name="tpe")), Rows()
    drawn = random_trials(spec, ledger, "j")  # type: ignore[arg-type]
    assert [one.number for one in drawn] == [2]
    assert planned(ledger.history("j"), drawn, top=1, fidelity=0) == [
        (1, "finalist", 3, 3),
        (2, "baseline", 0, 3),
        (3, "random", 2, 3),
    ]


@pytest.mark.parametrize(
    ("changes", "with_a_plan", "without"),
    [
        ({}, "interleaved", "arm"),
        ({"reproducible": True}, "interleaved", "arm"),
        ({"comparison": "full"}, "arm", "arm"),
        ({"controller": ControllerSpec(name="random")}, "neither", "neither"),
        ({"finalists": FinalistSpec(random_arm=False)}, "neither", "neither"),
    ],
)
def test_a_planned_job_has_random_trials_in_its_search_or_an_arm(
    changes: dict[str, Any], with_a_plan: str, without: str
) -> None:
    spec = JobSpec(dataset="digits", space={}, **{"controller": ControllerSpec(name="tpe"), **changes})
    for planned, expected in ((True, with_a_plan), (False, without)):
        assert interleaves(spec, planned=planned) == (expected == "interleaved")
        assert has_arm(spec, planned=planned) == (expected == "arm")


@pytest.mark.parametrize("count", range(6))
def test_spread_takes_so_many_different_ones_with_the_worst(count: int) -> None:
    rows = searched(5)
    found = spread(rows, count)
    assert len({one.number for one in found}) == len(found) == min(count, 5)
    assert count == 0 or rows[-1] in found


def test_the_arm_costs_the_epochs_of_the_search_and_not_those_of_earlier_jobs() -> None:
    spec = JobSpec(dataset="digits", space={}, budget=Budget(epochs=8), controller=ControllerSpec(name="tpe"))
    rows = [*searched(3), replace(trial(1_000_000, 0.9), provenance="prior")]
    assert budget(spec, rows) == Budget(trials=12, epochs=8, total_epochs=24)
