"""What a job costs before it has begun: arithmetic on a look at its trainings."""

from typing import Any

import pytest

from search.spec import Budget, ControllerSpec, FinalistSpec, Flat, JobSpec, StopSpec, TrialSpec
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
    for changes in ({"stop": StopSpec(target=0.9)}, {"stop": StopSpec(flat=Flat(trials=5))}):
        found = priced(**changes)
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
    assert found.trainings == 5 * 3 + 1
    assert "random_arm" not in priced(finalists=both, controller=ControllerSpec(name="random")).phases
    assert priced(finalists=FinalistSpec(top=1, seeds=1, fidelity=6)).trainings == 3 + 2 + 3


def test_all_ranges_rise() -> None:
    document = priced(finalists=FinalistSpec()).to_json()
    ranges = [document[name] for name in ("trials", "seconds", "hours", "disk_bytes")] + [*document["phases"].values()]
    assert all(one["low"] <= one["expected"] <= one["high"] for one in ranges)
