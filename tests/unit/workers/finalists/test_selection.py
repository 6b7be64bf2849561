"""The winner among the finalists: by validation scores of full trainings, where there is a choice."""

from dataclasses import replace
from typing import Any

import pytest

from search.spec import FinalistSpec, JobSpec, ObjectiveSpec, TargetSpec
from tests.unit.workers.finalists.test_plan import arm, searched
from workers.finalists.plan import Final, plan
from workers.finalists.selection import Selection, candidates, described, winner_first


def job(**changes: Any) -> JobSpec:
    return JobSpec(dataset="digits", space={}, **changes)


def selected(*scores: float | None) -> dict[int, Selection]:
    """Of the finalists in order of rank."""
    return {
        rank: Selection(score=score, seconds=1.0, epochs=24, reason=None if score else "diverged: the loss is nan")
        for rank, score in enumerate(scores, start=1)
    }


def order(finals: list[Final]) -> list[tuple[int, str, int]]:
    return [(final.rank, final.role, final.seeds) for final in finals]


def test_the_best_on_the_validation_split_wins_and_keeps_the_repetitions() -> None:
    finals = plan(job(), searched(), arm("a"))
    assert order(winner_first(job(), finals, selected(0.80, 0.82, 0.81))) == [
        (2, "finalist", 3),
        (1, "finalist", 1),
        (3, "finalist", 1),
        (4, "baseline", 3),
        (5, "random", 3),
        (6, "fidelity", 1),
    ]


def test_of_equal_ones_the_best_by_search_score_wins() -> None:
    finals = plan(job(), searched(), [])
    assert winner_first(job(), finals, selected(0.82, 0.82, 0.81))[0].rank == 1


def test_a_failed_selection_cannot_win_and_changes_nothing_if_all_failed() -> None:
    finals = plan(job(), searched(), arm("a"))
    assert winner_first(job(), finals, selected(None, 0.2, 0.1))[0].rank == 2
    assert winner_first(job(), finals, selected(None, None, None)) == finals
    assert winner_first(job(), finals, {}) == finals


def test_a_soft_target_is_part_of_what_is_compared() -> None:
    rows = [replace(trial, params=100 * (10 - trial.number)) for trial in searched()]  # the best are the smallest
    spec = job(objective=ObjectiveSpec(target=TargetSpec(measure="params", value=300.0, form="absolute", weight=-0.5)))
    finals = plan(spec, rows, [])
    assert winner_first(spec, finals, selected(0.82, 0.80, 0.80))[0].trial.params == 300


@pytest.mark.parametrize(
    "changes",
    [
        {"finalists": FinalistSpec(top=1)},
        {"objective": ObjectiveSpec(minimize=("params",))},
        {"objective": ObjectiveSpec(maximize=(), minimize=("macs",))},
    ],
)
def test_where_there_is_no_choice_nothing_is_trained_for_it(changes: dict[str, Any]) -> None:
    spec = job(**changes)
    assert candidates(spec, plan(spec, searched(), [])) == []


def test_the_candidates_are_the_finalists() -> None:
    assert [final.rank for final in candidates(job(), plan(job(), searched(), arm("a")))] == [1, 2, 3]


def test_the_report_has_all_of_them_in_order_of_their_search_scores() -> None:
    finals = plan(job(), searched(), [])
    chosen = selected(0.80, None, 0.81)
    rows = described(winner_first(job(), finals, chosen), chosen)
    assert [(row["trial"], row["validation_score"]) for row in rows] == [(9, 0.80), (8, None), (7, 0.81)]
    assert rows[1]["reason"] == "diverged: the loss is nan"
