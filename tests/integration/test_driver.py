"""One job after another on a real Ray cluster and a real ledger, with pretended trainings where training is not the
point: what a search leaves behind, and what a user's wish does to it."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from search.earlier_jobs.prior import FIRST_NUMBER
from search.ledger import Lease
from search.objective import Objective, soft_target_score
from search.pareto import pareto
from search.proposing.controller import Controller, Proposal
from search.spec import (
    Budget,
    ControllerSpec,
    ObjectiveSpec,
    StopSpec,
    TargetSpec,
    WarmStart,
)
from search.stopping.early_stopping import Hyperband
from search.trial import RANDOM_ARM_FROM, JobState, Measurement, Outcome, TrialState
from space.analysis import analyse
from space.architecture import Architecture
from tests.driving import ALONE, Yard, finalists, until
from tests.fakes import Fake, latency, score
from tests.invariants import audit
from workers.datasets import DataStore
from workers.driver import Driver
from workers.measures.energy import meter
from workers.train.job_data import search_data
from workers.train.numerics import Numerics
from workers.train.prepare import new_trainer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300), pytest.mark.usefixtures("finals_here")]

FINALISTS = finalists(top=2)
TWO_POINTS = {"schema": 1, "name": "two", "stages": [{"operation": ["conv"], "kernel": [3, 5], "width": [8]}]}


@pytest.mark.parametrize("name", [pytest.param("tpe", marks=pytest.mark.slow), "reinforce"])
def test_a_search_is_its_rows(yard: Yard, controllers: list[Controller], name: str) -> None:
    yard.submit(trials=14, controller=ControllerSpec(name=name))
    lost = Fake(diverged=frozenset({3, 7, 8, 11}))  # 30 %
    job = yard.drive(lost)
    trials = yard.trials(job.id)
    assert (job.state, job.reason, job.stopped_because) == (JobState.SUCCEEDED, None, "budget_trials")
    assert sorted(trials) == list(range(14))
    assert {t.attempts for t in trials.values()} == {1}
    assert len({t.hash for t in trials.values()}) == 14
    assert [n for n, t in trials.items() if t.provenance == "baseline"] == [0]
    assert {n for n, t in trials.items() if t.state is TrialState.FAILED} == lost.diverged
    assert all(t.search_score == score(n) for n, t in trials.items() if t.state is TrialState.COMPLETED)
    assert job.best_score == max(score(n) for n in set(trials) - lost.diverged)
    assert (yard.settings.job_folder(job.id) / "bundle.zip").stat().st_size == job.bundle_bytes
    audit(yard.ledger)
    _is_restored_as_it_was(yard, job.id, controllers)


def _is_restored_as_it_was(yard: Yard, job_id: str, controllers: list[Controller], *, next_number: int = 14) -> None:
    [live] = controllers
    other = Yard(
        yard.settings.state
    )  # a new driver of the same job would be made with a lease; restoring writes nothing
    other.submit()
    driver = other.driver()
    spec, lease = other.ledger.job(job_id).spec, replace(driver._context.lease, job_id=job_id)
    driver._spec, driver._context = spec, replace(driver._context, spec=spec, lease=lease)
    dataset = DataStore(yard.settings.datasets).open("digits", seed=0)
    restored = driver._restored(dataset)
    assert not restored.pending
    told, asked = live.ask(next_number), restored.controller.ask(next_number)
    assert told == asked
    other.close()


@pytest.mark.slow  # fronts and their report: tests/unit/search, tests/unit/workers/report
@pytest.mark.parametrize("name", ["nsga2", "tpe"])
def test_two_objectives_from_trial_to_report(yard: Yard, controllers: list[Controller], name: str) -> None:
    objective = ObjectiveSpec(minimize=("latency_ms", "memory_mb"))
    yard.submit(trials=14, controller=ControllerSpec(name=name), objective=objective, finalists=FINALISTS, trial=ALONE)
    job = yard.drive(Fake(diverged=frozenset({4})))
    trials = yard.trials(job.id)
    assert (job.state, job.reason) == (JobState.SUCCEEDED, None)
    done = {n: t for n, t in trials.items() if t.state is TrialState.COMPLETED}
    assert len(done) == 13
    for number, trial in done.items():
        memory = analyse(Architecture.from_json(trial.architecture)).peak_memory_mb
        assert trial.measures == {"latency_ms": latency(number), "memory_mb": memory}
    folded = Objective.of(objective)
    assert job.best_trial == max(done, key=lambda number: (folded.value(done[number].facts), -number))
    report = json.loads((yard.settings.job_folder(job.id) / "bundle" / "report.json").read_text())
    front = pareto(yard.ledger.facts(job.id), folded)
    assert [point["trial"] for point in report["front"]["points"]] == [number for number, _ in front.points]
    assert report["front"]["hypervolume"] == front.hypervolume
    assert report["winner"]["trial"] == front.points[0][0], "the best score on the front"
    assert {one["trial"] for one in report["finalists"]} <= {number for number, _ in front.points}
    audit(yard.ledger)
    _is_restored_as_it_was(yard, job.id, controllers)


@pytest.mark.slow
def test_real_trainings_measure_their_latency(yard: Yard) -> None:
    target = TargetSpec(measure="latency_ms", value=0.5)
    yard.submit(trials=2, objective=ObjectiveSpec(target=target))
    job = yard.drive()
    assert job.state is JobState.SUCCEEDED
    for trial in yard.trials(job.id).values():
        assert trial.measures["latency_ms"] > 0
        assert trial.measures["latency_runs"] >= 50
        assert trial.value == soft_target_score(target, trial.facts["score"], trial.measures["latency_ms"])


def test_what_a_worker_does_not_tell_is_a_reason(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.submit(trials=2, objective=ObjectiveSpec(minimize=("latency_ms",)), trial=ALONE)
    job = yard.drive(Fake(measured=False))
    assert (job.state, job.reason) == (JobState.FAILED, "no trial succeeded: 2 × unmeasured")
    assert (
        yard.trials(job.id)[0].reason == "unmeasured: the worker did not measure latency_ms, which the objective needs"
    )


def test_energy_that_no_worker_can_tell_ends_the_job_before_any_trial(yard: Yard) -> None:
    if not isinstance(meter("cpu"), str):
        pytest.skip("this machine can tell it")
    yard.submit(trials=2, objective=ObjectiveSpec(minimize=("energy_j",)))
    job = yard.drive(Fake())
    assert job.state is JobState.FAILED
    assert str(job.reason).startswith("the objective energy_j cannot be measured: ")
    assert yard.trials(job.id) == {}


@pytest.mark.slow  # the rules themselves: tests/unit/search/stopping
def test_hyperband_and_hopeless_trials(yard: Yard) -> None:
    """A stopped trial says why, and it is what the rules say of the ledger's measurements."""
    yard.submit(
        trials=24,
        epochs=9,
        controller=ControllerSpec(name="evolution", options={"population": 4}),
        trial=replace(ALONE, scheduler="hyperband", stop_hopeless=True),
    )
    job = yard.drive(Fake())
    trials = yard.trials(job.id)
    assert (job.state, job.stopped_because) == (JobState.SUCCEEDED, "budget_trials")
    states = {n: t.state for n, t in trials.items()}
    assert set(states.values()) == {TrialState.COMPLETED, TrialState.PRUNED}
    brackets = Hyperband(epochs=9)
    for number, trial in trials.items():
        if trial.state is TrialState.COMPLETED:
            assert (trial.epochs, trial.reason) == (9, None)
            continue
        assert trial.reason is not None
        assert trial.reason.startswith(f"epoch {trial.epochs}: ")
        rungs = brackets.brackets[brackets.bracket(number)].rungs
        assert trial.epochs in rungs or "less than 5% chance" in trial.reason
        measured = yard.ledger.trial(job.id, number).measurements
        assert [m.epoch for m in measured] == list(range(1, trial.epochs + 1))
    never = [n for n in trials if brackets.bracket(n) == len(brackets.brackets) - 1]
    assert never
    assert all(states[n] is TrialState.COMPLETED or "chance" in str(trials[n].reason) for n in never)
    audit(yard.ledger)


