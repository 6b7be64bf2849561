"""A plan in a job: its values in the job's limits, its revisions, what ends the search."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from archsmith.errors import InvalidInput
from search.ledger import Ledger
from search.planning.given import given_document
from search.planning.values import Plan
from search.spec import Budget, FinalistSpec, TrialSpec
from search.trial import TrialState
from tests import factories
from tests.ledgers import new_ledger
from workers.job.context import JobContext
from workers.planning import costs
from workers.planning import planner as module
from workers.planning.pace import Pace
from workers.planning.planner import Planner, followed
from workers.settings import Settings
from workers.train.prepare import judged_epochs

SLOTS = 2


class Clock:
    now = 10.0
    start_s = 3.0

    def seconds(self) -> float:
        return self.now


class Table:
    """A planner with a ledger, a clock that stands, and a machine that takes 6 ms for a step."""

    def __init__(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        self.step_s = 0.006
        changes = {"budget": Budget(seconds=120.0), **changes}
        self.ledger, self.lease = ledger, factories.owned_job(ledger, **changes)
        settings = Settings(state=Path(), database_url="", exports=False)
        self.clock = Clock()
        context = JobContext.of(settings, ledger, self.lease)
        self.context = replace(context, clock=self.clock)  # type: ignore[arg-type]
        monkeypatch.setattr(module, "connection", SimpleNamespace(slots=lambda cpus, gpus: SLOTS))
        monkeypatch.setattr(module, "inputs_without_pace", self.inputs)
        monkeypatch.setattr(module, "pace_task", lambda *_: None)
        monkeypatch.setattr(module, "search_data", lambda _: None)
        monkeypatch.setattr(costs, "_work", lambda trial: (1e6 * (1 + trial.number), 0.0, 1e5, 784.0))
        monkeypatch.setattr(module, "run_tasks", lambda *_, **__: [(None, self.pace())])

    def inputs(self, spec: Any, dataset: Any, *, slots: int) -> Any:
        from search.planning.values import PlanInputs

        return PlanInputs(
            seconds=spec.budget.seconds, slots=slots, samples=1149, val_samples=288, final_samples=1437,
            input_shape=(1, 8, 8), classes=10, step_s=1.0, score_s=0.0, trials=spec.budget.trials,
            reproducible=spec.reproducible, batch=spec.trial.batch_size, full_comparison=spec.comparison == "full",
        )  # fmt: skip

    def pace(self) -> Pace:
        return Pace(step_s=self.step_s, score_s=0.01, spent_s=0.0)

    def begin(self) -> tuple[Planner, Plan]:
        made = Planner(self.context)
        context = made.begin(None, None)  # type: ignore[arg-type]  # what reads them is replaced
        assert context.plan is not None
        return made, context.plan

    def trial(self, number: int, seconds: float) -> None:
        """One that ended after its first epoch, which took so long."""
        attempt = factories.running_trial(self.ledger, self.lease, number)
        self.ledger.add_measurement(self.lease, number, attempt, factories.measurement(1, seconds=seconds))
        outcome = factories.completed(number)
        self.ledger.finish_trial(self.lease, number, attempt, outcome, score=outcome.value)

    def plans(self) -> list[dict[str, Any]]:
        return [event.data for event in self.ledger.events(self.lease.job_id) if event.kind == "plan"]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = new_ledger(f"sqlite:///{tmp_path / 'archsmith.db'}")
    yield ledger
    ledger.close()


def test_the_plan_is_an_event_and_fills_what_the_user_left_open(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(ledger, monkeypatch)
    made, plan = table.begin()
    [stored] = table.plans()
    assert ledger.plan(table.lease.job_id) == stored
    assert Plan.from_json(stored) == plan
    assert stored["why"] == "the start"
    spec = made.context.spec
    assert spec.trial.batch_size == plan.batch_size == 32
    assert spec.budget.epochs == len(plan.rungs)
    assert spec.budget.trials is None
    assert spec.finalists.epochs == len(plan.final_rungs)
    assert spec.trial.timeout_s == plan.limit_s + plan.load_s
    assert judged_epochs(spec, plan) == (), "its scheduler is none"
    halved = replace(spec, trial=TrialSpec(scheduler="asha"))
    assert judged_epochs(halved, plan) == tuple(range(1, len(plan.rungs)))
    assert judged_epochs(replace(halved, reproducible=True), plan) == ()


def test_a_new_driver_goes_on_with_the_stored_plan(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(ledger, monkeypatch)
    _, plan = table.begin()
    table.step_s = 1.0
    assert table.begin()[1] == plan
    assert len(table.plans()) == 1


def test_the_users_own_values_are_kept(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"budget": Budget(seconds=120.0, trials=5), "trial": TrialSpec(batch_size=50, timeout_s=2.0)}
    table = Table(ledger, monkeypatch, **own, finalists=FinalistSpec(epochs=3))
    made, plan = table.begin()
    spec = made.context.spec
    assert (plan.batch_size, plan.architectures, spec.budget.trials) == (50, 5, 5)
    assert spec.trial.timeout_s == 2.0


def test_a_budget_that_is_too_small_ends_the_job_with_the_least_that_would_do(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(ledger, monkeypatch, budget=Budget(seconds=21.0))
    with pytest.raises(InvalidInput, match="21 s are too few for one architecture"):
        table.begin()
    assert table.plans() == []


def test_slower_trials_revise_the_plan(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(ledger, monkeypatch)
    made, first = table.begin()
    table.trial(0, 10 * (first.rungs[0] * table.step_s + 0.01))
    made.trial_ended()
    assert len(table.plans()) == 2
    assert made.plan.pace == pytest.approx(10.0, rel=0.01)
    assert made.plan.architectures < first.architectures / 5
    assert made.plan.final_steps < first.final_steps
    assert (made.plan.rungs, made.plan.batch_size) == (first.rungs, first.batch_size), "trials stay comparable"
    assert table.plans()[-1]["why"] == "the cost of 1 trials"


def test_a_reproducible_job_keeps_its_first_plan(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(ledger, monkeypatch, reproducible=True)
    made, plan = table.begin()
    table.trial(0, 1000.0)
    made.trial_ended()
    assert made.plan == plan
    assert made.for_finals().plan == plan
    assert len(table.plans()) == 1
    assert made.context.spec.budget.trials == plan.architectures
    assert made.context.stop.reason is None


def test_the_search_ends_with_its_share_once_something_is_scored(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("workers.stop_signal.time.monotonic", lambda: now[0])
    table = Table(ledger, monkeypatch)
    made, plan = table.begin()
    made.context.stop.start()
    now[0] = plan.search_ends_s - table.clock.now + 1.0
    assert not made.context.stop.stopping, "nothing is scored yet"
    table.trial(0, 0.1)
    table.clock.now += now[0]
    made.trial_ended()
    assert made.context.stop.reason == "budget_seconds"


def test_the_final_trainings_follow_the_winners_measured_cost(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(ledger, monkeypatch)
    made, plan = table.begin()
    table.trial(0, 100 * plan.rungs[0] * table.step_s)
    table.clock.now = plan.arm_ends_s
    context = made.for_finals()
    assert context.plan is not None
    assert context.plan.final_steps < plan.final_steps / 10
    assert context.plan.final_steps * 100 * table.step_s <= plan.finals_s
    assert table.plans()[-1]["why"] == "the winner's measured cost"


def test_followed_keeps_the_clock_out_of_reproducible_jobs(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(ledger, monkeypatch, reproducible=True)
    _, plan = table.begin()
    assert followed(table.context.spec, plan).trial.timeout_s == TrialSpec().timeout_s


def test_time_limits_that_nothing_keeps_are_lengthened(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that has become slower than it was when it was measured."""
    table = Table(ledger, monkeypatch)
    made, plan = table.begin()
    before = made.context.spec.trial.timeout_s
    for number in range(2):
        attempt = factories.running_trial(ledger, table.lease, number)
        ledger.finish_trial(table.lease, number, attempt, factories.ended(number, TrialState.FAILED))
        made.trial_ended()
    assert made.context.spec.trial.timeout_s == 4 * before
    assert made.plan == plan
    table.trial(2, 1.0)
    made.trial_ended()
    assert made.context.spec.trial.timeout_s >= before


