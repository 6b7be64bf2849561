"""A trial whose best weights cannot be kept."""

from pathlib import Path
from typing import Any

import pytest

from search.objective import Objective
from search.trial import Measurement
from workers.cluster.trial import TrainingSession


class _Task:
    number = 3
    aims = Objective()

    def __init__(self, folder: Path) -> None:
        self.keep_best = str(folder)


class _Trainer:
    module: Any = None


def test_a_full_disk_costs_the_provisional_bundle_and_not_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*args: Any, **options: Any) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workers.weights.best_weights.offer", full)
    session: Any = object.__new__(TrainingSession)
    session._task, session._trainer = _Task(tmp_path), _Trainer()
    session.offer(Measurement(epoch=1, score=0.5, train_loss=1.0, seconds=0.1))
    assert "the weights of trial 3 are not kept: [Errno 28] No space left on device" in caplog.text
