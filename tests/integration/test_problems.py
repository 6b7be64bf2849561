"""Jobs whose answer is no single class: numbers, several labels, classes in an order, through the driver."""

import json
from typing import Any

import numpy as np
import pytest

from search.spec import ObjectiveSpec, TrialSpec
from search.trial import JobState
from tests.driving import Yard
from workers.conventions import score_name
from workers.datasets import DataStore
from workers.datasets.digits import read as digits
from workers.datasets.raw import Array, RawDataset

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ROWS = 600


def answers(problem: str, y: Array, x: Array) -> tuple[Array, tuple[str, ...]]:
    """What is asked about pictures of digits."""
    if problem == "regression":
        light = x.reshape(len(x), -1).mean(1)
        return np.stack([1000.0 + 50.0 * y, light], axis=1).astype(np.float32), ("number", "light")
    if problem == "multilabel":
        return np.stack([y % 2, y > 4, y % 3 == 0], axis=1).astype(np.uint8), ("odd", "large", "threefold")
    return y, tuple("0123456789")


def add(store: DataStore, problem: str) -> None:
    whole = digits()
    x = np.asarray(whole.pieces[0][:ROWS])
    y, names = answers(problem, whole.y[:ROWS], x)
    store.add(
        problem,
        RawDataset(
            format="npz", pieces=(x,), dtype=whole.dtype, y=y, class_names=names, parts={"train": (0, ROWS)},
            problem=problem,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("problem", "trial"),
    [
        ("regression", {"loss": "huber"}),
        pytest.param("multilabel", {"class_weights": "balanced"}, marks=pytest.mark.slow),
        pytest.param("ordinal", {"loss": "squared_steps", "class_weights": (2.0,) * 10}, marks=pytest.mark.slow),
    ],
)
def test_a_job_ends_with_its_scores(yard: Yard, problem: str, trial: dict[str, Any]) -> None:
    add(DataStore(yard.settings.datasets), problem)
    job_id = yard.submit(
        dataset=problem,
        trials=2,
        trial=TrialSpec(precision="fp32", layout="nchw", batch_size=64, **trial),
        objective=ObjectiveSpec(),
    )
    job = yard.drive()
    assert (job.state, job.reason) == (JobState.SUCCEEDED, None)
    report = json.loads((yard.settings.job_folder(job_id) / "bundle" / "report.json").read_text())
    assert report["score"] == score_name("auto", "image", problem)
    assert report["final_score"] == job.final_score
    assert report["measures"][report["score"]] == pytest.approx(report["final_score"])
    assert report["job"]["document"]["trial"]["loss"] == trial.get("loss", "auto")
    if problem == "regression":
        assert set(report["measures"]) == {"r2", "mae", "rmse"}
        assert report["measures"]["mae"] > 1.0, "in the units of the targets"
