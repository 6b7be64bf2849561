"""The Gaussian process against its textbook form, and at the limits of its numerics."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from search.surrogate.ensemble import GaussianProcessEnsemble, ensemble_size
from search.surrogate.gaussian_process import (
    BEST,
    OFFSET,
    OTHERS,
    OWN,
    Array,
    FeasibilityModel,
    FitError,
    GaussianProcess,
    Hyperparameters,
    Points,
    Prediction,
    group_weights,
    kept_points,
    log_expected_improvement,
    plausible,
    single_threaded,
    standardised,
)

SIZES = (3, 2, 1)
SETTING = Hyperparameters(length=0.8, noise=0.01, weights=(0.5, 0.3, 0.2))


def likeliest(points: Points, sizes: tuple[int, ...]) -> Hyperparameters:
    return plausible(points, sizes, 1)[0][1]


def some(count: int, seed: int = 0, epochs: float = 5.0) -> Points:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, sum(SIZES)))
    return Points(x=x, y=np.sin(x[:, 0]) + 0.1 * x[:, 3], epochs=np.full(count, epochs))


def kernel(a: Array, b: Array) -> Array:
    weights = np.repeat(SETTING.weights, SIZES)
    r: Array = np.sqrt(5 * (((a[:, None] - b[None]) ** 2) * weights).sum(axis=2)) / SETTING.length
    return (1 + r + r**2 / 3) * np.exp(-r)


def test_the_posterior_is_the_textbooks() -> None:
    points, x = some(12), some(5, seed=1).x
    z = standardised(points.y)
    inverse = np.linalg.inv(kernel(points.x, points.x) + SETTING.noise * np.eye(12))
    signal = z @ inverse @ z / 12
    cross = kernel(points.x, x)
    found = GaussianProcess(points, SETTING, SIZES).predict(x)
    assert found.mean == pytest.approx(cross.T @ inverse @ z)
    assert found.deviation**2 == pytest.approx(signal * (1 - np.einsum("ij,ij->j", cross, inverse @ cross)))


def test_open_trials_shrink_the_variance_and_leave_the_mean() -> None:
    points, x = some(12), some(5, seed=1).x
    before = GaussianProcess(points, SETTING, SIZES).predict(x)
    after = GaussianProcess(points, SETTING, SIZES, pending=x[:1]).predict(x)
    assert after.mean == pytest.approx(before.mean)
    assert after.deviation[0] < 0.2 * before.deviation[0]
    assert (after.deviation <= before.deviation + 1e-12).all()


def test_lower_fidelities_have_an_offset_of_their_own() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, sum(SIZES)))
    truth = np.sin(x[:, 0])
    early = np.arange(40) % 2 == 0
    y, epochs = truth - 0.8 * early, np.where(early, 3.0, 9.0)
    points = Points(x=x, y=y, epochs=epochs)
    setting = likeliest(points, SIZES)
    found = GaussianProcess(points, setting, SIZES).predict(x).mean
    z_gap = 0.8 / y.std()
    gap = np.mean((found - truth / y.std())[early]) - np.mean((found - truth / y.std())[~early])
    assert abs(gap) < 0.3 * z_gap, "early values do not make an architecture worse"


def test_a_fidelity_is_correlated_and_not_equal() -> None:
    x = np.zeros((2, 6))
    points = Points(
        x=np.concatenate([x, np.ones((2, 6))]), y=np.array([1.0, 0.0, 0.2, 0.4]), epochs=np.array([9.0, 3, 9, 3])
    )
    setting = Hyperparameters(length=0.8, noise=0.01, weights=(0.5, 0.3, 0.2), rho=0.5)
    root = GaussianProcess(points, setting, SIZES)._root
    matrix = root @ root.T
    assert matrix[0, 1] == pytest.approx(0.5)
    assert matrix[1, 1] == pytest.approx(1 + OFFSET + 0.01)
    assert matrix[0, 0] == pytest.approx(1.01)


def test_the_hyperparameters_are_found() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, sum(SIZES))) / np.repeat(np.sqrt(SIZES), SIZES)
    only_answers = Points(x=x, y=np.sin(4 * x[:, 5]), epochs=np.ones(80))
    assert likeliest(only_answers, SIZES).weights[2] > 0.4
    noise = Points(x=x, y=rng.normal(size=80), epochs=np.ones(80))
    assert likeliest(noise, SIZES).noise == 0.5
    graph = Points(x=x, y=x[:, 0], epochs=np.ones(80))
    assert likeliest(graph, SIZES).weights[2] == 0.0
    assert likeliest(graph, SIZES).noise < 0.1


def test_groups_without_columns_have_no_weight() -> None:
    assert group_weights((0, 0, 4)) == [(0.0, 0.0, 1.0)]
    assert all(sum(view) == pytest.approx(1.0) for view in group_weights((5, 5, 5)))
    assert group_weights((0, 0, 0)) == []


def test_very_bad_values_do_not_stretch_the_scale() -> None:
    y = np.array([*np.linspace(0.8, 0.9, 20), 0.0])
    z = standardised(y)
    assert z.std() == pytest.approx(1.0)
    assert z[19] - z[0] > 2.0
    assert z.argmin() == 20


@pytest.mark.parametrize("y", [[0.5] * 4, [1e300, -1e300, 1e308, 0.0], [0.0, np.inf, 1.0, 2.0]])
def test_values_without_a_finite_spread_are_refused(y: list[float]) -> None:
    with pytest.raises(FitError), np.errstate(all="ignore"):
        standardised(np.array(y))


def test_equal_points_may_have_different_values() -> None:
    x = np.zeros((6, sum(SIZES)))
    points = Points(x=x, y=np.arange(6.0), epochs=np.ones(6))
    setting = likeliest(points, SIZES)
    assert np.isfinite(GaussianProcess(points, setting, SIZES).predict(x).mean).all()


def test_a_feature_that_is_not_a_number_cannot_be_fitted() -> None:
    points = some(6)
    points.x[0, 0] = np.nan
    with pytest.raises(FitError), np.errstate(all="ignore"):
        GaussianProcess(points, SETTING, SIZES)


def test_many_points_are_thinned() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=2000)
    places = kept_points(y, rng.random(2000))
    assert len(places) == BEST + OTHERS == len(set(places))
    assert set(np.argsort(-y)[:BEST]) <= set(places)
    assert (np.diff(places) > 0).all()
    assert len(kept_points(y[:400], y[:400])) == 400


def test_expected_improvement_by_drawing() -> None:
    rng = np.random.default_rng(0)
    posterior = Prediction(mean=np.array([0.0, 0.5, -1.0]), deviation=np.array([1.0, 0.1, 2.0]))
    draws = posterior.mean + posterior.deviation * rng.normal(size=(400_000, 3))
    assert np.exp(log_expected_improvement(posterior, 0.4)) == pytest.approx(
        np.maximum(draws - 0.4, 0).mean(axis=0), rel=0.02
    )


def test_expected_improvement_ranks_candidates_far_below_the_best() -> None:
    posterior = Prediction(mean=np.linspace(-60, 0, 500), deviation=np.ones(500))
    improvement = log_expected_improvement(posterior, 0.5)
    assert np.isfinite(improvement).all()
    assert (np.diff(improvement) > 0).all()


def test_what_always_fails_is_unlikely_and_what_fails_by_chance_is_not() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, sum(SIZES)))
    bad = x[:, 0] > 0.5
    probability = FeasibilityModel(x[~bad], x[bad], SIZES).probability(x)
    assert probability[bad].mean() < 0.4 < 0.8 < probability[~bad].mean()
    by_chance = rng.random(60) < 0.3
    spread = FeasibilityModel(x[~by_chance], x[by_chance], SIZES).probability(x)
    assert spread[~by_chance].mean() > 0.6


def test_the_likeliest_settings_have_weights_that_sum_to_one() -> None:
    found = plausible(some(30), SIZES, 5)
    weights = [weight for weight, _ in found]
    assert 1 < len(found) <= 5
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == pytest.approx(1.0)


def test_an_ensemble_is_the_weighted_mean_of_its_processes() -> None:
    points, x = some(20), some(15, seed=2).x
    settings = [(0.7, SETTING), (0.3, replace(SETTING, length=2.0))]
    ensemble = GaussianProcessEnsemble(points, settings, SIZES, pending=x[:2])
    improvements, estimates = [], []
    for _, setting in settings:
        process = GaussianProcess(points, setting, SIZES, pending=x[:2])
        mean, estimate = process.at_points()
        improvements.append(np.exp(log_expected_improvement(process.predict(x), mean.max())))
        estimates.append(estimate)
    mixed = 0.7 * improvements[0] + 0.3 * improvements[1]
    assert np.exp(ensemble.log_expected_improvement(x)) == pytest.approx(mixed, rel=1e-6)
    assert ensemble.estimates == pytest.approx(0.7 * estimates[0] + 0.3 * estimates[1], abs=1e-6)


def test_an_estimate_lies_between_the_mean_and_the_value() -> None:
    points = some(20)
    points = replace(points, epochs=np.array([5.0] * 19 + [1.0]))
    mean, estimates = GaussianProcess(points, SETTING, SIZES).at_points()
    z = standardised(points.y)
    assert estimates[:19] == pytest.approx(mean[:19] + OWN * (z[:19] - mean[:19]))
    assert estimates[19] == mean[19]


def test_the_mean_at_the_points_is_the_predicted_one() -> None:
    points, pending = some(12), some(3, seed=1).x
    early = replace(points, epochs=np.where(np.arange(12) % 3 == 0, 1.0, 9.0))
    process = GaussianProcess(early, SETTING, SIZES, pending=pending)
    assert process.at_points()[0] == pytest.approx(process.predict(early.x).mean, abs=1e-9)


def test_linear_algebra_can_be_kept_to_one_thread() -> None:
    before = [library["num_threads"] for library in threadpool_info()]
    with single_threaded():
        assert {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"} == {1}
    assert [library["num_threads"] for library in threadpool_info()] == before


def test_many_points_need_fewer_processes() -> None:
    assert [ensemble_size(points) for points in (6, 50, 100, 400, 500)] == [8, 8, 4, 1, 1]
