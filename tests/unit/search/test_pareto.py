"""Fronts against brute force: every pair compared, every volume counted cell by cell."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.objective import Objective
from search.pareto import best, crowding, hypervolume, non_dominated_ranks, parego, pareto, reference_point, spread
from search.spec import TargetSpec
from tests.effort import share

CALM = settings(deadline=None, max_examples=share(60))
SMALL = st.integers(1, 4).flatmap(
    lambda m: st.lists(st.lists(st.integers(0, 5), min_size=m, max_size=m), min_size=1, max_size=9)
)


def points(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, dtype=float)


def dominates(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one >= other).all() and (one > other).any())


@CALM
@given(SMALL)
def test_ranks_are_those_of_peeling_by_hand(rows: list[list[int]]) -> None:
    values = points(rows)
    left, expected, rank = set(range(len(values))), [0] * len(values), 0
    while left:
        front = {i for i in left if not any(dominates(values[j], values[i]) for j in left)}
        for i in front:
            expected[i] = rank
        left -= front
        rank += 1
    assert non_dominated_ranks(values).tolist() == expected


@CALM
@given(SMALL)
def test_the_volume_is_the_number_of_cells_below(rows: list[list[int]]) -> None:
    values = points(rows)
    reference = np.ones(values.shape[1])
    cells = itertools.product(range(1, 5), repeat=values.shape[1])  # the unit cells from 1 to 5
    counted = sum(any(all(point[k] >= cell[k] + 1 for k in range(len(cell))) for point in rows) for cell in cells)
    assert hypervolume(values, reference) == pytest.approx(counted)


@CALM
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 20))
def test_volumes_of_real_numbers_are_near_what_random_points_say(seed: int, m: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.random((count, m))
    draws = rng.random((4_000, m))
    hit = np.zeros(len(draws), dtype=bool)
    for point in values:
        hit |= (draws <= point).all(axis=1)
    assert hypervolume(values, np.zeros(m)) == pytest.approx(hit.mean(), abs=0.05)


@CALM
@given(SMALL, st.permutations(range(9)))
def test_the_order_of_points_changes_nothing(rows: list[list[int]], order: list[int]) -> None:
    values = points(rows)
    moved = values[[i for i in order if i < len(values)]]
    reference = reference_point(values)
    assert hypervolume(values, reference) == pytest.approx(hypervolume(moved, reference))
    assert len(set(best([tuple(row) for row in rows], 3))) == min(3, len(rows))


@CALM
@given(SMALL)
def test_every_end_of_the_front_lies_above_the_reference(rows: list[list[int]]) -> None:
    values = points(rows)
    assert (values > reference_point(values)).all()
    assert hypervolume(values, reference_point(values)) > 0


def test_values_of_any_scale_and_size() -> None:
    values = np.array([[0.5, -1e300], [0.6, -1e301], [0.5, -1e300], [0.4, -1e302]])
    assert non_dominated_ranks(values).tolist() == [0, 0, 0, 1]
    assert best([tuple(v) for v in values], 2) == [0, 1]


def test_room_is_the_distance_of_the_neighbours() -> None:
    room = crowding(np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]]))
    assert room.tolist() == [np.inf, 1.5, 1.5, np.inf]


def test_the_population_keeps_the_ends_and_what_has_room() -> None:
    line = [(0.0, 10.0), (1.0, 9.0), (1.1, 8.9), (5.0, 5.0), (10.0, 0.0), (4.0, 4.0)]
    assert sorted(best(line, 4)) in ([0, 1, 3, 4], [0, 2, 3, 4])


def test_finalists_lie_far_apart() -> None:
    values = np.array([[0.9, -9.0], [0.89, -8.9], [0.5, -1.0], [0.7, -5.0]])
    assert spread(values, 3, first=0) == [0, 2, 3]
    assert sorted(spread(values, 9, first=1)) == [0, 1, 2, 3]


def test_each_point_of_a_front_is_the_best_under_some_weights() -> None:
    values = np.array([[1.0, 0.0], [0.7, 0.7], [0.0, 1.0], [0.5, 0.5], [0.2, 0.1]])
    found = {int(parego(values, np.random.default_rng(seed)).argmax()) for seed in range(60)}
    assert found == {0, 1, 2}


@CALM
@given(SMALL, st.integers(0, 99))
def test_the_best_under_any_weights_is_dominated_by_nobody(rows: list[list[int]], seed: int) -> None:
    values = points(rows)
    top = int(parego(values, np.random.default_rng(seed)).argmax())
    assert not any(dominates(other, values[top]) for other in values) or values.shape[1] == 1


def test_the_front_of_trials_is_raw_and_recorded_with_its_reference() -> None:
    objective = Objective(minimize=("latency_ms",))
    completed = [
        (0, {"score": 0.5, "latency_ms": 1.0, "params": 9}),
        (2, {"score": 0.9, "latency_ms": 3.0, "params": 9}),
        (3, {"score": 0.8, "latency_ms": 3.0, "params": 9}),
        (4, {"score": 0.99, "params": 9}),  # of a version that did not measure
    ]
    front = pareto(completed, objective)
    assert front.points == ((2, {"score": 0.9, "latency_ms": 3.0}), (0, {"score": 0.5, "latency_ms": 1.0}))
    assert front.reference == pytest.approx({"score": 0.46, "latency_ms": 3.2})
    assert front.hypervolume == pytest.approx(0.44 * 0.2 + 0.04 * 2.0)
    assert pareto([], objective).hypervolume is None


def test_the_front_of_one_objective_is_the_best_trial() -> None:
    objective = Objective(target=TargetSpec(measure="params", value=10.0))
    front = pareto([(0, {"score": 0.9, "params": 30}), (1, {"score": 0.89, "params": 10})], objective)
    assert front.points == ((1, {"score": 0.89, "params": 10}),)
