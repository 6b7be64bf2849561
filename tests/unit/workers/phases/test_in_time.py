"""Which final trainings fit into the time that is left, and what is said of the others."""

import pytest

from search.ledger import Role
from workers.finalists.training import FinalistTask
from workers.phases import in_time
from workers.train.recipe import Recipe


def _task(rank: int, seed: int, role: Role = "finalist") -> FinalistTask:
    return FinalistTask(rank=rank, number=10 * rank, seed=seed, architecture={}, recipe=Recipe(), role=role)


TASKS = [
    *(_task(1, seed) for seed in range(2)),
    *(_task(2, seed) for seed in range(2)),
    *(_task(3, seed, "baseline") for seed in range(2)),
    *(_task(4, seed, "random") for seed in range(2)),
    _task(5, 0, "fidelity"),
]


def _names(tasks: list[FinalistTask]) -> list[tuple[int, int]]:
    return [(task.rank, task.seed) for task in tasks]


@pytest.mark.parametrize(
    ("left_s", "slots", "kept"),
    [
        (9.9, 2, []),
        (10.0, 1, [(1, 0)]),
        (10.0, 2, [(1, 0), (3, 0)]),
        (20.0, 2, [(1, 0), (3, 0), (4, 0), (1, 1)]),
        (1e9, 1, [(1, 0), (3, 0), (4, 0), (1, 1), (3, 1), (4, 1), (2, 0), (2, 1), (5, 0)]),
    ],
)
def test_what_fits_is_kept(left_s: float, slots: int, kept: list[tuple[int, int]]) -> None:
    assert _names(in_time.fitting(TASKS, lambda _: 10.0, left_s=left_s, slots=slots)) == kept


def test_a_slow_one_does_not_keep_out_a_fast_one() -> None:
    kept = in_time.fitting(TASKS, lambda task: 30.0 if task.role == "baseline" else 10.0, left_s=20.0, slots=1)
    assert _names(kept) == [(1, 0), (4, 0)]


def test_words() -> None:
    assert in_time.words(kept=9, planned=9, own=None) is None
    words = in_time.words(kept=2, planned=9, own=None, skipped=["the random search"])
    assert words == "`finish` left no time for 7 of 9 full trainings, the random search"
    own = in_time.words(kept=0, planned=9, own={"trial": 4, "epochs": 3, "epochs_total": 8})
    assert own is not None
    assert "the weights of trial 4 from the search itself, after 3 of 8 epochs" in own
