"""The names of runs and models in MLflow."""

import pytest

from search.trial import RANDOM, RANDOM_ARM, RANDOM_ARM_FROM
from workers.tracking import naming


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (
            {"number": 12, "score": 0.93412, "params": 70_123, "provenance": "controller"},
            "trial 12 · 0.934 · 70k params",
        ),
        ({"number": 3, "score": 0.5, "params": 950, "provenance": RANDOM}, "trial 3 · random · 0.500 · 950 params"),
        ({"number": 0, "params": 1_234, "provenance": "baseline"}, "trial 0 · baseline · 1.2k params"),
        ({"number": 4, "params": 2_500_000, "state": "pruned", "score": 0.4}, "trial 4 · 0.400 · pruned · 2.5M params"),
        ({"number": RANDOM_ARM_FROM + 19, "provenance": RANDOM_ARM}, "random 19"),
        ({"number": 7}, "trial 7"),
    ],
)
def test_a_trial(given: dict[str, object], name: str) -> None:
    number = given.pop("number")
    assert naming.trial(number, **given) == name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "rank", "name"),
    [
        ("finalist", 1, "final: winner, seed 1"),
        ("finalist", 2, "final: finalist 2, seed 1"),
        ("baseline", 4, "final: baseline, seed 1"),
        ("random", 5, "final: random, seed 1"),
        ("fidelity", 6, "final: ranking check (trial 8), seed 1"),
    ],
)
def test_a_final_training(role: str, rank: int, name: str) -> None:
    assert naming.final(role, rank=rank, seed=1, trial=8) == name


def test_a_job_and_its_model() -> None:
    assert naming.job("search", "digits", "0193a5c2-7") == "digits · 0193a5c2"
    assert naming.job("first try", "digits", "0193a5c2-7") == "digits · first try"
    assert naming.model("search", "digits", "0193a5c2-7") == "digits-0193a5c2"
    assert naming.model("a/b:c", "digits", "0193a5c2-7") == "digits-a-b-c", "MLflow allows neither / nor :"
