"""What a user may change of a running or ended job, with real trainings on a real cluster: the bundle before the end,
an early end, another budget."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load

from search.ledger import Job
from search.spec import Budget
from search.trial import JobState, TrialState
from tests.driving import Yard, finalists, until
from tests.fakes import Fake
from tests.invariants import audit
from workers.bundle.verify import verify
from workers.driver import Driver
from workers.weights import best_weights

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

MANY = Budget(trials=200, seconds=600.0, epochs=2)


def _scored(yard: Yard, driver: Driver, trials: int = 1) -> None:
    """Wait until so many trials have ended with a score."""
    job_id = driver.context.job_id
    until(lambda: yard.ledger.job(job_id).counts[TrialState.COMPLETED] >= trials)


def _bundle(yard: Yard, job: Job) -> tuple[Path, dict[str, Any]]:
    """The final bundle and its report."""
    path = yard.settings.job_folder(job.id) / "bundle.zip"
    with zipfile.ZipFile(path) as archive:
        report: dict[str, Any] = json.loads(archive.read("report.json"))
    assert [check.what for check in verify(path, code=False) if check.ok is False] == []
    return path, report


def test_a_cancelled_job_has_a_provisional_bundle(yard: Yard) -> None:
    yard.submit(budget=MANY)

    def cancel(driver: Driver) -> None:
        job_id = driver.context.job_id
        until(lambda: yard.ledger.job(job_id).interim_bundle)
        yard.ledger.request(job_id, "cancel")

    job = yard.drive(meanwhile=cancel)
    assert (job.state, job.reason) == (JobState.CANCELLED, "cancelled on request")
    assert job.interim_bundle is not None
    path = yard.settings.job_folder(job.id) / job.interim_bundle["file"]
    assert [check.what for check in verify(path) if check.ok is False] == []
    best = best_weights.found(yard.settings.job_folder(job.id) / best_weights.FOLDER)[0]
    with zipfile.ZipFile(path) as archive:
        assert archive.read("weights.safetensors") == best.path.read_bytes()
    measured = yard.ledger.trial(job.id, best.number).measurements[best.epoch - 1]
    assert measured.score == best.score == job.interim_bundle["provisional"]["search_score"]
    assert best.score == max(m.measurement.score for m in yard.ledger.measurements(job.id))


@pytest.mark.slow
def test_an_early_end_trains_the_winner_where_there_is_time(yard: Yard) -> None:
    yard.submit(budget=MANY, finalists=finalists(top=2, epochs=2))

    def finish(driver: Driver) -> None:
        _scored(yard, driver, 2)
        yard.ledger.finish(driver.context.job_id, within_seconds=120.0)

    job = yard.drive(meanwhile=finish)
    assert (job.state, job.reason, job.stopped_because) == (JobState.SUCCEEDED, None, "finish")
    states = {trial.state for trial in yard.trials(job.id).values()}
    assert states <= {TrialState.COMPLETED, TrialState.PRUNED, TrialState.CANCELLED}
    _, report = _bundle(yard, job)
    assert (report["winner"]["trial"], report["cut"]) == (job.best_trial, None)
    assert job.interim_bundle is None
    assert not list(yard.settings.job_folder(job.id).glob("provisional-*.zip"))
    audit(yard.ledger)


@pytest.mark.slow
def test_without_time_the_search_s_own_weights_are_the_product(yard: Yard) -> None:
    yard.submit(budget=MANY, finalists=finalists(epochs=500))

    def finish(driver: Driver) -> None:
        _scored(yard, driver)
        yard.ledger.finish(driver.context.job_id, within_seconds=5.0)

    job = yard.drive(meanwhile=finish)
    assert (job.state, job.reason) == (JobState.SUCCEEDED, None)
    path, report = _bundle(yard, job)
    best = best_weights.found(yard.settings.job_folder(job.id) / best_weights.FOLDER)[0]
    assert report["cut"].startswith(
        f"`finish` left no time for a full training: these are the weights of trial {best.number}"
    )
    assert report["cut"] in report["warnings"]
    assert (report["winner"]["trial"], report["search_score"]) == (best.number, best.score)
    assert 0.1 < report["final_score"] == job.final_score
    with zipfile.ZipFile(path) as archive:
        stored, own = load(archive.read("weights.safetensors")), load(best.path.read_bytes())
        assert "from the search itself" in archive.read("model_card.md").decode()
    assert all((stored[name] == own[name]).all() for name in own)
    audit(yard.ledger)


@pytest.mark.slow
def test_a_search_that_has_ended_goes_on(yard: Yard) -> None:
    job_id = yard.submit(trials=2)
    first = yard.drive()
    assert (first.state, first.stopped_because) == (JobState.SUCCEEDED, "budget_trials")
    before = yard.trials(job_id)
    yard.ledger.change_budget(job_id, {"trials": 4}, kept_as="bundle-old.zip")
    second = yard.drive()
    assert (second.state, second.stopped_because, second.rounds) == (JobState.SUCCEEDED, "budget_trials", 1)
    trials = yard.trials(job_id)
    assert {n: t.search_score for n, t in trials.items() if n < 2} == {n: t.search_score for n, t in before.items()}
    assert sorted(trials) == [0, 1, 2, 3]
    _, report = _bundle(yard, second)
    assert report["winner"]["trial"] == second.best_trial
    assert second.bundle_sha256 != first.bundle_sha256
    assert not list(yard.settings.job_folder(job_id).glob("bundle-*.zip"))
    audit(yard.ledger)


@pytest.mark.slow
def test_a_running_search_follows_its_budget(yard: Yard) -> None:
    yard.submit(trials=2)

    def extend(driver: Driver) -> None:
        until(lambda: yard.ledger.job(driver.context.job_id).counts[TrialState.RUNNING])
        yard.ledger.change_budget(driver.context.job_id, {"trials": 5})

    job = yard.drive(Fake(epoch_s=2.5), meanwhile=extend)
    assert (job.state, job.counts[TrialState.COMPLETED]) == (JobState.SUCCEEDED, 5)


def test_a_budget_that_is_raised_during_the_final_trainings_takes_the_job_back_to_its_search(yard: Yard) -> None:
    job_id = yard.submit(trials=1, finalists=finalists(epochs=1000))

    def extend(driver: Driver) -> None:
        until(lambda: yard.ledger.finalists(job_id))
        yard.ledger.change_budget(job_id, {"trials": 2})

    job = yard.drive(meanwhile=extend)
    assert (job.state, job.rounds) == (JobState.QUEUED, 1)
    yard.ledger.request(job_id, "cancel")
    audit(yard.ledger)
