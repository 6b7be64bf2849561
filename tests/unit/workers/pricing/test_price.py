"""What a job costs before it has begun: arithmetic on short timings of its trainings."""

from typing import Any

import pytest

from api.pricing import PriceView
from search.planning.rule import make_plan
from search.planning.values import PlanInputs
from search.spec import (
    Budget,
    CompressSpec,
    CompressStep,
    ControllerSpec,
    FinalistSpec,
    Flat,
    JobSpec,
    StopSpec,
    TrialSpec,
)
from workers.pricing.planned import answer
from workers.pricing.price import Look, Price, Timed, price

TIMED = [
    Timed(macs=1_000, params=100, epoch_s=1.0),
    Timed(macs=10_000, params=1_000, epoch_s=2.0),
    Timed(macs=100_000, params=10_000, epoch_s=4.0),
]
LOOK = Look(timed=TIMED, macs=[1_000, 10_000, 100_000], start_s=2.0, final_share=1.25, walks=None)
ALONE = FinalistSpec(top=1, seeds=1, epochs=12, baseline=False, random_arm=False, fidelity=0)


def priced(*, slots: int = 2, look: Look = LOOK, **changes: Any) -> Price:
    spec: dict[str, Any] = {"dataset": "digits", "space": {}, "finalists": ALONE, "budget": Budget(trials=20, epochs=5)}
    return price(JobSpec(**{**spec, **changes}), look, slots=slots)


def test_seconds_between_the_timed_ones_follow_a_power_law() -> None:
    assert LOOK.epoch_s(10_000) == pytest.approx(2.0)
    assert LOOK.epoch_s(3_162) == pytest.approx(2.0**0.5, rel=1e-3)
    assert LOOK.epoch_s(10**9) == 4.0, "beyond the timed ones nothing is known"


def test_a_search_takes_its_epochs_on_all_workers_and_never_more_than_its_seconds() -> None:
    search = priced().phases["search"]
    assert search.expected == pytest.approx(10 * (5 * 7 / 3 + 0.1))
    assert priced(slots=4).phases["search"].expected == pytest.approx(search.expected / 2)
    assert priced(slots=4, reproducible=True).phases["search"] == priced(slots=8, reproducible=True).phases["search"]
    limited = priced(budget=Budget(trials=20, epochs=5, seconds=30.0))
    assert limited.phases["search"].parts == (30.0, 30.0, 30.0)
    assert limited.trials.low < limited.trials.high <= 20


def test_what_may_end_a_search_early_lowers_its_low_end_alone() -> None:
    whole = priced()
    for stop in (StopSpec(target=0.9), StopSpec(flat=Flat(trials=5))):
        found = priced(stop=stop)
        assert found.trials.low < whole.trials.low
        assert found.seconds.high == whole.seconds.high
    asha = priced(trial=TrialSpec(scheduler="asha"))
    assert asha.phases["search"].high < whole.phases["search"].high


def test_a_small_space_has_no_more_trials_than_walks() -> None:
    look = Look(timed=TIMED, macs=[1_000], start_s=2.0, final_share=1.25, walks=7)
    assert priced(look=look).trials.parts == (7, 7, 7)


def test_the_arm_costs_another_search_unless_the_search_is_one() -> None:
    both = FinalistSpec(top=3, seeds=3, epochs=12)
    found = priced(finalists=both)
    assert found.phases["random_arm"].expected == pytest.approx(found.phases["search"].expected + LOOK.start_s)
    assert found.trainings == 3 + 3 + 2 + 2 * 3 + 1, "to choose, the winner, other finalists, comparisons, a ranking"
    assert "random_arm" not in priced(finalists=both, controller=ControllerSpec(name="random")).phases
    assert priced(finalists=FinalistSpec(top=1, seeds=1, fidelity=6)).trainings == 3 + 2 + 3


def test_the_arm_may_take_twice_the_clock_of_a_search_that_its_seconds_end() -> None:
    both = FinalistSpec(top=1, seeds=1, epochs=12, baseline=False)
    found = priced(finalists=both, budget=Budget(trials=200, epochs=5, seconds=30.0))
    assert found.phases["random_arm"].high == 2 * 30.0 + 2 * LOOK.start_s
    unhurried = priced(finalists=both, budget=Budget(trials=200, epochs=5, seconds=30.0), reproducible=True)
    assert unhurried.phases["random_arm"].high > found.phases["random_arm"].high


def test_no_search_is_priced_above_its_epochs() -> None:
    budget = Budget(trials=1000, epochs=8, total_epochs=100)
    found = priced(budget=budget, trial=TrialSpec(scheduler="asha")).phases["search"]
    assert found.expected <= (100 * 7 / 3 + found.high) / 2
    assert found.high <= 1.5 * (100 * 4.0 + 1000 * 0.5) / 2


def test_compression_is_priced_by_the_epochs_of_its_steps() -> None:
    def compress(*steps: CompressStep) -> CompressSpec:
        return CompressSpec(steps=steps)

    pruned = CompressStep(name="prune_magnitude", options={"rounds": 2, "epochs": 3})
    ticket = CompressStep(name="lottery", options={"rounds": 3})
    assert "compress" not in priced().phases
    one = priced(compress=compress(pruned)).phases["compress"]
    assert one.expected == pytest.approx((12 + 6 + 6 * 1.25) * 7 / 3 + 3.0)
    assert one.low == pytest.approx((12 + 3) * 1.2 + 0.2)
    many = priced(compress=compress(ticket)).phases["compress"]
    assert many.expected == pytest.approx((12 + 60 + 60 * 1.25) * 7 / 3 + 3.0)


def test_all_ranges_rise() -> None:
    document = priced(finalists=FinalistSpec()).to_json()
    ranges = [document[name] for name in ("trials", "seconds", "hours", "disk_bytes")] + [*document["phases"].values()]
    assert all(one["low"] <= one["expected"] <= one["high"] for one in ranges)


def test_the_price_of_a_planned_job_is_its_budget() -> None:
    given = PlanInputs(
        seconds=600, slots=2, samples=1149, val_samples=100, final_samples=1437, input_shape=(1, 8, 8), classes=10,
        step_s=0.006, score_s=0.01, class_sizes=(1000, 149),
    )  # fmt: skip
    plan = make_plan(given)
    told = answer(plan, JobSpec(dataset="digits", space={}), slots=2)
    assert told["seconds"] == {"low": 600.0, "expected": 600.0, "high": 600.0}
    assert told["trials"]["expected"] == plan.architectures
    assert 0.95 * 600 <= sum(phase["expected"] for phase in told["phases"].values()) <= 600
    assert told["plan"] == plan.to_json()
    space = {"size_log10": 3.0, "size_exact": True, "feasible_share": 1.0}
    view = PriceView.model_validate({**told, "space": space})
    assert view.warnings == list(plan.warnings)
    assert [text for text in view.warnings if "class_weights 'balanced'" in text]
