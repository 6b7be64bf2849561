"""The winner's first full training of a planned job is handed out at once, while what it is compared with trains."""

import json
import zipfile
from dataclasses import replace

import pytest
from safetensors.torch import save

from search.ledger import Lease, Ledger
from search.planning.rule import make_plan
from search.planning.values import PlanInputs
from search.spec import Budget
from search.trial import JobState
from tests import factories
from tests.bundle.made import trained
from tests.spaces import preset, sample
from workers.datasets import Dataset, DataStore
from workers.finalists.training import FinalistResult, FinalistTask
from workers.job.context import JobContext
from workers.phases.final_files import FinalFiles
from workers.phases.first_final import missing
from workers.phases.interim_bundles import InterimBundles
from workers.settings import Settings
from workers.train.recipe import Recipe
from workers.weights import best_weights

ARCHITECTURE = sample(preset("tiny", (1, 8, 8), classes=10), 0)
PLAN = make_plan(
    PlanInputs(
        seconds=120.0, slots=2, samples=1149, val_samples=288, final_samples=1437, input_shape=(1, 8, 8), classes=10,
        step_s=0.006, score_s=0.01,
    )
)  # fmt: skip
COMPARISON = "the comparison: full trainings of the baseline, the best random architecture, further seeds"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return DataStore(tmp_path_factory.mktemp("data")).open("digits", seed=0)


@pytest.fixture
def context(settings: Settings, ledger: Ledger) -> JobContext:
    """Of a planned job with two trials, the second of which has weights to hand out."""
    lease = factories.owned_job(ledger, budget=Budget(seconds=120.0))
    context = replace(JobContext.of(settings, ledger, lease), plan=PLAN)
    for number in (0, 1):
        attempt = factories.running_trial(ledger, lease, number, architecture=ARCHITECTURE.to_json())
        measured = factories.measurement(1, score=0.5 + number / 10)
        best_weights.offer(
            context.folder / best_weights.FOLDER,
            trained(ARCHITECTURE),
            number=number,
            measurement=measured,
            value=measured.score,
        )
        ledger.add_measurement(lease, number, attempt, measured)
        ledger.finish_trial(lease, number, attempt, factories.completed(number, measured.score), measured.score)
    return context


def _store(
    context: JobContext, *, rank: int, number: int, seed: int = 0, score: float | None, seconds: float = 9.0
) -> None:
    task = FinalistTask(rank=rank, number=number, seed=seed, architecture={}, recipe=Recipe(epochs=12))
    tensors = {name: tensor.contiguous() for name, tensor in trained(ARCHITECTURE).state_dict().items()}
    FinalFiles(context).store(
        task, FinalistResult(test_score=score, weights=save(tensors), seconds=seconds, reason=None if score else "no")
    )


def _worth(context: JobContext) -> tuple[int, float | None]:
    job = context.job()
    assert job.interim_bundle is not None
    return job.interim_bundle["provisional"]["trial"], job.interim_bundle["provisional"]["final_score"]


def test_it_takes_the_place_of_the_best_of_the_search(context: JobContext, dataset: Dataset) -> None:
    interim = InterimBundles(context, dataset)
    assert not interim.look_at_finals(), "nothing is trained in full yet"
    assert interim.look()
    assert _worth(context) == (1, None)
    _store(context, rank=1, number=0, score=0.4)
    assert interim.look_at_finals()
    assert _worth(context) == (0, 0.4), "its search score is lower, and so is its score on the test split"
    assert not interim.look()
    assert not InterimBundles(context, dataset).look(), "the next driver knows what is handed out"
    job = context.job()
    assert job.interim_bundle is not None
    with zipfile.ZipFile(context.folder / job.interim_bundle["file"]) as archive:
        manifest = json.loads(archive.read("bundle.json"))["provisional"]
        card = archive.read("model_card.md").decode()
        weights = archive.read("weights.safetensors")
    assert weights == (context.folder / "finalists" / "1-0.safetensors").read_bytes()
    assert (manifest["epochs"], manifest["epochs_total"], manifest["search_score"]) == (12, 12, 0.5)
    assert manifest["missing"][0] == COMPARISON
    assert "| accuracy (`final_score`) | 0.4000 | test split, these weights: full training of 12 epochs" in card
    assert "The test split has not been opened" not in card


def test_others_do_not_take_its_place(context: JobContext, dataset: Dataset) -> None:
    interim = InterimBundles(context, dataset)
    FinalFiles(context).begun(FinalistTask(rank=1, number=1, seed=0, architecture={}, recipe=Recipe()))
    _store(context, rank=2, number=0, score=0.9)
    assert not interim.look_at_finals(), "the winner's is not over"
    _store(context, rank=1, number=1, score=None)
    assert interim.look_at_finals(), "the winner's has failed"
    assert _worth(context) == (0, 0.9)


def test_a_continued_job_keeps_it_until_the_next(context: JobContext, dataset: Dataset) -> None:
    _store(context, rank=1, number=1, score=0.7)
    interim = InterimBundles(context, dataset)
    assert interim.look()
    context.ledger.end_search(context.lease, "budget_seconds")
    context.ledger.change_budget(context.job_id, {"seconds": 600.0}, kept_as="old.zip")
    assert not context.ledger.finalists(context.job_id)
    assert not interim.look(), "nothing of the search is worth more"
    _store(context, rank=1, number=1, score=0.6)
    assert interim.look()
    assert _worth(context) == (1, 0.6)


def test_measured_weights_of_the_search_are_no_full_training(context: JobContext, dataset: Dataset) -> None:
    _store(context, rank=4, number=1, score=0.7, seconds=0.0)
    assert not InterimBundles(context, dataset).look_at_finals()


def test_without_a_plan_the_winner_is_not_known_before_the_end(context: JobContext, dataset: Dataset) -> None:
    _store(context, rank=1, number=1, score=0.7)
    assert not InterimBundles(replace(context, plan=None), dataset).look_at_finals()


def test_it_is_handed_out_at_once_and_a_failure_is_not_repeated_every_second(
    context: JobContext, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.phases.interim_bundles.LOOK_S", 0.01)
    interim, tried = InterimBundles(context, dataset), list[int]()

    def fails() -> bool:
        tried.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(interim, "look_at_finals", fails)
    monkeypatch.setattr(interim, "_due", float("inf"))
    interim.start()
    interim._done.wait(0.1)
    interim.stop()
    assert len(tried) == 2, "once by the thread, although the next bundle of the search is not due, and at its end"


def test_only_what_the_job_asks_for_is_missing(ledger: Ledger) -> None:
    spec = factories.job_spec()
    wanted = replace(spec.finalists, baseline=False, random_arm=False, seeds=1)
    assert len(list(missing(replace(spec, finalists=wanted)))) == 1
    assert next(missing(spec)) == COMPARISON
    assert next(missing(spec, {"finalist", "baseline"})) == COMPARISON.replace("the baseline, ", "")


def test_the_final_bundle_of_before_stays(context: JobContext, dataset: Dataset) -> None:
    ledger, lease = context.ledger, context.lease
    ledger.end_search(lease, "budget_seconds")
    ledger.finish_job(lease, JobState.SUCCEEDED, bundle_sha256="ab" * 32, bundle_bytes=3)
    ledger.change_budget(lease.job_id, {"seconds": 600.0}, kept_as="old.zip")
    again = ledger.claim("driver-2", 30.0)
    assert isinstance(again, Lease)
    later = replace(context, lease=again)
    _store(later, rank=1, number=1, score=0.7)
    assert not InterimBundles(later, dataset).look_at_finals()