def test_a_space_smaller_than_the_budget_is_searched_whole(yard: Yard) -> None:
    yard.submit(trials=10, space=TWO_POINTS, trial=ALONE)
    job = yard.drive(Fake())
    assert (job.state, job.stopped_because) == (JobState.SUCCEEDED, "space_exhausted")
    assert job.counts[TrialState.COMPLETED] == 2
    audit(yard.ledger)


class _Wish:
    """Comes once two trials are in the middle of an epoch, and notes when."""

    def __init__(self, yard: Yard, job_id: str, act: Callable[[Driver], object]) -> None:
        self._yard, self._job_id, self._act = yard, job_id, act

    def __call__(self, driver: Driver) -> None:
        until(lambda: self._yard.ledger.job(self._job_id).counts[TrialState.RUNNING] == 2)
        until(lambda: self._yard.ledger.job(self._job_id).counts[TrialState.COMPLETED] == 1)
        time.sleep(1.0)  # for the epochs to have begun
        self._act(driver)
        self._at = time.monotonic()

    def let_go(self) -> None:
        """The heartbeat carries a wish within a sixth of the lease, then the epochs end: 1 to 6 s, not 600."""
        assert time.monotonic() - self._at < 100


def test_wishes_are_obeyed_in_the_middle_of_a_long_epoch(yard: Yard) -> None:
    """Pause, go on, shut down, go on, cancel: the trials in training would take ten more minutes for their epoch."""
    job_id = yard.submit(trials=5)
    ledger = yard.ledger
    slow = Fake(slow=frozenset({1, 2}))

    pause = _Wish(yard, job_id, lambda _: ledger.request(job_id, "pause"))
    assert yard.drive(slow, meanwhile=pause).state is JobState.PAUSED
    pause.let_go()
    assert yard.states(job_id) == {0: TrialState.COMPLETED, 1: TrialState.WAITING, 2: TrialState.WAITING}
    assert ledger.claim("other", 30) is None

    ledger.request(job_id, "run")
    stop = _Wish(yard, job_id, lambda driver: driver.context.stop.suspend("shutdown"))
    assert yard.drive(slow, meanwhile=stop).state is JobState.QUEUED
    stop.let_go()
    assert yard.states(job_id) == {0: TrialState.COMPLETED, 1: TrialState.WAITING, 2: TrialState.WAITING}

    cancel = _Wish(yard, job_id, lambda _: ledger.request(job_id, "cancel"))
    job = yard.drive(slow, meanwhile=cancel)
    cancel.let_go()
    assert (job.state, job.reason) == (JobState.CANCELLED, "cancelled on request")
    assert yard.states(job_id) == {0: TrialState.COMPLETED, 1: TrialState.CANCELLED, 2: TrialState.CANCELLED}
    assert [t.attempts for t in yard.trials(job_id).values()] == [1, 3, 3]
    assert ledger.claim("other", 30) is None
    audit(ledger)


