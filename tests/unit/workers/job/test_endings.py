"""How a driver ends when something outside its trials goes wrong, and what the next one finds."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from archsmith.errors import ArchsmithError, LeaseLost, TrialFailure, Unavailable
from search.ledger import Finalist, Ledger
from search.trial import JobState
from tests import factories
from workers.driver import Driver
from workers.finalists.training import FinalistTask
from workers.job.context import JobContext
from workers.phases import final_trainings as trainings_module
from workers.phases.finish import Finish
from workers.settings import Settings
from workers.train.job_data import JobData
from workers.train.recipe import Recipe


def _driver(settings: Settings, ledger: Ledger, error: ArchsmithError, monkeypatch: pytest.MonkeyPatch) -> Driver:
    def fail(self: Driver) -> None:
        raise error

    monkeypatch.setattr(Driver, "_steps", fail)
    return Driver(settings, ledger, factories.owned_job(ledger))


@pytest.mark.parametrize("error", [Unavailable("the database is away"), LeaseLost("another has it")])
def test_an_outage_or_a_lost_lease_leaves_the_job_to_the_next_driver(
    settings: Settings, ledger: Ledger, error: ArchsmithError, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = _driver(settings, ledger, error, monkeypatch)
    with pytest.raises(type(error)):
        driver.run()
    assert ledger.jobs()[0].state is JobState.RUNNING


def test_any_other_error_is_the_job_s_reason_in_one_line(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    _driver(settings, ledger, ArchsmithError("it went wrong\nand more"), monkeypatch).run()
    job = ledger.jobs()[0]
    assert (job.state, job.reason) == (JobState.FAILED, "it went wrong")


def test_finalists_that_have_ended_are_not_trained_again(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = factories.owned_job(ledger)
    row = Finalist(job_id=lease.job_id, rank=1, trial_number=0, seed=0, state="failed", reason="oom: too large")
    ledger.set_finalist(lease, row)
    ledger.set_finalist(lease, replace(row, rank=2, state="running", reason=None))  # its driver was killed
    asked: list[int] = []

    def run_tasks(function: Any, tasks: Sequence[FinalistTask], **options: Any) -> Iterator[Any]:
        for task in tasks:
            asked.append(task.rank)
            yield task, TrialFailure("worker lost repeatedly: WorkerCrashedError", cause="lost")

    monkeypatch.setattr(trainings_module, "run_tasks", run_tasks)
    nothing: Any = None
    data = JobData(key="none", train=nothing, val=None, test=None, mean=(), std=())
    monkeypatch.setattr(trainings_module, "final_data", lambda _: data)
    tasks = [
        FinalistTask(rank=rank, number=0, seed=0, architecture={}, recipe=Recipe(epochs=3, seed=1)) for rank in (1, 2)
    ]
    Finish(JobContext.of(settings, ledger, lease))._trainings.train(tasks, nothing)
    assert asked == [2]
    assert [(f.rank, f.state, f.reason) for f in ledger.finalists(lease.job_id)] == [
        (1, "failed", "oom: too large"),
        (2, "failed", "worker lost repeatedly: WorkerCrashedError"),
    ]
