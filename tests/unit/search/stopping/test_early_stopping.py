"""Which trials go on: rungs, brackets, hopeless ones, several objectives; and how trials stopped early compare."""

import itertools

import numpy as np
import pytest

from search.learning_curves import CurveRanking, as_curve, beats, curve_of, wins
from search.pareto import non_dominated_ranks
from search.stopping.early_stopping import (
    FEWEST,
    Curves,
    EarlyStopping,
    FutilityRule,
    Hyperband,
    Rule,
    SuccessiveHalving,
    rules,
)
from search.stopping.extrapolation import probability_above
from search.stopping.rung_order import places
from search.trial import Outcome, TrialState

KINDS = list(itertools.product(("none", "asha", "hyperband"), (False, True)))


def reported(*reports: tuple[int, int, float]) -> Curves:
    """Of (number, epoch, value)."""
    curves = Curves()
    for number, epoch, value in reports:
        curves.add(number, epoch, (value,))
    return curves


@pytest.mark.parametrize(
    ("epochs", "grace", "rungs"),
    [(1, 1, []), (2, 1, [1]), (8, 1, [1, 3]), (9, 1, [1, 3]), (10, 1, [1, 3, 9]), (200, 7, [7, 21, 63, 189])],
)
def test_rungs(epochs: int, grace: int, rungs: list[int]) -> None:
    assert SuccessiveHalving(epochs=epochs, grace=grace).rungs == rungs
    [rule] = rules("asha", epochs=epochs)
    assert rule == SuccessiveHalving(epochs=epochs, grace=grace)


def test_the_best_third_of_a_rung_goes_on() -> None:
    halving, values = SuccessiveHalving(epochs=9), [0.5, 0.1, 0.4, 0.6, 0.7, 0.65, 0.9]
    curves, gone_on = Curves(), []
    for number, value in enumerate(values):
        curves.add(number, 1, (value,))
        gone_on.append(halving.stop_reason(curves, number, 1) is None)
    # two are too few to judge by; of three to five one goes on, of six and seven two
    assert gone_on == [True, True, False, True, True, True, True]
    assert halving.stop_reason(curves, 3, 1) == "epoch 1: number 4 of 7, the best 2 go on"
    assert halving.stop_reason(curves, 1, 2) is None, "between rungs nobody is judged"


def test_equals_share_a_place() -> None:
    curves = reported(*((number, 1, 0.5) for number in range(9)), (9, 1, 0.4))
    halving = SuccessiveHalving(epochs=9)
    assert [halving.stop_reason(curves, number, 1) is None for number in range(10)] == [True] * 9 + [False]


def test_the_order_of_the_reports_does_not_matter() -> None:
    reports = [(number, 1, float(value)) for number, value in enumerate(np.random.default_rng(1).permutation(20))]
    forward, backward = reported(*reports), reported(*reversed(reports))
    for rule in (SuccessiveHalving(epochs=9), Hyperband(epochs=9)):
        assert [rule.stop_reason(forward, n, 1) for n in range(20)] == [
            rule.stop_reason(backward, n, 1) for n in range(20)
        ]


def test_the_brackets_of_hyperband() -> None:
    rule = Hyperband(epochs=27)
    assert [bracket.rungs for bracket in rule.brackets] == [[1, 3, 9], [3, 9], [9], []]
    numbers = [rule.bracket(number) for number in range(490)]
    counts = [numbers.count(bracket) for bracket in range(4)]
    assert counts == pytest.approx([270, 120, 60, 40], abs=3), "27, 12, 6 and 4 parts of 49"
    assert {rule.bracket(number) for number in range(15)} == {0, 1, 2, 3}, "none waits long for its first trial"


def test_trials_compete_within_their_bracket() -> None:
    rule = Hyperband(epochs=27)
    first = [number for number in range(60) if rule.bracket(number) == 0][:12]
    other = [number for number in range(60) if rule.bracket(number) == 1][:12]
    curves = reported(*((n, 3, 0.1 + n / 1000) for n in first), *((n, 3, 0.9 + n / 1000) for n in other))
    assert [n for n in first if rule.stop_reason(curves, n, 3) is None] == first[-4:]
    assert [n for n in other if rule.stop_reason(curves, n, 3) is None] == other[-4:]
    reason = rule.stop_reason(curves, other[0], 3)
    assert reason == "epoch 3: number 12 of 12, the best 4 go on in bracket 2 of 4"
    assert rule.stop_reason(reported(*((n, 1, 0.5) for n in other)), other[0], 1) is None, "its first rung comes later"


# Hopeless trials.


