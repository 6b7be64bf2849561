"""A winner below a simple model is said to be."""

import jsonschema
import pytest

from workers.report.schema import schema
from workers.report.simple import simple_models
from workers.simple.record import SimpleScore, StageScores


def stage(linear: float | None, boosted: float | None, *, measured: int = 56) -> StageScores:
    scores = {
        name: SimpleScore(score=score, seconds=2.0, features=99, reason=None if score is not None else "crashed: x")
        for name, score in (("linear", linear), ("boosted", boosted))
    }
    return StageScores(scores=scores, trained=192, of_trained=192, measured=measured, of_measured=56)


def test_a_winner_below_the_best_is_said_to_be() -> None:
    found = simple_models(stage(0.5, 0.6), stage(0.7, 0.679), 0.375)
    assert found is not None
    jsonschema.validate(found, schema()["properties"]["simple_models"])
    assert (found["winner_below"], found["best"], found["best_final_score"]) == (True, "linear", 0.7)
    assert found["words"].startswith(
        "the winner is below a simple model: it scores 0.3750 on the test split, and a linear model on simple features "
        "0.7000 after 2 s of training; "
    )
    assert [row["search_score"] for row in found["models"]] == [0.5, 0.6]


def test_a_winner_above_them_is_compared_too() -> None:
    found = simple_models(None, stage(0.7, None, measured=20), 0.9)
    assert found is not None
    jsonschema.validate(found, schema()["properties"]["simple_models"])
    assert found["winner_below"] is False
    assert found["words"].endswith("fitted to 192 of 192 training samples and measured on 20 of 56 test samples")
    assert found["models"][1]["reason"] == "crashed: x"


def test_models_that_failed_fail_nothing_else() -> None:
    found = simple_models(None, stage(None, None), 0.9)
    assert found is not None
    jsonschema.validate(found, schema()["properties"]["simple_models"])
    assert (found["winner_below"], found["best"]) == (None, None)
    assert found["words"] == (
        "no simple model to compare with: a linear model: crashed: x; gradient-boosted trees: crashed: x"
    )
    assert simple_models(None, None, 0.9) is None


def test_what_was_stored_is_read_as_it_was() -> None:
    before = stage(0.5, None)
    assert StageScores.from_json(before.to_json()) == before
    with pytest.raises(TypeError):
        StageScores.from_json({**before.to_json(), "unknown": 1})
