"""The plan's rule: what holds for every budget, data set and machine."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsmith.errors import InvalidInput
from search.planning.rule import (
    LARGEST_BATCH,
    SMALLEST_BATCH,
    batch_size,
    halves,
    least_seconds,
    make_plan,
    trial_seconds,
)
from search.planning.rule import slots as at_once
from search.planning.values import Plan, PlanInputs

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Twenty values are drawn for a situation, which a busy machine may take long for."""

FASHION: dict[str, Any] = {
    "slots": 2, "samples": 48_000, "val_samples": 12_000, "final_samples": 60_000, "input_shape": (1, 28, 28),
    "classes": 10, "step_s": 0.09, "score_s": 4.0,
}  # fmt: skip
PHOTOGRAPHS: dict[str, Any] = {
    "slots": 2, "samples": 154, "val_samples": 38, "final_samples": 192, "input_shape": (3, 64, 64), "classes": 4,
    "step_s": 0.06, "score_s": 0.1,
}  # fmt: skip


@st.composite
def situations(draw: st.DrawFn) -> PlanInputs:
    """Budgets of a minute to a week, 50 to 1,000,000 samples, slow and fast machines, with and without ceilings."""
    samples = draw(st.integers(50, 1_000_000))
    start_s, bundle_s = draw(st.floats(0, 30)), draw(st.floats(0, 60))
    ceiling = st.none() | st.integers(1, 500)
    return PlanInputs(
        seconds=draw(st.floats(60, 600_000)),
        slots=draw(st.integers(1, 64)),
        samples=samples,
        val_samples=draw(st.integers(10, samples)),
        final_samples=samples + draw(st.integers(0, samples)),
        input_shape=(3, 32, 32),
        classes=draw(st.integers(2, 100)),
        step_s=draw(st.floats(1e-4, 2.0)),
        score_s=draw(st.floats(0, 20)),
        start_s=start_s,
        bundle_s=bundle_s,
        pass_steps=draw(st.none() | st.just(16)),
        batch=draw(st.none() | st.integers(1, 512)),
        trials=draw(ceiling),
        epochs=draw(ceiling),
        total_epochs=draw(ceiling),
        final_epochs=draw(ceiling),
        walks=draw(ceiling),
        reproducible=draw(st.booleans()),
        halving=draw(st.booleans()),
        random_arm=draw(st.booleans()),
        full_comparison=draw(st.booleans()),
    )


def planned(given: PlanInputs) -> Plan | None:
    try:
        return make_plan(given)
    except InvalidInput:
        return None


def expected_seconds(found: Plan, given: PlanInputs) -> float:
    """Of the search's trainings on one processor."""
    return found.architectures * trial_seconds(
        found.rungs, step_s=given.step_s, score_s=given.score_s, halving=halves(given)
    )


@UNHURRIED
@given(situations())
def test_the_shares_add_up_and_never_exceed_the_budget(given: PlanInputs) -> None:
    found = planned(given)
    if found is None:
        return
    spent = found.start_s + found.search_s + found.comparison_s + found.winner_s + found.bundle_s
    assert min(found.search_s, found.winner_s, found.turns_s, found.bundle_s, found.arm_s) >= 0
    assert spent <= given.seconds * (1 + 1e-9)
    assert spent >= 0.95 * given.seconds
    assert given.start_s <= found.search_ends_s <= found.arm_ends_s <= found.finals_end_s <= given.seconds
    full = given.full_comparison and given.random_arm
    assert (found.arm_s > 0) == full, "without a full comparison random trials are part of the search"
    if not full:
        assert found.comparison_s <= 0.2 * given.seconds
        usable = 0.97 * given.seconds - given.start_s - given.bundle_s
        assert found.search_s >= min(0.45 * given.seconds, 0.74 * usable)
        if given.start_s + given.bundle_s <= 0.3 * given.seconds:
            assert found.search_s >= 0.45 * given.seconds
    assert found.final_steps * given.step_s <= found.finals_s
    if found.rungs[-1] >= 16:  # the shortest there is
        assert expected_seconds(found, given) <= 1.02 * found.search_s * at_once(given)
    assert found.limit_s <= 0.25 * found.search_s + 1e-9
    assert (found.rungs[-1] * given.step_s) <= found.limit_s


@UNHURRIED
@given(situations(), st.floats(1.0, 50.0))
def test_more_time_gives_no_fewer_architectures_and_no_shorter_final_training(given: PlanInputs, more: float) -> None:
    less, longer = planned(given), planned(replace(given, seconds=more * given.seconds))
    if less is None:
        return
    assert longer is not None
    assert longer.architectures >= less.architectures
    assert longer.final_steps >= less.final_steps
    assert longer.search_s >= less.search_s


