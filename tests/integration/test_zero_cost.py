"""A search that starts from measured proxies, on a real cluster: the phase before it, and drivers that are put down."""

from typing import Any

import pytest

from search.ledger import Job
from search.proposing.controller import Controller
from search.spec import Budget, ControllerSpec
from search.surrogate.controller import SurrogateController
from search.trial import JobState, TrialState
from space.space import replay
from tests import fakes
from tests.driving import ALONE, Yard, until
from tests.fakes import Fake
from tests.invariants import audit
from workers.driver import Driver
from workers.probes import zero_cost

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), pytest.mark.usefixtures("finals_here")]

ZERO_COST = ControllerSpec(name="predictor", options={"warm": "zero_cost"})


def phases(yard: Yard, job: Job) -> list[str]:
    return [event.data["phase"] for event in yard.ledger.events(job.id) if "phase" in event.data]


def guesses(controller: Controller) -> dict[Any, float]:
    assert isinstance(controller, SurrogateController)
    return dict(controller.guesses)


@pytest.mark.slow
@pytest.mark.parametrize("reproducible", [False, True])
def test_the_starts_are_the_best_of_what_was_measured(
    yard: Yard, controllers: list[Controller], monkeypatch: pytest.MonkeyPatch, reproducible: bool
) -> None:
    monkeypatch.setattr(zero_cost, "MEASURED", zero_cost.FEWEST + 4)  # in one process
    yard.submit(trials=5, controller=ZERO_COST, trial=ALONE, reproducible=reproducible)
    job = yard.drive(Fake())
    assert job.state is JobState.SUCCEEDED
    assert phases(yard, job) == ["search", "proxies", "search", "finalists", "bundle"]
    found = guesses(controllers[0])
    assert len(found) > zero_cost.FEWEST
    trials = yard.trials(job.id)
    best = sorted(found, key=lambda key: -found[key])
    assert trials[1].hash == warm_hash(controllers[0], best, trials[0].hash)
    assert (yard.settings.job_folder(job.id) / zero_cost.FILE).is_file()
    audit(yard.ledger)


def warm_hash(controller: Controller, keys: list[Any], taken: str) -> str:
    """Of the first that is not the baseline."""
    assert isinstance(controller, SurrogateController)
    hashes = (controller.space.sample(replay(dict(key))).hash for key in keys)
    return next(hash_ for hash_ in hashes if hash_ != taken)


@pytest.mark.slow
def test_a_pause_while_measuring_and_one_among_the_starts(
    yard: Yard, controllers: list[Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put down in the middle of the measurement it begins anew; after it every driver has the same numbers."""
    job_id = yard.submit(trials=4, controller=ZERO_COST)
    ledger = yard.ledger
    with monkeypatch.context() as patched:
        patched.setattr(zero_cost, "measure", fakes.forever)
        assert yard.drive(Fake(), meanwhile=_pause_in("proxies", yard, job_id)).state is JobState.PAUSED
    assert yard.trials(job_id) == {}
    assert ledger.job(job_id).seconds_used > 0
    assert guesses(controllers[0]) == {}

    ledger.request(job_id, "run")
    slow = Fake(slow=frozenset({1, 2}))
    assert yard.drive(slow, meanwhile=_pause_in("search", yard, job_id)).state is JobState.PAUSED
    ledger.request(job_id, "run")
    monkeypatch.setattr(zero_cost, "measure", fakes.forever)  # it reads what the driver before it measured
    job = yard.drive(Fake())
    assert job.state is JobState.SUCCEEDED
    assert guesses(controllers[1]) == guesses(controllers[2]) != {}
    assert {trial.state for trial in yard.trials(job_id).values()} == {TrialState.COMPLETED}
    audit(ledger)


def _pause_in(phase: str, yard: Yard, job_id: str) -> Any:
    def wish(_: Driver) -> None:
        until(lambda: yard.ledger.job(job_id).phase == phase)
        if phase == "search":
            until(lambda: yard.ledger.job(job_id).counts[TrialState.RUNNING] == 2)
        yard.ledger.request(job_id, "pause")

    return wish


def test_where_there_is_no_time_to_measure_it_starts_by_parameters(yard: Yard, controllers: list[Controller]) -> None:
    yard.submit(trials=2, controller=ZERO_COST, trial=ALONE, budget=Budget(trials=2, epochs=1, seconds=60))
    assert yard.drive(Fake()).state is JobState.SUCCEEDED
    assert guesses(controllers[0]) == {}
