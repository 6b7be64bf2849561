"""Trainings that only pretend, and fail as they are told to. They travel to Ray's processes by value."""

import ctypes
import math
import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any

from ray import cloudpickle

from archsmith.errors import TrialFailure
from search.trial import Measurement
from workers.cluster.trial import TrialTask

cloudpickle.register_pickle_by_value(sys.modules[__name__])

FOREVER_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Fake:
    """A `Start`. Every set holds numbers of trials; a trial in none of them scores at once.

    diverged: the trial's own fault. crashed: any exception. nan: a score that is none. killed, killed_once: SIGKILL of
    its own process, in every attempt or the first. blocked: held in C, with the interpreter's lock. slow: epochs
    that last for ten minutes, from epoch `slow_from` on. all_crash: every trial.
    measured: whether trainings tell a latency where one is wanted.
    """

    diverged: frozenset[int] = frozenset()
    crashed: frozenset[int] = frozenset()
    nan: frozenset[int] = frozenset()
    killed: frozenset[int] = frozenset()
    killed_once: frozenset[int] = frozenset()
    blocked: frozenset[int] = frozenset()
    slow: frozenset[int] = frozenset()
    slow_from: int = 1
    epoch_s: float = 0.0
    measured: bool = True
    all_crash: bool = False

    def __call__(self, task: TrialTask, data: Any) -> "FakeSession":
        return FakeSession(self, task)


def score(number: int, epoch: int = 1) -> float:
    """Different for every trial below 101, and rising with the epochs."""
    return 0.5 + (number * 37 % 101) / 500 + epoch / 1000


def latency(number: int) -> float:
    """Different for every trial below 103, in ms."""
    return 0.1 + (number * 53 % 103) / 50


class FakeSession:
    def __init__(self, fake: Fake, task: TrialTask) -> None:
        self._fake, self._task, self._epoch = fake, task, 0

    def epoch(self) -> Measurement:
        self._epoch += 1
        fake, number = self._fake, self._task.number
        if number in fake.diverged:
            raise TrialFailure("the loss is nan\nand more lines", cause="diverged")
        if number in fake.crashed or fake.all_crash:
            raise RuntimeError("as it was told to\nand more lines")
        if number in fake.killed or (number in fake.killed_once and self._task.attempt == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if number in fake.blocked:
            ctypes.PyDLL(None).sleep(int(FOREVER_S))
        time.sleep(FOREVER_S if number in fake.slow and self._epoch >= fake.slow_from else fake.epoch_s)
        value = math.nan if number in fake.nan else score(number, self._epoch)
        return Measurement(epoch=self._epoch, score=value, train_loss=1.0, seconds=0.0)

    def measures(self) -> dict[str, float]:
        wanted = self._fake.measured and "latency_ms" in self._task.aims.needs
        return {"latency_ms": latency(self._task.number)} if wanted else {}


def task(kind: str, shared: Any) -> str:
    """Work for `cluster.run_tasks`: well, raising, or killing its own process."""
    if kind == "raises":
        raise KeyError("missing\nand more lines")
    if kind == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{kind} with {shared}"


def forever(task: Any, shared: Any) -> dict[str, Any]:  # the signature of what is measured
    """Work for `cluster.run_tasks` that takes ten minutes."""
    time.sleep(FOREVER_S)
    return {}