def finished(rng: np.random.Generator, count: int, *, noise: float = 0.02) -> Curves:
    """Trials of 8 epochs whose end is 0.5 + half of what they had at epoch 2, and noise."""
    curves = Curves()
    for number in range(count):
        early = rng.uniform(0.2, 0.8)
        curves.add(number, 2, (early,))
        curves.add(number, 8, (0.5 + early / 2 + noise * rng.normal(),))
    return curves


def test_the_chance_is_calibrated() -> None:
    # With 8 trials a claim of 95 % must fail in 5 % of cases: of 2,000, in 61 to 139 with probability 0.9999.
    rng, failed = np.random.default_rng(3), 0
    for _ in range(2000):
        early = rng.normal(size=9)
        final = 1.0 + 2.0 * early + rng.normal(size=9)
        # probability_above(bound) falls with the bound; where it is below 5 % the trial should end above in 5 %
        failed += probability_above(early[:8], final[:8], now=early[8], bounds=final[8:])[0] < 0.05
    assert 61 <= failed <= 139


def test_what_allows_no_claim_claims_nothing() -> None:
    same, rising = np.ones(5), np.arange(5.0)
    assert probability_above(same, rising, now=2.0, bounds=np.array([100.0]))[0] == 1.0, "no line through one point"
    assert probability_above(rising * 1e300, rising, now=0.0, bounds=np.array([100.0]))[0] == 1.0
    assert probability_above(rising, same, now=9.0, bounds=np.array([0.5, 1.0, 1.5])).tolist() == [1.0, 0.0, 0.0]


def test_hopeless_is_stopped_and_hope_is_not() -> None:
    curves = finished(np.random.default_rng(1), 20)
    for number, early in ((100, 0.25), (101, 0.79)):
        curves.add(number, 2, (early,))
    rule = FutilityRule(epochs=8, keep=3)
    assert rule.stop_reason(curves, 100, 2) == "epoch 2: less than 5% chance to end among the best 3"
    assert rule.stop_reason(curves, 101, 2) is None


def test_without_enough_finished_trials_nobody_is_hopeless() -> None:
    for count, stops in ((FEWEST - 1, False), (FEWEST, True)):
        curves = finished(np.random.default_rng(2), count, noise=0.001)
        curves.add(100, 2, (0.0,))
        assert (FutilityRule(epochs=8).stop_reason(curves, 100, 2) is not None) == stops


def test_with_several_objectives_hopeless_is_what_will_be_dominated() -> None:
    curves = Curves()
    for number, (epoch, point) in itertools.product(range(20), enumerate([0.3, 0.6], 1)):
        for at in (epoch, 4 * epoch):
            curves.add(number, at, (point + number / 100, -float(number)))  # the better the larger
    for number, start in ((100, (0.1, -19.0)), (101, (0.1, 5.0))):
        curves.add(number, 1, start)
    rule = FutilityRule(epochs=8)
    assert rule.stop_reason(curves, 100, 1) is not None
    assert rule.stop_reason(curves, 101, 1) is None, "smaller than all, it cannot be dominated"


# Several objectives in a rung.


def test_fronts() -> None:
    values = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0], [0.5, 0.5], [2.0, 0.0], [0.4, 0.4]])
    assert non_dominated_ranks(values).tolist() == [0, 0, 0, 1, 0, 2]
    assert non_dominated_ranks(np.array([[3.0], [1.0], [3.0], [2.0]])).tolist() == [0, 2, 0, 1]


def test_a_front_is_kept_whole() -> None:
    # Ten points on a line from (0, 9) to (9, 0), nobody dominates anybody: the ends come first, then the middle.
    front = np.array([[float(i), 9.0 - i] for i in range(10)])
    assert places(front)[[9, 0]].tolist() == [0, 1]
    assert set(np.flatnonzero(places(front) == 2)) <= {4, 5}
    assert sorted(places(front)) == list(range(10))


def test_places_of_one_objective_are_those_of_its_values() -> None:
    assert places(np.array([[0.1], [0.4], [0.3], [0.4]])).tolist() == [3, 0, 2, 0]


@pytest.mark.parametrize("seed", range(5))
def test_multi_objective_halving_stops_the_dominated(seed: int) -> None:
    points = np.random.default_rng(seed).random((30, 2))
    curves = Curves()
    for number, point in enumerate(points):
        curves.add(number, 1, (float(point[0]), float(point[1])))
    halving, ranks = SuccessiveHalving(epochs=9), non_dominated_ranks(points)
    on = [number for number in range(30) if halving.stop_reason(curves, number, 1) is None]
    off = sorted(set(range(30)) - set(on))
    assert len(on) == 10
    assert max(ranks[on]) <= min(ranks[off])