def test_costs_are_learned_from_timed_steps_and_trials_and_a_new_driver_finds_the_same(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(ledger, monkeypatch)
    works = [(1e6, 0.0, 1e5, 784.0), (4e6, 0.0, 3e5, 784.0)]
    pace = replace(table.pace(), timed=((0.004, *works[0]), (0.008, *works[1])))
    monkeypatch.setattr(table, "pace", lambda: pace)
    made, plan = table.begin()
    assert made.costs is not None
    before = made.costs()
    assert before.model.seconds(works) == pytest.approx([0.004, 0.008], rel=0.3)
    assert before.steps == plan.work(len(plan.rungs))
    assert 0 < before.limit_s <= plan.limit_s
    table.trial(0, seconds=10 * plan.work(1) * plan.step_s)
    made.trial_ended()
    assert (made.costs().model.seconds(works) > before.model.seconds(works)).all()
    again = table.begin()[0]
    assert again.costs is not None
    assert list(again.costs().model.seconds(works)) == list(made.costs().model.seconds(works))


def test_no_measured_second_steers_a_reproducible_search(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Table(ledger, monkeypatch, reproducible=True).begin()[0].costs is None


def test_a_job_that_repeats_another_one_takes_its_plan_and_measures_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(ledger, monkeypatch, reproducible=True)
    _, before = table.begin()
    [first] = table.plans()
    again = Table(ledger, monkeypatch, reproducible=True, plan=given_document(before))
    monkeypatch.setattr(module, "run_tasks", lambda *_, **__: pytest.fail("it measures"))
    made, plan = again.begin()
    assert (plan, made.for_finals().plan) == (before, before)
    assert made.context.spec.budget.trials == before.architectures
    [stored] = again.plans()
    assert stored["why"] == "the plan of the job that this one repeats"
    different = {name for name in first if first[name] != stored[name]}
    assert different <= {"why", "inputs"}
    assert again.begin()[1] == before, "the next driver goes on with it"
