"""Simple models of a job: measured once, stored whole, and never the reason why a job fails. The cluster is a fake."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archsmith.errors import TrialFailure
from search.ledger import Ledger, open_ledger
from search.spec import ObjectiveSpec
from tests.factories import owned_job
from workers.datasets import Dataset, DataStore
from workers.job.context import JobContext
from workers.probes import simple_models as probe
from workers.settings import Settings
from workers.simple.models import USUAL_STRENGTH, SimpleTask
from workers.simple.record import SimpleScore
from workers.simple.sampling import Samples

Calls = list[tuple[SimpleTask, Samples]]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return DataStore(tmp_path / "datasets").open("digits", seed=0)


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    url = f"sqlite:///{tmp_path / 'archsmith.db'}"
    ledger: Ledger = open_ledger(url)
    lease = owned_job(ledger, objective=ObjectiveSpec(score="accuracy"))
    return JobContext.of(Settings(state=tmp_path, database_url=url), ledger, lease)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """A cluster on which boosted trees fail."""
    seen: Calls = []

    def run_tasks(
        function: Any, tasks: list[SimpleTask], *, shared: Samples, should_stop: Callable[[], bool], **_: Any
    ) -> Any:
        for task in tasks:
            if should_stop():
                return
            seen.append((task, shared))
            if task.model == "boosted":
                yield task, TrialFailure("crashed: MemoryError: ", cause="crashed")
            else:
                yield task, SimpleScore(score=0.75, seconds=1.0, features=9, strength=1.0)

    monkeypatch.setattr(probe, "run_tasks", run_tasks)
    return seen


def test_they_are_measured_once_and_told(context: JobContext, dataset: Dataset, calls: Calls) -> None:
    probe.before_search(context, dataset)
    assert [task.model for task, _ in calls] == ["linear", "boosted"]
    assert calls[0][1].held_out.of == len(dataset.search_val)
    probe.before_search(context, dataset)  # the driver died; another one
    assert len(calls) == 2
    told = [event.data for event in context.ledger.events(context.job_id) if event.kind == "simple_models"]
    assert told == [
        {
            "linear": {"search_score": 0.75, "reason": None},
            "boosted": {"search_score": None, "reason": "crashed: MemoryError: "},
        }
    ]
    assert not list(context.folder.glob("*.part"))


def test_the_test_split_is_opened_in_the_final_stage_with_what_validation_chose(
    context: JobContext, dataset: Dataset, calls: Calls
) -> None:
    probe.before_search(context, dataset)
    found = probe.simple_models(context, dataset, "final")
    assert found is not None
    assert found == probe.known(context, "final")
    assert [(task.strength, given.held_out.of) for task, given in calls[2:]] == [
        (1.0, 359),
        (USUAL_STRENGTH, 359),
    ]
    assert found.whole
    assert found.scores["boosted"].reason == "crashed: MemoryError: "


def test_a_suspended_job_stores_nothing(context: JobContext, dataset: Dataset, calls: Calls) -> None:
    context.stop.suspend("pause")
    assert probe.simple_models(context, dataset, "search") is None
    assert (calls, probe.known(context, "search")) == ([], None)


def test_what_has_not_ended_in_time_is_not_available(
    context: JobContext, dataset: Dataset, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "LIMIT_S", 0.0)
    found = probe.simple_models(context, dataset, "search")
    assert found is not None
    assert {one.reason for one in found.scores.values()} == {"it had not ended after 0 s"}
    fixed = replace(context, spec=replace(context.spec, reproducible=True), folder=context.folder / "other")
    assert probe.simple_models(fixed, dataset, "search") != found, "no clock decides in a reproducible job"


def test_a_service_may_leave_them_out(context: JobContext, dataset: Dataset, calls: Calls) -> None:
    without = replace(context, settings=replace(context.settings, simple_models=False))
    assert probe.simple_models(without, dataset, "final") is None
    assert calls == []


def test_unequal_classes_are_told_once(context: JobContext, dataset: Dataset, calls: Calls) -> None:
    counts = (20, *dataset.info.counts[1:])
    rare = replace(dataset, info=replace(dataset.info, counts=counts))
    for _ in range(2):
        probe.before_search(context, rare)
    [told] = [event.data for event in context.ledger.events(context.job_id) if event.kind == "warning"]
    assert told["number"] is None
    assert told["detail"].startswith("the classes are unequal")
    json.dumps(told)
