"""The zero-cost ranking before a search: what is measured and stored, with the cluster replaced by a fake."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from archsmith.errors import TrialFailure
from search.controllers.predictor import PredictorController
from search.spec import Budget, JobSpec
from space import presets
from space.analysis import analyse
from space.space import Space, replay
from tests.unit.workers.graph_data import many_graphs
from workers.datasets import Dataset, DataStore
from workers.probes import zero_cost
from workers.probes.zero_cost import FEWEST, FILE, MEASURED, ProxyTask, ZeroCostRanking, measure
from workers.stop_signal import StopSignal
from workers.train.job_data import JobData

pytestmark = pytest.mark.heavy

Calls = list[ProxyTask]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return DataStore(tmp_path / "store").open("digits", seed=0)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """A cluster of two places that counts to ten for each task, and notes what it was asked."""
    seen: Calls = []

    def run_tasks(function: Any, tasks: list[ProxyTask], *, should_stop: Callable[[], bool], **_: Any) -> Any:
        for task in tasks:
            if should_stop():
                return
            seen.append(task)
            yield task, {hash_: {"synflow": float(len(hash_)), "nwot": None} for hash_, _ in task.architectures}

    monkeypatch.setattr(zero_cost, "run_tasks", run_tasks)
    monkeypatch.setattr("workers.probes.zero_cost.connection.slots", lambda cpus, gpus: 2)
    return seen


def ranking(dataset: Dataset, folder: Path, **changes: Any) -> ZeroCostRanking:
    spec = JobSpec(**{"dataset": "digits", "space": presets.load("tiny"), **changes})
    return ZeroCostRanking(spec=spec, dataset=dataset, folder=folder, stop=StopSignal())


def controller(preset: str = "chain", seed: int = 0) -> PredictorController:
    space = Space.parse(presets.load(preset), input_shape=(1, 8, 8), classes=10)
    return PredictorController(space, seed=seed, warm="zero_cost")


def test_some_of_the_pool_are_measured_once(dataset: Dataset, tmp_path: Path, calls: Calls) -> None:
    one, job = controller(), ranking(dataset, tmp_path)
    found = job.guesses(one)
    sizes = {candidate.key: candidate.size for candidate in one.pool}
    assert len(found) == MEASURED
    assert set(found) <= set(sizes)
    assert max(sizes, key=lambda key: sizes[key]) in found
    assert sum(len(task.architectures) for task in calls) == len(json.loads((tmp_path / FILE).read_text()))
    large = sorted(dict.fromkeys(sizes), key=lambda key: -sizes[key])[: MEASURED // 2]
    assert sum(sizes[key] >= sizes[large[-1]] for key in found) >= MEASURED // 2
    # another driver of the same job
    assert ranking(dataset, tmp_path).guesses(controller()) == found
    assert len(calls) == 2
    assert not list(tmp_path.glob("*.part"))


def test_a_proxy_that_says_nothing_leaves_the_others(dataset: Dataset, tmp_path: Path, calls: Calls) -> None:
    """Here all but the MACs: nwot failed, jacob_cov is missing, synflow is the same for all."""
    one = controller()
    found = ranking(dataset, tmp_path).guesses(one)
    macs = {key: one.space.sample(replay(dict(key))) for key in found}
    order = sorted(found, key=lambda key: found[key])
    counted = [analyse(macs[key]).macs for key in order]
    assert counted == sorted(counted)


def test_too_few_measurements_are_not_used(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def run_tasks(function: Any, tasks: list[ProxyTask], **_: Any) -> Any:
        yield tasks[0], {hash_: {"synflow": 1.0} for hash_, _ in tasks[0].architectures[: FEWEST - 1]}
        yield tasks[1], TrialFailure("worker lost repeatedly: WorkerCrashedError", cause="lost")

    monkeypatch.setattr(zero_cost, "run_tasks", run_tasks)
    monkeypatch.setattr("workers.probes.zero_cost.connection.slots", lambda cpus, gpus: 2)
    job = ranking(dataset, tmp_path)
    assert job.guesses(controller()) == {}
    assert f"{FEWEST - 1} of " in caplog.text
    assert "worker lost" in caplog.text
    monkeypatch.delattr(zero_cost, "run_tasks")  # it is over: the next driver asks nobody and starts alike
    assert job.guesses(controller()) == {}


def test_a_space_with_few_architectures_is_measured_whole(dataset: Dataset, tmp_path: Path, calls: Calls) -> None:
    document = {"schema": 1, "name": "two", "stages": [{"operation": ["conv"], "kernel": [3, 5], "width": [8]}]}
    space = Space.parse(document, input_shape=(1, 8, 8), classes=10)
    found = ranking(dataset, tmp_path).guesses(PredictorController(space, warm="zero_cost"))
    assert len(found) == 2
    assert len(set(found.values())) == 2  # by their MACs


def test_a_stopped_measurement_is_not_stored(dataset: Dataset, tmp_path: Path, calls: Calls) -> None:
    job = ranking(dataset, tmp_path)
    job.stop.suspend("pause")
    assert job.guesses(controller()) == {}
    assert not (tmp_path / FILE).exists()
    assert calls == []


@pytest.mark.parametrize(
    ("seconds", "reproducible", "expected"),
    [(3600.0, False, [175.0, 175.0]), (60.0, False, []), (60.0, True, [None, None])],
)
def test_it_takes_a_small_share_of_the_seconds(
    dataset: Dataset, tmp_path: Path, calls: Calls, seconds: float, reproducible: bool, expected: list[float | None]
) -> None:
    """5 %, of which a process needs 5 s to begin; a reproducible job may not depend on a clock."""
    ranking(dataset, tmp_path, budget=Budget(seconds=seconds), reproducible=reproducible).guesses(controller())
    assert [task.seconds for task in calls] == expected


def task_of(one: PredictorController, **changes: Any) -> ProxyTask:
    found = [one.ask(number).architecture for number in range(2)]
    named = tuple((architecture.hash, architecture.to_json()) for architecture in found)
    return ProxyTask(**{"architectures": named, "seconds": None, "seed": 7, "device": "cpu", "threads": 1, **changes})


def test_a_process_measures_on_one_batch(dataset: Dataset) -> None:
    data = zero_cost._one_batch(dataset, 3)
    assert len(data.train) == 64
    assert (data.val, data.test) == (None, None)
    task = task_of(controller("tiny"))
    rows = measure(task, data)
    assert list(rows) == [hash_ for hash_, _ in task.architectures]
    assert all(value is not None for row in rows.values() for value in row.values())
    assert measure(task, zero_cost._one_batch(dataset, 3)) == rows
    assert measure(task, zero_cost._one_batch(dataset, 4)) != rows


def test_a_process_stops_in_time(dataset: Dataset) -> None:
    assert measure(task_of(controller("tiny"), seconds=0.0), zero_cost._one_batch(dataset, 3)) == {}


def test_graphs_are_measured_as_they_are() -> None:
    train = many_graphs()
    document = presets.load("graph_class")
    space = Space.parse(document, input_shape=(train.x.shape[1],), classes=2, tasks=("graphs",))
    one = PredictorController(space, warm="zero_cost")
    data = JobData(key="graphs", train=train, val=None, test=None, mean=(), std=(), task="graphs")
    for row in measure(task_of(one), data).values():
        assert row["synflow"] is not None
        assert (row["jacob_cov"], row["nwot"]) == (None, None)
