"""The bundle of a job that still runs: the best weights so far, at most one a minute, and it opens with torch alone."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from search.ledger import Lease, Ledger
from search.spec import Budget
from search.trial import JobState, Measurement
from tests import factories
from tests.bundle.made import trained
from tests.spaces import preset, sample
from workers.bundle.verify import verify
from workers.datasets import Dataset, DataStore
from workers.job.context import JobContext
from workers.phases.interim_bundles import InterimBundles, tidy
from workers.settings import Settings
from workers.weights import best_weights

ARCHITECTURE = sample(preset("tiny", (1, 8, 8), classes=10), 0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return DataStore(tmp_path_factory.mktemp("data")).open("digits", seed=0)


@pytest.fixture
def lease(ledger: Ledger) -> Lease:
    return factories.owned_job(ledger, budget=Budget(trials=4, epochs=8))


def _interim(settings: Settings, ledger: Ledger, lease: Lease, dataset: Dataset) -> InterimBundles:
    return InterimBundles(JobContext.of(settings, ledger, lease), dataset)


def _measured(ledger: Ledger, lease: Lease, folder: Path, number: int, epoch: int, score: float) -> None:
    """What a trial's process and the searcher do after an epoch."""
    measurement = Measurement(epoch=epoch, score=score, train_loss=1.0, seconds=0.1)
    best_weights.offer(
        folder / best_weights.FOLDER, trained(ARCHITECTURE), number=number, measurement=measurement, value=score
    )
    attempts = ledger.trial(lease.job_id, number).attempts if epoch > 1 else 0
    fields = {"architecture": ARCHITECTURE.to_json()}
    attempt = attempts or factories.running_trial(ledger, lease, number, **fields)
    ledger.add_measurement(lease, number, attempt, measurement)


@pytest.mark.heavy
def test_the_first_score_gives_a_bundle_that_opens(
    settings: Settings, ledger: Ledger, lease: Lease, dataset: Dataset
) -> None:
    interim, folder = _interim(settings, ledger, lease, dataset), settings.job_folder(lease.job_id)
    assert not interim.look(), "no trial has a score"
    _measured(ledger, lease, folder, 0, 1, 0.5)
    assert interim.look()
    assert not interim.look(), "it is handed out already"
    job = ledger.job(lease.job_id)
    assert job.interim_bundle is not None
    path = folder / job.interim_bundle["file"]
    assert (path.stat().st_size, job.interim_bundle["provisional"]["trial"]) == (job.interim_bundle["bytes"], 0)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("bundle.json"))["provisional"]
        card = archive.read("model_card.md").decode()
        assert "report.json" not in archive.namelist()
    assert (manifest["epochs"], manifest["epochs_total"], manifest["search_score"]) == (1, 8, 0.5)
    assert "the rest of the search: 0 of 4 trials have ended" in manifest["missing"]
    assert "**This bundle is provisional**" in card
    assert "The test split has not been opened." in card
    assert "final_score" not in card
    checks = {check.what: check.ok for check in verify(path)}
    absent = dict.fromkeys(("provisional", "example.safetensors", "model.onnx", "model.pt2"))
    assert checks == {"SHA256SUMS": True, "model.py": True, **absent}


def test_a_better_one_replaces_it_and_the_one_before_stays_for_its_readers(
    settings: Settings, ledger: Ledger, lease: Lease, dataset: Dataset
) -> None:
    interim, folder = _interim(settings, ledger, lease, dataset), settings.job_folder(lease.job_id)
    names = []
    for epoch, score in ((1, 0.5), (2, 0.6), (3, 0.7)):
        _measured(ledger, lease, folder, 0, epoch, score)
        assert interim.look()
        names.append((ledger.job(lease.job_id).interim_bundle or {})["file"])
    assert len(set(names)) == 3
    assert {path.name for path in folder.glob("provisional-*.zip")} == set(names[1:])
    assert [path.name for path in (folder / best_weights.FOLDER).iterdir()] == ["0-3.safetensors"], (
        "what was beaten is gone"
    )
    _measured(ledger, lease, folder, 1, 1, 0.65)
    assert not interim.look()
    other = _interim(settings, ledger, lease, dataset)
    assert not other.look(), "the next driver knows what is handed out"
    tidy(folder)
    assert not list(folder.glob("*.zip"))


def test_weights_wait_for_their_measurement(settings: Settings, ledger: Ledger, lease: Lease, dataset: Dataset) -> None:
    interim, folder = _interim(settings, ledger, lease, dataset), settings.job_folder(lease.job_id)
    measurement = Measurement(epoch=1, score=0.5, train_loss=1.0, seconds=0.1)
    best_weights.offer(
        folder / best_weights.FOLDER, trained(ARCHITECTURE), number=0, measurement=measurement, value=0.5
    )
    assert not interim.look(), "the ledger knows no such trial"
    attempt = factories.running_trial(ledger, lease, 0, architecture=ARCHITECTURE.to_json())
    assert not interim.look(), "nor its measurement"
    ledger.add_measurement(lease, 0, attempt, measurement)
    assert interim.look()


def test_nothing_of_a_search_beats_the_final_bundle_from_before(
    settings: Settings, ledger: Ledger, lease: Lease, dataset: Dataset
) -> None:
    folder = settings.job_folder(lease.job_id)
    ledger.end_search(lease, "budget_trials")
    ledger.finish_job(lease, JobState.SUCCEEDED, bundle_sha256="ab" * 32, bundle_bytes=3)
    old = ledger.change_budget(lease.job_id, {"trials": 9}, kept_as="old.zip").interim_bundle
    again = ledger.claim("driver-2", 30.0)
    assert again is not None
    interim = _interim(settings, ledger, again, dataset)
    _measured(ledger, again, folder, 0, 1, 0.99)
    assert not interim.look()
    assert ledger.job(lease.job_id).interim_bundle == old


def test_a_full_disk_and_a_lost_lease_do_not_end_the_job(
    settings: Settings, ledger: Ledger, lease: Lease, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    interim, folder = _interim(settings, ledger, lease, dataset), settings.job_folder(lease.job_id)
    _measured(ledger, lease, folder, 0, 1, 0.5)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("workers.phases.interim_bundles.bundle.publish_provisional", full)
        assert interim._looked(interim.look), "it is tried again"
    ledger.expire(lease)
    assert ledger.claim("driver-2", 30.0) is not None
    assert not interim._looked(interim.look), "the other driver does it"
    assert ledger.job(lease.job_id).interim_bundle is None


def test_the_end_of_a_driver_hands_out_the_best(
    settings: Settings, ledger: Ledger, lease: Lease, dataset: Dataset
) -> None:
    interim, folder = _interim(settings, ledger, lease, dataset), settings.job_folder(lease.job_id)
    _measured(ledger, lease, folder, 0, 1, 0.5)
    interim.start()
    interim.stop()
    ledger.request(lease.job_id, "cancel")
    assert ledger.pause_job(lease) is JobState.CANCELLED
    job = ledger.job(lease.job_id)
    assert job.interim_bundle is not None
    assert (folder / job.interim_bundle["file"]).is_file()