@UNHURRIED
@given(situations())
def test_ceilings_are_kept(given: PlanInputs) -> None:
    found = planned(given)
    if found is None:
        return
    assert found.architectures >= 1
    assert given.trials is None or found.architectures <= given.trials
    assert given.walks is None or found.architectures <= given.walks
    assert given.epochs is None or found.rungs[-1] <= given.epochs * found.pass_steps
    assert given.final_epochs is None or found.final_steps <= given.final_epochs * found.final_pass_steps
    assert given.batch is None or found.batch_size == min(given.batch, given.samples)
    if given.total_epochs is not None and found.architectures > 1:
        steps = trial_seconds(found.rungs, step_s=1.0, score_s=0.0, halving=halves(given)) * found.architectures
        assert steps <= 1.05 * (given.total_epochs * found.pass_steps + found.architectures)


@UNHURRIED
@given(situations())
def test_a_plan_follows_from_its_inputs_alone_and_survives_json(given: PlanInputs) -> None:
    found = planned(given)
    assert planned(PlanInputs.from_json(given.to_json())) == found
    if found is not None:
        assert Plan.from_json(found.to_json()) == found


@UNHURRIED
@given(situations())
def test_rungs_rise_by_three(given: PlanInputs) -> None:
    found = planned(given)
    if found is None:
        return
    assert list(found.rungs) == sorted(set(found.rungs))
    assert all(2.8 <= high / low <= 3.2 for low, high in zip(found.rungs, found.rungs[1:], strict=False))
    assert 0 < found.share <= 1
    assert found.final_rungs[-1] == found.final_steps
    assert list(found.final_rungs) == sorted(set(found.final_rungs))
    assert found.passes(0) == 0.0
    assert found.passes(len(found.rungs)) == found.rungs[-1] / found.pass_steps


def test_a_job_that_an_earlier_version_planned_may_have_more_epochs_than_rungs() -> None:
    found = make_plan(PlanInputs(seconds=1800, **FASHION))
    assert found.passes(len(found.rungs) + 5) == found.passes(len(found.rungs))


@UNHURRIED
@given(situations())
def test_the_least_budget_is_enough_and_one_second_less_is_not(given: PlanInputs) -> None:
    least = least_seconds(given)
    assert planned(replace(given, seconds=float(least))) is not None
    assert least == 1 or planned(replace(given, seconds=least - 1.0)) is None


def test_a_budget_that_is_too_small_names_the_least_that_would_do() -> None:
    with pytest.raises(InvalidInput, match=r"10 s are too few for one architecture.*: at least \d+ s") as caught:
        make_plan(PlanInputs(seconds=10, **FASHION))
    [fault] = caught.value.faults
    assert (fault.pointer, fault.rule) == ("/budget/seconds", "budget_too_small")
    assert make_plan(PlanInputs(seconds=fault.allowed["minimum"], **FASHION)).architectures >= 1


@pytest.mark.parametrize(
    ("samples", "size"), [(1, 1), (50, 16), (154, 16), (1149, 32), (3000, 128), (48_000, 128), (1_000_000, 128)]
)
def test_small_data_sets_get_small_batches(samples: int, size: int) -> None:
    assert batch_size(samples) == size
    assert SMALLEST_BATCH <= max(size, SMALLEST_BATCH) <= LARGEST_BATCH


def test_half_an_hour_of_fashion_mnist_scores_sixty_architectures() -> None:
    found = make_plan(PlanInputs(seconds=1800, **FASHION))
    assert found.architectures >= 60
    assert len(found.rungs) >= 3
    assert found.final_steps >= 10 * found.final_pass_steps
    assert found.search_s >= 810
    assert found.warnings == ()


def test_a_ceiling_of_trials_buys_longer_ones() -> None:
    few = make_plan(PlanInputs(seconds=1800, trials=10, **FASHION))
    assert few.rungs[-1] > make_plan(PlanInputs(seconds=1800, **FASHION)).rungs[-1]


def test_few_photographs_converge_and_are_warned_about() -> None:
    found = make_plan(PlanInputs(seconds=1200, class_sizes=(100, 30, 15, 9), **PHOTOGRAPHS))
    assert found.final_steps == 100 * found.final_pass_steps == 1200
    small, unequal = found.warnings
    assert "38 samples" in small
    assert "0.34 to 0.66" in small
    assert "11.1 times" in unequal
    assert "balanced_accuracy" in unequal


def test_large_data_sets_are_tried_on_a_part() -> None:
    million = {**FASHION, "samples": 1_000_000, "final_samples": 1_100_000, "step_s": 0.3}
    assert make_plan(PlanInputs(seconds=3600, **million)).share < 0.5
    assert make_plan(PlanInputs(seconds=3600, **FASHION)).share == 1.0


@pytest.mark.parametrize("wrong", [{"slots": 0}, {"samples": 0}, {"step_s": 0.0}, {"seconds": 0.0}, {"score_s": -1.0}])
def test_inputs_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PlanInputs(**{"seconds": 60.0, **FASHION, **wrong})
