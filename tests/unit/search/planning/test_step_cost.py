"""The cost model: what it takes from an architecture, and what timed steps teach it."""

import numpy as np
import pytest

from search.planning.step_cost import FACTORS, StepCost, Work, fit, work_of
from search.planning.values import PlanInputs
from search.proposing.walks import draw_walk, uniform
from space import presets
from space.space import Space


def works(preset: str, count: int) -> list[Work]:
    space = Space.parse(presets.load(preset), input_shape=(1, 28, 28), classes=10)
    drawn = (draw_walk(space, (), uniform(np.random.default_rng(seed))) for seed in range(count))
    return [work_of(draw.architecture) for draw in drawn if draw is not None]


def test_grouped_convolutions_are_counted_apart_and_feature_maps_once_each() -> None:
    found = works("mobile", 6)
    assert all(dense > 0 and maps > 784 and pixels == 784 for dense, _, maps, pixels in found)
    assert any(grouped > 0 for _, grouped, _, _ in found)


def test_one_timed_network_gives_the_scale_and_no_more() -> None:
    first, *others = works("chain", 5)
    model = fit([first], [0.25])
    assert model.seconds([first]) == pytest.approx([0.25])
    ratio = np.dot(others[0], FACTORS) / np.dot(first, FACTORS)
    assert model.seconds(others[:1]) == pytest.approx([0.25 * ratio])


def test_a_machine_with_other_ratios_is_learned_from_its_own_steps() -> None:
    """On it grouped convolutions and feature maps cost a fifth of what they do where FACTORS were measured."""
    seen, new = (found := works("mobile", 30))[:20], found[20:]
    true = np.array(found) @ (1e-9 * np.array(FACTORS) * (1.0, 0.2, 0.2, 1.0))
    few, many = (fit(seen[:n], list(true[:n])) for n in (1, 20))
    errors = [np.abs(np.log(model.seconds(new) / true[20:])).mean() for model in (few, many)]
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("seconds", [[], [0.0]])
def test_without_timed_steps_there_is_no_model(seconds: list[float]) -> None:
    with pytest.raises(ValueError, match="cost model"):
        fit(works("chain", len(seconds)), seconds)


def test_an_unknown_machine_has_ratios() -> None:
    assert StepCost.unknown().seconds([(10.0, 0.0, 0.0, 0.0), (20.0, 0.0, 0.0, 0.0)]) == pytest.approx([10.0, 20.0])


def test_what_was_timed_is_stored_with_the_inputs_of_a_plan() -> None:
    given = PlanInputs(
        seconds=1.0, slots=1, samples=9, val_samples=1, final_samples=9, input_shape=(1, 8, 8), classes=2,
        step_s=0.1, score_s=0.0, timed=((0.1, 1.0, 2.0, 3.0, 4.0),),
    )  # fmt: skip
    assert PlanInputs.from_json(given.to_json()) == given
    assert PlanInputs.from_json({k: v for k, v in given.to_json().items() if k != "timed"}).timed == ()
