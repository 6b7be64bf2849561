"""Which number type and layout a trial takes for its network, and what it leaves as it was."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from archsmith.errors import TrialFailure
from space import presets
from space.space import Space, replay
from workers.cluster.trial import TrainingSession, TrialTask
from workers.datasets import Split
from workers.measures import fastest as module
from workers.measures.fastest import fastest
from workers.train.job_data import JobData
from workers.train.numerics import Numerics, chosen
from workers.train.prepare import new_trainer
from workers.train.recipe import Recipe

OWN = Recipe(epochs=2, rungs=(1, 2), batch_size=8, min_steps=1, precision="bf16", layout="nhwc")
SETTINGS = (("fp32", "nchw"), ("fp32", "nhwc"), ("bf16", "nhwc"))


def data() -> JobData:
    rng = np.random.default_rng(0)
    split = Split(x=rng.integers(0, 256, (16, 1, 8, 8), dtype=np.uint8), y=np.arange(16) % 2)
    return JobData(key="fastest", train=split, val=split, test=None, mean=(127.5,), std=(74.0,))


def network() -> dict[str, Any]:
    space = Space.parse(presets.load("tiny"), input_shape=(1, 8, 8), classes=2)
    return space.sample(replay(space.baseline())).to_json()


def choice(monkeypatch: pytest.MonkeyPatch, seconds: dict[tuple[str, str], float]) -> tuple[str, str]:
    monkeypatch.setattr(module, "_step_seconds", lambda _network, _data, _values, setting: seconds[setting])
    found = fastest({}, data(), OWN, SETTINGS)
    assert replace(found, precision=OWN.precision, layout=OWN.layout) == OWN
    return found.precision, found.layout


def test_the_fastest_is_taken_where_it_beats_the_jobs_own_by_more_than_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = {("fp32", "nchw"): 0.4, ("fp32", "nhwc"): 0.2, ("bf16", "nhwc"): 0.3}
    assert choice(monkeypatch, slow) == ("fp32", "nhwc")
    assert choice(monkeypatch, {**slow, ("bf16", "nhwc"): 0.21}) == ("bf16", "nhwc")


def test_a_setting_that_fails_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = new_trainer

    def fails(architecture: dict[str, Any], given: JobData, values: Recipe) -> Any:
        if values.precision == "fp32":
            raise TrialFailure("no memory", cause="out_of_memory")
        return real(architecture, given, values)

    monkeypatch.setattr(module, "new_trainer", fails)
    found = fastest(network(), data(), OWN, SETTINGS)
    assert (found.precision, found.layout) == ("bf16", "nhwc")


@pytest.mark.heavy
def test_timing_leaves_the_weights_of_the_training_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = TrialTask(
        job_id="j", number=0, attempt=1, architecture=network(), timeout_s=60.0, checkpoint="",
        recipe=replace(OWN, precision="fp32", layout="nchw"),
    )  # fmt: skip
    monkeypatch.setattr(module, "MARGIN", float("inf"))  # the setting of the job
    sent = TrialTask.loads(replace(plain, settings=SETTINGS).dumps())
    assert sent.settings == SETTINGS
    trained = [TrainingSession(task, data()) for task in (plain, sent)]
    measurements = [session.epoch() for session in trained]
    assert measurements[0].train_loss == measurements[1].train_loss
    states = [session._trainer.module.state_dict() for session in trained]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert [dict(session.measures()) for session in trained] == [{}, chosen("fp32", "nchw")]


def test_final_trainings_take_the_setting_of_their_trial() -> None:
    job = Numerics(precision="bf16", layout="nhwc", source="calibration")
    assert job.of_trial({"latency_ms": 1.0}) == job
    for precision, layout in (("fp32", "nchw"), ("bf16", "nhwc"), ("fp16", "nhwc")):
        assert job.of_trial(chosen(precision, layout)) == replace(job, precision=precision, layout=layout)
