"""When a planned job chooses among its finalists: where they are close, and where the time would be left over."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.choice import World, doublings, simulated
from search.ledger import Role
from search.planning.rule import longest_final, make_plan
from search.planning.values import PlanInputs
from search.spec import ObjectiveSpec
from tests.unit.workers.finalists.test_plan import arm, searched
from tests.unit.workers.finalists.test_selection import job, order, selected
from workers.finalists.plan import Final, plan
from workers.finalists.selection import winner_first
from workers.finalists.spare import SHARE, close_ones, is_spare, ranked_first, shortened, whole
from workers.finalists.training import FinalistTask
from workers.train.recipe import Recipe

INPUTS = PlanInputs(
    seconds=600.0, slots=2, samples=1149, val_samples=288, final_samples=1437, input_shape=(1, 8, 8), classes=10,
    step_s=0.006, score_s=0.01,
)  # fmt: skip
PLAN = make_plan(INPUTS)


def finalists(*values: float | None, epochs: int = 3) -> list[Final]:
    trial = searched()[0]
    return [
        Final(rank=rank, role="finalist", seeds=3, trial=replace(trial, value=value, epochs=epochs))
        for rank, value in enumerate(values, start=1)
    ]


def ranks(finals: list[Final], val_samples: int, **changes: Any) -> list[int]:
    return [final.rank for final in close_ones(job(**changes), finals, val_samples)]


def test_only_finalists_that_the_validation_split_cannot_tell_apart_are_chosen_among() -> None:
    finals = finalists(0.90, 0.88, 0.86)  # 1.96 standard errors of 0.9: 0.035 of 288 samples, 0.006 of 10,000
    assert ranks(finals, 288) == [1, 2]
    assert ranks(finals, 100) == [1, 2, 3]
    assert ranks(finals, 10_000) == []
    assert ranks(finalists(1.0, 0.995, 0.9), 288) == [], "one sample of 288 is 0.0035"
    assert ranks(finalists(1.0, 0.997), 288) == [1, 2]
    assert ranks(finalists(0.9, 0.9, 0.9, 0.9, 0.9), 288) == [1, 2, 3]


def test_the_interval_of_r2_is_its_own() -> None:
    """1.96 * 2 * sqrt(R²) * (1 - R²) / sqrt(n): 0.022 of 0.9 and 288 samples; 0.004, one sample, below 0."""
    for values, kept in (((0.90, 0.88, 0.87), [1, 2]), ((-2.0, -2.01), []), ((-2.0, -2.003), [1, 2])):
        near = close_ones(job(), finalists(*values), 288, score="r2")
        assert [final.rank for final in near] == kept


def test_there_is_no_choice_without_comparable_values() -> None:
    assert ranks(finalists(0.9), 288) == []
    assert ranks(finalists(None, None), 288) == []
    long, short = finalists(0.9)[0], replace(finalists(0.9, epochs=1)[0], rank=2)
    assert ranks([long, short], 288) == [], "values at different rungs"
    objective = ObjectiveSpec(maximize=("score",), minimize=("params",))
    assert ranks(finalists(0.9, 0.9), 288, objective=objective) == []


def tasks(*roles: Role) -> list[FinalistTask]:
    return [
        FinalistTask(rank=rank, number=rank, seed=0, architecture={}, recipe=Recipe(), role=role)
        for rank, role in enumerate(roles, start=1)
    ]


@pytest.mark.parametrize(
    ("slots", "left_s", "spare"),
    [(2, 10.0 + 2 * 30.0, True), (2, 69.0, False), (1, 2 * 10.0 + 3 * 30.0, True), (1, 109.0, False), (3, 40.0, True)],
)
def test_the_longest_training_of_the_winner_and_its_comparison_come_first(
    slots: int, left_s: float, spare: bool
) -> None:
    """The choice between two takes 10 s each, a full training 30 s: winner, baseline and best random architecture."""
    short, full = tasks("finalist", "finalist"), tasks("finalist", "finalist", "baseline", "random")
    inputs = replace(INPUTS, slots=slots)
    assert PLAN.final_steps == longest_final(INPUTS)

    def asked(final_steps: int) -> bool:
        return is_spare(
            replace(PLAN, final_steps=final_steps),
            inputs,
            short=short,
            full=full,
            expected=lambda task: 10.0 if any(task is one for one in short) else 30.0,
            left_s=left_s,
        )

    assert asked(PLAN.final_steps) is spare
    assert not asked(PLAN.final_steps - 1), "time has already made it shorter than the data can use"


def test_a_training_that_chooses_takes_a_third() -> None:
    assert shortened(PLAN).final_rungs[-1] == round(SHARE * PLAN.final_steps)
    assert shortened(replace(PLAN, final_steps=1)).final_steps == 1


def test_the_winner_gets_the_first_rank_and_keeps_it() -> None:
    finals = plan(job(), searched(), arm("a"))
    chosen = winner_first(job(), finals, selected(0.80, 0.82, 0.81))
    assert [rank for rank, *_ in order(ranked_first(chosen))] == [1, 2, 3, 4, 5, 6]
    assert ranked_first(chosen)[0].trial == finals[1].trial
    assert ranked_first(chosen)[1].trial == finals[0].trial
    assert ranked_first(finals) == finals
    assert ranked_first([]) == []


def test_candidates_that_time_left_out_do_not_lose_by_that() -> None:
    short = tasks("finalist", "finalist")
    assert whole(selected(0.8, 0.9), short) == selected(0.8, 0.9)
    assert whole({2: selected(0.8, 0.9)[2]}, short) == {}
    assert whole({}, []) == {}


def test_the_simulation_finds_that_a_choice_helps_and_costs_less_beside_others() -> None:
    found = simulated(World(spread=2.0, noise=0.5, val=1_000), top=2, architectures=40, jobs=2_000, seed=0)
    assert 0.2 < found.gain < found.close_gain < 0.6
    assert 0.6 < found.share < 0.9
    assert (round(doublings(2, 1), 3), round(doublings(2, 2), 3), round(doublings(3, 2), 3)) == (0.737, 0.415, 0.737)