def test_the_search_ends_with_its_seconds(yard: Yard) -> None:
    job_id = yard.submit(trials=5, budget=Budget(trials=5, epochs=1, seconds=10))
    job = yard.drive(Fake(slow=frozenset({1, 2})))
    assert (job.state, job.stopped_because) == (JobState.SUCCEEDED, "budget_seconds")
    assert 10 <= job.seconds_used < 60
    trials = yard.trials(job_id)
    assert [t.state for t in trials.values()] == [TrialState.COMPLETED, TrialState.CANCELLED, TrialState.CANCELLED]
    assert trials[1].reason == "the search ended: budget_seconds"
    audit(yard.ledger)


def test_a_paused_training_goes_on_from_its_epoch(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """And ends with the very score of a training that was never interrupted."""
    job_id = yard.submit(trials=1, epochs=12)
    ledger = yard.ledger
    reported: list[tuple[int, int]] = []
    add = ledger.add_measurement

    def noted(lease: Lease, number: int, attempt: int, measurement: Measurement) -> bool:
        reported.append((attempt, measurement.epoch))
        return add(lease, number, attempt, measurement)

    monkeypatch.setattr(ledger, "add_measurement", noted)

    def pause(driver: Driver) -> None:
        until(lambda: len(ledger.trial(job_id, 0).measurements) >= 2 if yard.trials(job_id) else False)
        driver.context.stop.suspend("pause")
        ledger.request(job_id, "pause")

    assert yard.drive(meanwhile=pause).state is JobState.PAUSED
    before = ledger.trial(job_id, 0)
    assert 2 <= len(before.measurements) < 12
    ledger.request(job_id, "run")
    driver = yard.driver()
    dataset = DataStore(yard.settings.datasets).open("digits", seed=0)
    driver.run()
    after = ledger.trial(job_id, 0)
    assert (after.state, after.attempts) == (TrialState.COMPLETED, 2)
    assert after.measurements[: len(before.measurements)] == before.measurements
    assert [m.epoch for m in after.measurements] == list(range(1, 13))
    again = [epoch for attempt, epoch in reported if attempt == 2]
    assert again[0] >= len(before.measurements), "the second attempt began where the checkpoint stood"
    _equals_one_without_pause(driver, dataset, after)


def _equals_one_without_pause(driver: Driver, dataset: Any, paused: Any) -> None:
    proposal = Proposal(
        number=0, architecture=Architecture.from_json(paused.architecture), choices=paused.choices, behaviour={}
    )
    numerics = Numerics(precision="fp32", layout="nchw", source="fixed")
    task = driver._task(proposal, 1, dataset, numerics)
    trainer = new_trainer(task.architecture, search_data(dataset), task.recipe)
    scores = [trainer.epoch().score for _ in range(12)]
    assert scores == [m.score for m in paused.measurements]


@pytest.mark.slow  # each part: tests/unit/search/earlier_jobs, proposing and stopping
def test_a_warm_start_with_own_architectures_up_to_a_target(yard: Yard, controllers: list[Controller]) -> None:
    """The second job knows the first one's trials, tries the user's own first, and ends with its target."""
    first = yard.drive(Fake()) if yard.submit(trials=6, trial=ALONE) else None
    assert first is not None
    known = yard.trials(first.id)
    own = next(trial.choices for number, trial in known.items() if number > 0)
    target = max(score(number) for number in range(4))  # reached by one of the first four
    yard.submit(
        trials=12,
        controller=ControllerSpec(name="tpe"),
        enqueue=(dict(own), {}),
        warm_start=WarmStart(jobs=(first.id,)),
        stop=StopSpec(target=target),
        trial=ALONE,
        finalists=finalists(top=2),
    )
    job = yard.drive(Fake())
    trials = yard.trials(job.id)
    assert (job.state, job.stopped_because) == (JobState.SUCCEEDED, "target_reached")
    mine = {number: trial for number, trial in trials.items() if trial.provenance != "prior"}
    assert len(mine) < 12
    assert [mine[n].provenance for n in (0, 1, 2)] == ["baseline", "user", "controller"]
    assert mine[1].choices == own
    best = sorted(known.values(), key=lambda trial: -(trial.value or 0.0))[:2]
    priors = [trial for trial in trials.values() if trial.provenance == "prior"]
    assert [(t.number, t.hash, t.value) for t in priors] == [
        (FIRST_NUMBER + place, trial.hash, trial.value) for place, trial in enumerate(best)
    ]
    assert not {t.hash for n, t in mine.items() if n > 1} & {t.hash for t in known.values()}, "none is trained again"
    ended = [event.data for event in yard.ledger.events(job.id, limit=1000) if event.kind == "search_ended"]
    assert ended == [{"stopped_because": "target_reached", "detail": None}]
    audit(yard.ledger)
    del controllers[0]
    for trial in mine.values():
        if trial.state is TrialState.CANCELLED:  # by the end of the search, of which the live one is not told
            controllers[0].tell(Outcome(number=trial.number, state=trial.state, reason=trial.reason))
    _is_restored_as_it_was(yard, job.id, controllers, next_number=len(mine))


@pytest.mark.slow
def test_a_random_arm_ends_with_its_time_and_is_put_down_with_its_job(yard: Yard) -> None:
    """Paused in the middle of its epochs, it goes on; after twice the search's seconds, what is open is cancelled."""
    job_id = yard.submit(trials=3, controller=ControllerSpec(name="evolution"), finalists=finalists(random_arm=True))
    ledger = yard.ledger
    slow = Fake(slow=frozenset({RANDOM_ARM_FROM, RANDOM_ARM_FROM + 1}))

    def pause(driver: Driver) -> None:
        until(lambda: any(trial.state is TrialState.RUNNING for trial in ledger.random_arm(job_id)))
        driver.context.stop.suspend("pause")
        ledger.request(job_id, "pause")

    assert yard.drive(slow, meanwhile=pause).state is JobState.PAUSED
    assert {trial.state for trial in ledger.random_arm(job_id)} == {TrialState.WAITING}
    ledger.request(job_id, "run")
    job = yard.drive(slow)
    arm = ledger.random_arm(job_id)
    assert (job.state, job.stopped_because, job.phase) == (JobState.SUCCEEDED, "budget_trials", "bundle")
    assert {trial.reason for trial in arm} == {"the random arm ended: budget_seconds"}
    assert job.phases["random_arm"]["seconds"] > job.seconds_used
    assert sum(job.counts.values()) == 3
    report = json.loads((yard.settings.job_folder(job_id) / "bundle" / "report.json").read_text())
    assert report["gains"]["over_random"]["verdict"] == "unknown"
    audit(ledger)
