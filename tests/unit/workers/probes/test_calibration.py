"""Which settings the trials of a job may choose among."""

from dataclasses import replace

from search.planning.rule import make_plan
from search.planning.values import Plan, PlanInputs
from search.spec import TrialSpec
from tests import factories
from workers.probes.calibration import admissible
from workers.train.numerics import Numerics

PAIRS = (("fp32", "nchw"), ("fp32", "nhwc"), ("bf16", "nhwc"))
NUMERICS = Numerics(
    precision="bf16", layout="nhwc", source="calibration",
    table=tuple({"precision": one, "layout": other, "images_per_second": 1.0} for one, other in PAIRS),
)  # fmt: skip


def plan(seconds: float) -> Plan:
    given = PlanInputs(
        seconds=seconds, slots=2, samples=50_000, val_samples=10_000, final_samples=60_000, input_shape=(1, 28, 28),
        classes=10, step_s=0.02, score_s=1.0,
    )  # fmt: skip
    return make_plan(given)


def test_trials_of_a_planned_job_choose_among_what_the_user_left_open() -> None:
    spec, long = factories.job_spec(), plan(7_200.0)
    assert admissible(spec, NUMERICS, long) == PAIRS
    full = replace(spec, trial=TrialSpec(precision="fp32"))
    assert admissible(full, NUMERICS, long) == PAIRS[:2]
    fixed = replace(spec, trial=TrialSpec(precision="bf16"))
    assert admissible(fixed, NUMERICS, long) == (), "one pair is no choice"


def test_no_timing_without_a_plan_in_reproducible_jobs_and_in_trials_too_short_for_it() -> None:
    spec, long = factories.job_spec(), plan(7_200.0)
    assert admissible(spec, NUMERICS, None) == ()
    assert admissible(replace(spec, reproducible=True), NUMERICS, long) == ()
    assert admissible(spec, replace(NUMERICS, source="fixed"), long) == ()
    assert admissible(spec, NUMERICS, replace(long, rungs=(20, 60))) == ()