def test_an_epoch_that_a_trial_comes_to_again_is_not_judged_again() -> None:
    """After a pause others have filled the rung; at its first coming the trial was let go on."""
    stopping = EarlyStopping(rules("asha", epochs=9), Curves())
    assert stopping.judge(0, 1, (0.5,)) is None
    for number in range(1, 8):
        stopping.judge(number, 1, (0.5 + number / 10,))
    assert stopping.judge(0, 1, (0.5,)) is None
    assert stopping.judge(8, 1, (0.5,)) is not None


# All together.


@pytest.mark.parametrize(("scheduler", "hopeless"), KINDS)
def test_what_was_measured_decides_alone(scheduler: str, hopeless: bool) -> None:
    """A new driver that reads all measurements judges the next ones as the old one does."""
    kinds: tuple[Rule, ...] = rules(scheduler, epochs=9, stop_hopeless=hopeless)
    rng, curves = np.random.default_rng(7), Curves()
    first = EarlyStopping(kinds, curves)
    told: list[tuple[int, int, float]] = []
    judged = 0
    for number in range(60):
        for epoch in range(1, 10):
            value = float(rng.normal() + epoch)
            again = EarlyStopping(kinds, reported(*told))
            reason = first.judge(number, epoch, (value,))
            assert again.judge(number, epoch, (value,)) == reason
            told.append((number, epoch, value))
            judged += reason is not None
            if reason is not None:
                break
    assert (judged > 0) == (scheduler != "none" or hopeless)


def test_an_epoch_measured_again_changes_nothing() -> None:
    curves = reported((0, 1, 0.5), (0, 1, 0.9), (0, 2, 0.6))
    assert curves.points(0, 2) == ((0.5,), (0.6,))
    assert curves.points(0, 3) == (), "one is missing"


# Comparing.


def test_a_value_of_no_epoch_compares_with_ends() -> None:
    placed, done, short = {0: 0.5}, {1: 0.1, 2: 0.6}, {1: 0.4}
    assert wins([placed, done, short]) == [1, 1, 1]
    assert beats(done, placed)
    assert beats(placed, short)
    ranking = CurveRanking()
    for curve in (placed, done, short):
        ranking.add(curve)
    assert [ranking.quantile(curve) for curve in (placed, done, short)] == pytest.approx([0.5, 0.5, 0.5])


def test_trials_compare_at_the_last_epoch_of_both() -> None:
    slow, fast, done = {1: 0.2, 2: 0.4, 3: 0.7}, {1: 0.5}, {1: 0.1, 2: 0.3, 3: 0.8}
    assert beats(fast, slow)
    assert beats(done, slow)
    assert wins([slow, fast, done, None]) == [1, 3, 2, 0]
    assert beats({3: 0.1}, {1: 0.9}), "where it is not known, who came further was let go on"


@pytest.mark.parametrize("seed", range(10))
def test_quantiles_are_shares_of_those_beaten(seed: int) -> None:
    rng, ranking = np.random.default_rng(seed), CurveRanking()
    curves = [dict(enumerate(rng.integers(0, 6, rng.integers(1, 6)).tolist(), 1)) for _ in range(40)]
    for curve in curves:
        ranking.add(curve)
    for curve in curves:
        won, lost = sum(beats(curve, other) for other in curves), sum(beats(other, curve) for other in curves)
        assert ranking.quantile(curve) == pytest.approx((won + (40 - won - lost) / 2) / 40)
    assert ranking.copy() == ranking


def test_an_outcome_s_curve_ends_at_its_value() -> None:
    outcome = Outcome(number=0, state=TrialState.PRUNED, value=0.4, epochs=2, curve=(0.3, 0.4))
    assert curve_of(outcome) == {1: 0.3, 2: 0.4}
    assert as_curve(0.5) == {0: 0.5}
    for curve in ((0.4,), (0.4, 0.3)):
        with pytest.raises(ValueError, match="a curve of 2 epochs"):
            Outcome(number=0, state=TrialState.PRUNED, value=0.4, epochs=2, curve=curve)


def test_a_plan_names_the_rungs() -> None:
    [rule] = rules("asha", epochs=7, planned=(2, 5, 7))
    assert isinstance(rule, SuccessiveHalving)
    assert rule.rungs == [2, 5], "after the last epoch nothing is left to stop"
    [whole] = rules("asha", epochs=1, planned=(1,))
    assert isinstance(whole, SuccessiveHalving)
    assert whole.rungs == []
