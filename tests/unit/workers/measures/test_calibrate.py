"""Calibration: measured on this machine, and plain numerics unless others are clearly faster."""

import json
import time

import pytest
import torch

from workers.measures.calibrate import PLAIN, Timing, calibrate, candidates, choose, reference_network


def table(**speeds: float) -> tuple[Timing, ...]:
    return tuple(
        Timing(precision=name.split("_")[0], layout=name.split("_")[1], images_per_second=speed)
        for name, speed in speeds.items()
    )


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ({"fp32_nchw": 100, "fp32_nhwc": 140, "bf16_nhwc": 260}, ("bf16", "nhwc")),
        ({"fp32_nchw": 100, "fp32_nhwc": 140, "bf16_nhwc": 60}, ("fp32", "nhwc")),
        ({"fp32_nchw": 100, "fp32_nhwc": 104, "bf16_nhwc": 99}, PLAIN),
        ({"fp32_nchw": 100, "fp32_nhwc": 50, "bf16_nhwc": 20}, PLAIN),
        ({"fp32_nchw": 100}, PLAIN),
    ],
)
def test_the_fastest_is_chosen_and_ties_go_to_the_plain_one(
    speeds: dict[str, float], expected: tuple[str, str]
) -> None:
    assert choose(table(**speeds)) == expected


@pytest.mark.heavy
def test_a_calibration_is_short_and_returns_its_table() -> None:
    before = torch.get_num_threads()
    started = time.process_time()
    result = calibrate((1, 8, 8), threads=1, budget_s=0.5)
    assert time.process_time() - started < 10
    assert {(t.precision, t.layout) for t in result.table} == set(candidates("cpu"))
    assert all(t.images_per_second > 0 for t in result.table)
    assert (result.precision, result.layout) == choose(result.table)
    assert (result.device, result.threads) == ("cpu", 1)
    assert json.loads(json.dumps(result.to_json()))["table"][0]["precision"] == "fp32"
    torch.set_num_threads(before)


@pytest.mark.heavy
def test_series_have_one_layout() -> None:
    assert {layout for _, layout in candidates("cuda", sides=1)} == {"nchw"}
    result = calibrate((2, 64), budget_s=0.0)
    assert [(t.precision, t.layout) for t in result.table] == [("fp32", "nchw"), ("bf16", "nchw")]
    assert all(t.images_per_second > 0 for t in result.table)


def test_half_precision_is_for_gpus() -> None:
    assert candidates("cpu")[0] == candidates("cuda:0")[0] == PLAIN
    assert not any(precision == "fp16" for precision, _ in candidates("cpu"))
    assert any(precision == "fp16" for precision, _ in candidates("cuda:0"))


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 5), (1, 28, 28), (4, 64, 64), (2, 1), (3, 50)])
def test_the_reference_network_takes_any_size(shape: tuple[int, ...]) -> None:
    assert reference_network(shape, 7).eval()(torch.zeros(2, *shape)).shape == (2, 7)
